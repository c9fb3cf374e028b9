#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "ring/ring.h"

#define MAX_WORDS 20
#define N_OF(table) (sizeof(table) / sizeof((table)[0]))

/* What was printed on `fd` since it was pointed at the file behind `to`. */
struct capture {
    int fd, kept, to;
    char text[4096];
};

static void capture_start(struct capture *c, int fd)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    fflush(NULL);
    c->fd = fd;
    c->kept = dup(fd);
    c->to = dup(fileno(file));
    fclose(file);
    assert_true(c->kept >= 0 && c->to >= 0 && dup2(c->to, fd) == fd);
}

static const char *capture_end(struct capture *c)
{
    ssize_t n;

    fflush(NULL);
    dup2(c->kept, c->fd);
    n = pread(c->to, c->text, sizeof(c->text) - 1, 0);
    assert_true(n >= 0);
    c->text[n] = '\0';
    close(c->kept);
    close(c->to);
    return c->text;
}

/* Parses a command line whose words have blanks between them. */
static int parse(struct options *o, const char *line)
{
    char copy[512] = "chcached", *argv[MAX_WORDS + 1], *state, *word;
    int argc = 0;

    if (*line != '\0')
        snprintf(copy, sizeof(copy), "chcached %s", line);
    for (word = strtok_r(copy, " ", &state); word != NULL; word = strtok_r(NULL, " ", &state)) {
        assert_true(argc < MAX_WORDS);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    return options_parse(o, argc, argv);
}

static void parse_good(struct options *o, const char *line)
{
    int rc = parse(o, line);

    if (rc != -1)
        print_error("chcached %s: exit code %d\n", line, rc);
    assert_int_equal(rc, -1);
}

static void nothing_said_is_a_drop_in_memcached(void **state)
{
    struct options o;

    (void)state;
    parse_good(&o, "");
    assert_int_equal(o.port, 11211);
    assert_int_equal(o.listen.n, 1);
    assert_string_equal(o.listen.items[0], "127.0.0.1:11211");
    assert_int_equal(o.memory_limit, 64 << 20);
    assert_int_equal(o.max_item_size, 1 << 20);
    assert_int_equal(o.conn_limit, 1024);
    assert_in_range(o.threads, 1, 4);
    assert_int_equal(o.max_reqs_per_event, 1024);
    assert_int_equal(o.unix_mask, 0700);
    assert_int_equal(o.role, ROLE_BOTH);
    assert_int_equal(o.shard_timeout, 1000);
    assert_int_equal(o.link_queue_limit, 64 << 20);
    assert_int_equal(o.output_limit, 64 << 20);
    assert_string_equal(o.name, "local");
    assert_string_equal(o.cluster, "chcached");
    assert_string_equal(o.peer, "");
    assert_string_equal(o.unix_socket, "");
    assert_int_equal(o.shards.n, 0);
    assert_false(o.daemon || o.disable_cas || o.enable_shutdown || o.lock_memory);
    assert_false(o.given[OPTION_port]);
    options_fini(&o);
}

static void long_and_short_options_mean_the_same(void **state)
{
    static const struct {
        const char *line;
        size_t at;
        unsigned long long value;
    } table[] = {
#define AT(field) offsetof(struct options, field)
        { "-p 4000", AT(port), 4000 },
        { "-p4000", AT(port), 4000 },
        { "--port 4000", AT(port), 4000 },
        { "--port=4000", AT(port), 4000 },
        { "-p 1 -p 4000", AT(port), 4000 },
        { "-dp4000", AT(port), 4000 },
        { "-t 200", AT(threads), 200 },
        { "-c 7", AT(conn_limit), 7 },
        { "-R 20", AT(max_reqs_per_event), 20 },
        { "-b 5", AT(listen_backlog), 5 },
        { "-a 755", AT(unix_mask), 0755 },
        { "--unix-mask=0", AT(unix_mask), 0 },
        { "-vvv", AT(verbose), 3 },
        { "-v --verbose", AT(verbose), 2 },
        { "--local-shards 3", AT(local_shards), 3 },
        { "-U 0", AT(udp_port), 0 },
#undef AT
    };

    (void)state;
    for (size_t i = 0; i < N_OF(table); i++) {
        struct options o;

        parse_good(&o, table[i].line);
        if (*(unsigned *)((char *)&o + table[i].at) != table[i].value)
            print_error("%s\n", table[i].line);
        assert_int_equal(*(unsigned *)((char *)&o + table[i].at), table[i].value);
        options_fini(&o);
    }
}

static void every_flag_sets_its_field_alone(void **state)
{
    static const struct {
        const char *line;
        size_t at;
    } table[] = {
#define AT(field) offsetof(struct options, field)
        { "-M", AT(disable_evictions) }, { "--disable-evictions", AT(disable_evictions) },
        { "-C", AT(disable_cas) },       { "--disable-cas", AT(disable_cas) },
        { "-F", AT(disable_flush_all) }, { "--disable-flush-all", AT(disable_flush_all) },
        { "-A", AT(enable_shutdown) },   { "--enable-shutdown", AT(enable_shutdown) },
        { "-d", AT(daemon) },            { "--daemon", AT(daemon) },
        { "-r", AT(enable_coredumps) },  { "--enable-coredumps", AT(enable_coredumps) },
        { "-k", AT(lock_memory) },       { "--lock-memory", AT(lock_memory) },
#undef AT
    };

    (void)state;
    for (size_t i = 0; i < N_OF(table); i++) {
        struct options o;

        parse_good(&o, table[i].line);
        for (size_t j = 0; j < N_OF(table); j++)
            assert_int_equal(*(bool *)((char *)&o + table[j].at), table[j].at == table[i].at);
        options_fini(&o);
    }
}

static void sizes_and_times_have_units(void **state)
{
    static const struct {
        const char *line;
        uint64_t memory, item;
        int64_t timeout_ms;
    } table[] = {
        { "-m 100", 100 << 20, 1 << 20, 1000 },
        { "-m 64000k", 64000 << 10, 1 << 20, 1000 },
        { "-m 2g", 2ull << 30, 1 << 20, 1000 },
        { "-m 1048576", 1ull << 40, 1 << 20, 1000 },
        { "-I 1024", 64 << 20, 1024, 1000 },
        { "-I 4m", 64 << 20, 4 << 20, 1000 },
        { "--shard-timeout=250ms", 64 << 20, 1 << 20, 250 },
        { "--shard-timeout=2", 64 << 20, 1 << 20, 2000 },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(table); i++) {
        struct options o;

        parse_good(&o, table[i].line);
        assert_int_equal(o.memory_limit, table[i].memory);
        assert_int_equal(o.max_item_size, table[i].item);
        assert_int_equal(o.shard_timeout, table[i].timeout_ms);
        options_fini(&o);
    }
}

static void client_addresses_are_whole(void **state)
{
    static const struct {
        const char *line, *listen;
    } table[] = {
        { "-p 33", "127.0.0.1:33" },
        { "-l 0.0.0.0 -p 33", "0.0.0.0:33" },
        { "-p 33 -l 0.0.0.0", "0.0.0.0:33" },
        { "-l localhost", "127.0.0.1:11211" },
        { "-l 10.0.0.1:5,10.0.0.2", "10.0.0.1:5 10.0.0.2:11211" },
        { "-l 10.0.0.1 -l 10.0.0.2", "10.0.0.1:11211 10.0.0.2:11211" },
        { "-l ::1", "[::1]:11211" },
        { "-l [::1]", "[::1]:11211" },
        { "-l [::1]:5", "[::1]:5" },
        { "-s /tmp/x", "" },
        { "-s /tmp/x -p 33", "" },
        { "-s /tmp/x -l 127.0.0.1", "127.0.0.1:11211" },
        { "-s /tmp/x -p 0", "" },
        { "-p 0 -l 10.0.0.1:5,10.0.0.2", "10.0.0.1:5" },
        { "--role shard --name s --peer 127.0.0.1:1", "" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(table); i++) {
        struct options o;
        char all[256] = "";

        parse_good(&o, table[i].line);
        for (size_t j = 0; j < o.listen.n; j++) {
            size_t len = strlen(all);

            snprintf(all + len, sizeof(all) - len, "%s%s", j > 0 ? " " : "", o.listen.items[j]);
        }
        assert_string_equal(all, table[i].listen);
        options_fini(&o);
    }
}

static void shards_have_name_address_and_weight(void **state)
{
    static const struct shard_spec table[] = {
        { "a", "10.0.0.11:11301", 1 }, { "b-2.x_", "10.0.0.12:5", 100 },
        { "c", "[::1]:7", 2 },         { "d", "/run/d.sock", 3 },
        { "e", "@abstract", 1 },       { "f", "127.0.0.1:9", 1 },
    };
    struct options o;

    (void)state;
    parse_good(&o, "--role=front --shard a=10.0.0.11 --shard=b-2.x_=10.0.0.12:5*100 "
                   "--shard c=[::1]:7*2 --shard d=/run/d.sock*3 --shard e=@abstract "
                   "--shard f=localhost:9*1");
    assert_int_equal(o.shards.n, N_OF(table));
    for (size_t i = 0; i < N_OF(table); i++) {
        assert_string_equal(o.shards.items[i].name, table[i].name);
        assert_string_equal(o.shards.items[i].address, table[i].address);
        assert_int_equal(o.shards.items[i].weight, table[i].weight);
    }
    options_fini(&o);
}

static void what_follows_from_other_options_is_filled_in(void **state)
{
    struct options o;

    (void)state;
    parse_good(&o, "--local-shards 3");
    assert_int_equal(o.role, ROLE_FRONT);
    assert_string_equal(o.name, "local");
    options_fini(&o);

    parse_good(&o, "--name s2 --shard s1=127.0.0.1:1 --shard s2=127.0.0.1:2");
    assert_int_equal(o.role, ROLE_BOTH);
    assert_string_equal(o.peer, "127.0.0.1:2");
    options_fini(&o);

    parse_good(&o, "--role shard --name s2 --peer 10.0.0.1");
    assert_string_equal(o.peer, "10.0.0.1:11301");
    options_fini(&o);

    parse_good(&o, "-I 64m -m 1g");
    assert_int_equal(o.link_queue_limit, 128 << 20);
    assert_int_equal(o.output_limit, 128 << 20);
    options_fini(&o);
}

static void a_bad_line_is_one_line_that_says_why(void **state)
{
    static const struct {
        const char *line, *said;
    } table[] = {
        { "--thread", "unknown option --thread, did you mean --threads?" },
        { "--thread=4", "unknown option --thread, did you mean --threads?" },
        { "--memroy-limit 5", "unknown option --memroy-limit, did you mean --memory-limit?" },
        { "--conn 5", "unknown option --conn, did you mean --conn-limit?" },
        { "--qqqqqq", "unknown option --qqqqqq, see chcached --help" },
        { "-J", "unknown option -J, see chcached --help" },
        { "-vJ", "unknown option -J, see chcached --help" },
        { "-K", "unknown option -K, did you mean -k (--lock-memory)?" },
        { "-threads 4", "read \"-threads\", did you mean --threads?" },
        { "-port=4", "read \"-port=4\", did you mean --port=4?" },
        { "x", "read \"x\", expected an option" },
        { "-", "read \"-\", expected an option" },
        { "--", "read \"--\", expected an option" },
        { "-p", "-p (--port) needs a value, N" },
        { "--port", "--port needs a value, N" },
        { "--daemon=yes", "--daemon takes no value, read \"yes\"" },
        { "--port=", "--port: read \"\", expected a whole number, from 0 to 65535" },
        { "-p 65536", "--port: read \"65536\", expected a whole number, from 0 to 65535" },
        { "-p -1", "--port: read \"-1\", expected a whole number, from 0 to 65535" },
        { "-p 1x", "--port: read \"1x\", expected a whole number, from 0 to 65535" },
        { "-t 0", "--threads: read \"0\", expected a whole number, from 1 to 256" },
        { "-c 0", "--conn-limit: read \"0\", expected a whole number, from 1 to 1000000" },
        { "-a 8", "--unix-mask: read \"8\", expected an octal number, from 0 to 777" },
        { "-a 1000", "--unix-mask: read \"1000\", expected an octal number, from 0 to 777" },
        { "-m 0", "--memory-limit: read \"0\", expected megabytes or a number with k, m, g "
                  "or t, from 1m to 1t" },
        { "-m 18446744073709551615", "--memory-limit: read \"18446744073709551615\", expected "
                                     "megabytes or a number with k, m, g or t, from 1m to 1t" },
        { "-I 1023", "--max-item-size: read \"1023\", expected bytes or a number with k, m, g "
                     "or t, from 1k to 128m" },
        { "-I 129m", "--max-item-size: read \"129m\", expected bytes or a number with k, m, g "
                     "or t, from 1k to 128m" },
        { "--shard-timeout=x", "--shard-timeout: read \"x\", expected seconds or a number with "
                               "ms, s, m or h, from 10ms to 1h" },
        { "--role=all", "--role: read \"all\", expected both, front or shard" },
        { "-l a,,b", "--listen: read \"a,,b\", expected values with commas between them" },
        { "-l a.example", "--listen: read \"a.example\", expected ADDR or ADDR:PORT with the "
                          "address as a number" },
        { "-l 127.0.0.1,::1:x", "--listen: read \"::1:x\", expected ADDR or ADDR:PORT with the "
                                "address as a number" },
        { "-l 127.0.0.1:0", "--listen: read \"127.0.0.1:0\", expected ADDR or ADDR:PORT with "
                            "the address as a number" },
        { "-p 0", "--port 0 leaves no address for clients: give --unix-socket or --listen "
                  "ADDR:PORT" },
        { "-U 11211", "--udp-port: read \"11211\", expected 0: there is no UDP here, it lends "
                      "itself to amplified attacks" },
        { "-S", "--enable-sasl: there is no SASL" },
        { "--enable-sasl=yes", "--enable-sasl: there is no SASL" },
        { "-Y /file", "--auth-file: there is no authentication yet, and clients are not to be "
                      "let in without it" },
        { "--auth-file=/file", "--auth-file: there is no authentication yet, and clients are "
                               "not to be let in without it" },
        { "-Z", "--enable-ssl: there is no TLS yet, and clients are not to be served without "
                "it" },
        { "-o modern,ssl_key=/k", "--extended: read \"ssl_key=/k\": there is no TLS yet, and "
                                  "clients are not to be served without it" },
        { "-o proxy_config=/c", "--extended: read \"proxy_config=/c\": there is no memcached "
                                "proxy in here; a front is one, see --shard" },
        { "-B binary", "--protocol: read \"binary\", expected auto or ascii: the text "
                       "protocol is always spoken" },
        { "-B x", "--protocol: read \"x\", expected auto or ascii" },
        { "--name=a:b", "--name: read \"a:b\", expected 1 to 60 letters, digits, '.', '_' "
                        "or '-'" },
        { "--role shard", "--role shard needs --name: fronts know a shard by its name" },
        { "--role shard --name s", "--role shard needs --peer, the address where fronts reach "
                                   "it" },
        { "--role shard --name s --peer @s -p 5",
          "--role shard has no clients: it does not go with --port" },
        { "--role shard --name s --peer s.example:1",
          "--peer: read \"s.example:1\", expected ADDR:PORT with the address as a number, or a "
          "path" },
        { "--role front", "--role front needs --shard, --local-shards or --coordinator: a "
                          "front keeps nothing itself" },
        { "--role front --shard s=@s --peer @p",
          "--peer is for shards and the coordinator: it does not go with this --role front" },
        { "--peer @p", "--peer needs --name: fronts know a shard by its name" },
        { "--local-shards 3 --role shard",
          "--local-shards makes this process a front: it does not go with --role shard" },
        { "--local-shards 3 --role both",
          "--local-shards makes this process a front: it does not go with --role both" },
        { "--local-shards 3 --shard s=@s",
          "--local-shards and --shard do not go together: local shards are a cluster of their "
          "own" },
        { "--shard s=@s --name t",
          "--shard: none is this process, \"t\"; say with --name which one it is" },
        { "--role front --shard s=@s --shard s=@t", "--shard: s is there twice" },
        { "--role front --shard s=@s --shard t=@s", "--shard: s and t have one address, @s" },
        { "--shard s", "--shard: read \"s\", expected NAME=HOST:PORT, with *WEIGHT from 1 to "
                       "100 after it if wanted" },
        { "--shard s=@s*101", "--shard: read \"s=@s*101\", expected NAME=HOST:PORT, with "
                              "*WEIGHT from 1 to 100 after it if wanted" },
        { "-m 2 --local-shards 2", "--memory-limit: 1024k for each shard, expected room for two "
                                   "of the largest items (--max-item-size), 2048k" },
        { "--local-shards 2 --coordinator c@@c",
          "--local-shards and --coordinator do not go together: this process makes the maps of "
          "its shards" },
        { "--role front --name c --coordinator c@127.0.0.1:5",
          "--coordinator is this process: it needs --state-dir, where it keeps the map" },
        { "--name b --coordinator c@127.0.0.1:5",
          "--coordinator needs --peer, the address where others reach this member" },
        { "--role front --coordinator c@host:5",
          "--coordinator: read \"c@host:5\", expected NAME@ADDR:PORT with the address as a "
          "number, or a path" },
        { "--replicas 2 --role front --shard s=@s",
          "--replicas needs --local-shards or --coordinator: somebody must say who is alive" },
        { "--role shard --name s --peer @s -l 127.0.0.1",
          "--role shard has no clients: it does not go with --listen" },
        { "--role shard --name s --peer @s -s /s",
          "--role shard has no clients: it does not go with --unix-socket" },
        { "--http 10.0.0.1:5",
          "--http: read \"10.0.0.1:5\", expected an address of this host alone, 127.0.0.1 or "
          "[::1], or --admin-token-file: who reaches it may change the cluster" },
        { "-I 2m --output-limit 1m",
          "--output-limit: an item of --max-item-size would never fit" },
        { "-I 2m --link-queue-limit 1m",
          "--link-queue-limit: an item of --max-item-size would never fit" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(table); i++) {
        struct options o;
        struct capture c;
        char expected[512];
        int rc;

        capture_start(&c, STDERR_FILENO);
        rc = parse(&o, table[i].line);
        capture_end(&c);
        snprintf(expected, sizeof(expected), "chcached: %s\n", table[i].said);
        assert_string_equal(c.text, expected);
        assert_int_equal(rc, 64);
        options_fini(&o);
    }
}

static void a_cluster_has_so_many_shards_at_most(void **state)
{
    static char words[RING_MAX_MEMBERS + 1][32];
    static char *argv[RING_MAX_MEMBERS + 5] = { "chcached", "--role=front" };
    struct options o;
    struct capture c;
    char expected[80];
    int argc = 2, rc;

    (void)state;
    for (int i = 0; i <= RING_MAX_MEMBERS; i++) {
        snprintf(words[i], sizeof(words[i]), "--shard=s%d=@s%d", i, i);
        argv[argc++] = words[i];
    }
    for (int more = 0; more <= 1; more++) {
        capture_start(&c, STDERR_FILENO);
        rc = options_parse(&o, argc - 1 + more, argv);
        capture_end(&c);
        options_fini(&o);
        snprintf(expected, sizeof(expected), "chcached: --shard: %d of them, expected %d at most\n",
                 RING_MAX_MEMBERS + 1, RING_MAX_MEMBERS);
        assert_int_equal(rc, more ? 64 : -1);
        assert_string_equal(c.text, more ? expected : "");
    }
}

static void memcacheds_tuning_is_taken_with_a_word_of_warning(void **state)
{
    static const char *const table[] = {
        "-f 1.25", "-n 48", "-L", "-e /tmp/file", "-N 2", "-o modern,no_lru_crawler",
        "--slab-growth-factor=2", "--extended=x",
    };

    (void)state;
    for (size_t i = 0; i < N_OF(table); i++) {
        struct options o;
        struct capture c;
        int rc;

        capture_start(&c, STDERR_FILENO);
        rc = parse(&o, table[i]);
        capture_end(&c);
        assert_int_equal(rc, -1);
        assert_non_null(strstr(c.text, " is ignored: "));
        assert_ptr_equal(strchr(c.text, '\n'), c.text + strlen(c.text) - 1);
        options_fini(&o);
    }
}

static void what_is_asked_for_is_printed_and_ends_the_start(void **state)
{
    static const struct {
        const char *line, *has;
    } table[] = {
        { "-h", "--memory-limit=MB" },  { "--help", "man chcached\n" },
        { "-V", "chcached " },          { "--version", "chcached " },
        { "-i", "BSD-3-Clause" },       { "--license", "without warranty" },
        { "-p 5 --help", "  -p, --port=N" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(table); i++) {
        struct options o;
        struct capture c;
        int rc;

        capture_start(&c, STDOUT_FILENO);
        rc = parse(&o, table[i].line);
        capture_end(&c);
        assert_int_equal(rc, 0);
        assert_non_null(strstr(c.text, table[i].has));
        options_fini(&o);
    }
}

static void the_help_is_some_twenty_lines(void **state)
{
    static const char *const names[] = {
#define OPTION(id, name, letter, TYPE, dflt, min, max, SECTION, WHEN, ARG, help) "--" name,
#define OPTION_RARE(id, name, letter, TYPE, dflt, min, max, SECTION, WHEN, ARG, help)
#include "options.def"
    };
    struct options o;
    struct capture c;
    int lines = 0;

    (void)state;
    capture_start(&c, STDOUT_FILENO);
    assert_int_equal(parse(&o, "--help"), 0);
    capture_end(&c);
    options_fini(&o);
    for (size_t i = 0; i < N_OF(names); i++)
        assert_non_null(strstr(c.text, names[i]));
    for (const char *line = c.text; *line != '\0'; line = strchr(line, '\n') + 1, lines++)
        assert_true(strchr(line, '\n') - line < 80);
    assert_in_range(lines, 16, 22);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_said_is_a_drop_in_memcached),
        cmocka_unit_test(long_and_short_options_mean_the_same),
        cmocka_unit_test(every_flag_sets_its_field_alone),
        cmocka_unit_test(sizes_and_times_have_units),
        cmocka_unit_test(client_addresses_are_whole),
        cmocka_unit_test(shards_have_name_address_and_weight),
        cmocka_unit_test(what_follows_from_other_options_is_filled_in),
        cmocka_unit_test(a_bad_line_is_one_line_that_says_why),
        cmocka_unit_test(a_cluster_has_so_many_shards_at_most),
        cmocka_unit_test(memcacheds_tuning_is_taken_with_a_word_of_warning),
        cmocka_unit_test(what_is_asked_for_is_printed_and_ends_the_start),
        cmocka_unit_test(the_help_is_some_twenty_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

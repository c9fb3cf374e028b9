#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wire/binary.h"
#include "wire/packet.h"
#include "wire_help.h"

#define FLAGS_5_FOR_30S "\0\0\0\5\0\0\0\x1e"
#define BY_2_ELSE_7 "\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\7"

/* A request: what its head tells, and what follows.  Its opaque is "opaq". */
struct request {
    uint8_t opcode;
    uint8_t extras_len;
    const char *extras;
    const char *key;            /* NULL: none */
    uint64_t cas;
    uint32_t value_len;
    const char *meaning;        /* in the words of describe() */
};

#define NONE 0, ""
#define EXTRAS(bytes) sizeof(bytes) - 1, bytes

static const struct request requests[] = {
    { 0x00, NONE, "a", 0, 0, "get key=a" },
    { 0x09, NONE, "a", 0, 0, "get quiet key=a" },
    { 0x0c, NONE, "a", 0, 0, "get with-key key=a" },
    { 0x0d, NONE, "a", 0, 0, "get quiet with-key key=a" },
    { 0x00, NONE, K250, 0, 0, "get key=" K250 },
    { 0x00, NONE, "a", 7, 0, "get key=a" },
    { 0x1c, EXTRAS("\0\0\0\x1e"), "a", 0, 0, "gat no-value key=a exptime=30" },
    { 0x1d, EXTRAS("\0\0\0\x1e"), "a", 0, 0, "gat key=a exptime=30" },
    { 0x1e, EXTRAS("\0\0\0\0"), "a", 0, 0, "gat quiet key=a exptime=0" },
    { 0x23, EXTRAS("\0\0\0\x1e"), "a", 7, 0, "gat with-key key=a exptime=30" },
    { 0x24, EXTRAS("\xff\xff\xff\xff"), "a", 0, 0,
      "gat quiet with-key key=a exptime=4294967295" },

    { 0x01, EXTRAS(FLAGS_5_FOR_30S), "a", 0, 9, "set key=a flags=5 exptime=30 bytes=9" },
    { 0x11, EXTRAS(FLAGS_5_FOR_30S), "a", 0, 0, "set quiet key=a flags=5 exptime=30 bytes=0" },
    { 0x02, EXTRAS(FLAGS_5_FOR_30S), "a", 0, 9, "add key=a flags=5 exptime=30 bytes=9" },
    { 0x12, EXTRAS(FLAGS_5_FOR_30S), "a", 0, 9, "add quiet key=a flags=5 exptime=30 bytes=9" },
    { 0x03, EXTRAS(FLAGS_5_FOR_30S), "a", 0, 9, "replace key=a flags=5 exptime=30 bytes=9" },
    { 0x13, EXTRAS("\xff\xff\xff\xff\xff\xff\xff\xff"), "a", 0, 9,
      "replace quiet key=a flags=4294967295 exptime=4294967295 bytes=9" },
    { 0x01, EXTRAS(FLAGS_5_FOR_30S), "a", 7, 9, "cas key=a flags=5 exptime=30 bytes=9 cas=7" },
    { 0x12, EXTRAS(FLAGS_5_FOR_30S), "a", 7, 9,
      "cas quiet key=a flags=5 exptime=30 bytes=9 cas=7" },
    { 0x03, EXTRAS(FLAGS_5_FOR_30S), "a", UINT64_MAX, 9,
      "cas key=a flags=5 exptime=30 bytes=9 cas=18446744073709551615" },
    { 0x01, EXTRAS(FLAGS_5_FOR_30S), "a", 0, 1 << 29,
      "set key=a flags=5 exptime=30 bytes=536870912" },
    { 0x0e, NONE, "a", 0, 9, "append key=a flags=0 exptime=0 bytes=9" },
    { 0x0f, NONE, "a", 7, 9, "prepend compare=7 key=a flags=0 exptime=0 bytes=9" },
    { 0x19, NONE, "a", 7, 9, "append quiet compare=7 key=a flags=0 exptime=0 bytes=9" },
    { 0x1a, NONE, "a", 0, 0, "prepend quiet key=a flags=0 exptime=0 bytes=0" },

    { 0x04, NONE, "a", 0, 0, "delete key=a" },
    { 0x14, NONE, "a", 7, 0, "delete quiet compare=7 key=a" },
    { 0x05, EXTRAS(BY_2_ELSE_7 "\xff\xff\xff\xff"), "a", 0, 0, "incr key=a delta=2" },
    { 0x06, EXTRAS(BY_2_ELSE_7 "\0\0\0\x1e"), "a", 0, 0, "decr key=a delta=2 initial=7 for=30" },
    { 0x15, EXTRAS(BY_2_ELSE_7 "\0\0\0\0"), "a", 7, 0,
      "incr quiet compare=7 key=a delta=2 initial=7 for=0" },
    { 0x16, EXTRAS(BY_2_ELSE_7 "\xff\xff\xff\xfe"), "a", 0, 0,
      "decr quiet key=a delta=2 initial=7 for=4294967294" },

    { 0x08, NONE, NULL, 0, 0, "flush_all exptime=0" },
    { 0x08, EXTRAS("\0\0\0\x1e"), NULL, 0, 0, "flush_all exptime=30" },
    { 0x18, NONE, NULL, 7, 0, "flush_all quiet exptime=0" },
    { 0x10, NONE, NULL, 0, 0, "stats args=" },
    { 0x10, NONE, "settings", 0, 0, "stats args=settings" },
    { 0x07, NONE, NULL, 0, 0, "quit" },
    { 0x17, NONE, NULL, 0, 0, "quit quiet" },
    { 0x0a, NONE, NULL, 7, 0, "mn" },
    { 0x0b, NONE, NULL, 0, 0, "version" },

    /* unknown ones have their body swallowed */
    { 0x1b, NONE, NULL, 0, 0, "? !unknown swallow=0" },
    { 0x20, NONE, NULL, 0, 0, "? !unknown swallow=0" },
    { 0x21, NONE, "PLAIN", 0, 20, "? !unknown swallow=20" },
    { 0xff, EXTRAS("1234567"), "key", 0, 1000000, "? !unknown swallow=1000000" },

    /* what has not the form of its opcode */
    { 0x00, NONE, NULL, 0, 0, "get !invalid close" },
    { 0x00, EXTRAS("1234"), "a", 0, 0, "get !invalid close" },
    { 0x0d, NONE, "a", 0, 1, "get quiet with-key !invalid close" },
    { 0x1c, NONE, "a", 0, 0, "gat !invalid close" },
    { 0x1d, EXTRAS("123"), "a", 0, 0, "gat !invalid close" },
    { 0x1d, EXTRAS("1234"), NULL, 0, 0, "gat !invalid close" },
    { 0x01, NONE, "a", 0, 9, "set !invalid close" },
    { 0x11, EXTRAS("1234567"), "a", 0, 9, "set quiet !invalid close" },
    { 0x01, EXTRAS("12345678"), NULL, 0, 9, "set !invalid close" },
    { 0x0e, EXTRAS("1"), "a", 0, 9, "append !invalid close" },
    { 0x04, NONE, NULL, 0, 0, "delete !invalid close" },
    { 0x04, NONE, "a", 0, 1, "delete !invalid close" },
    { 0x05, EXTRAS("1234"), "a", 0, 0, "incr !invalid close" },
    { 0x08, NONE, "a", 0, 0, "flush_all !invalid close" },
    { 0x08, EXTRAS("123"), NULL, 0, 0, "flush_all !invalid close" },
    { 0x10, EXTRAS("1"), NULL, 0, 0, "stats !invalid close" },
    { 0x10, NONE, "a", 0, 1, "stats !invalid close" },
    { 0x07, NONE, "a", 0, 0, "quit !invalid close" },
    { 0x0a, NONE, NULL, 0, 1, "mn !invalid close" },
    { 0x0b, EXTRAS("1"), NULL, 0, 0, "version !invalid close" },
    { 0x00, NONE, K250 "k", 0, 0, "get !invalid close" },
    { 0x1b, NONE, K250 "k", 0, 0, "? !invalid close" },
    { 0x01, EXTRAS("12345678"), "a", 0, 1 << 30, "set !invalid close" },
    { 0x1b, NONE, NULL, 0, UINT32_MAX, "? !invalid close" },
};

/* As a client sends it, the value left out. */
struct packet {
    char data[PACKET_HEAD + 255 + 300];
    size_t len;
};

static void pack(struct packet *p, const struct request *r, uint32_t body_len)
{
    const size_t key_len = r->key != NULL ? strlen(r->key) : 0;
    char *out = p->data;

    *out++ = (char)BINARY_MAGIC;
    *out++ = (char)r->opcode;
    out = bytes_put_be16(out, (uint16_t)key_len);
    *out++ = (char)r->extras_len;
    memset(out, 0, 3);
    out = bytes_put_be32(out + 3, body_len);
    memcpy(out, "opaq", 4);
    out = bytes_put_be64(out + 4, r->cas);
    memcpy(out, r->extras, r->extras_len);
    if (key_len > 0)
        memcpy(out + r->extras_len, r->key, key_len);
    p->len = PACKET_HEAD + r->extras_len + key_len;
}

static uint32_t body_of(const struct request *r)
{
    return r->extras_len + (r->key != NULL ? (uint32_t)strlen(r->key) : 0) + r->value_len;
}

static void describe_arguments(struct description *d, const struct cmd *cmd)
{
    if (verb_is_keyed(cmd->verb))
        say(d, " key=%.*s", (int)cmd->key_len, cmd->key);
    if (verb_has_value(cmd->verb))
        say(d, " flags=%u exptime=%lld bytes=%zu", cmd->client_flags, (long long)cmd->exptime,
            cmd->value_len);
    if (cmd->verb == VERB_CAS)
        say(d, " cas=%llu", (unsigned long long)cmd->cas);
    if (cmd->verb == VERB_GAT || cmd->verb == VERB_FLUSH_ALL)
        say(d, " exptime=%lld", (long long)cmd->exptime);
    if (cmd->verb == VERB_INCR || cmd->verb == VERB_DECR)
        say(d, " delta=%llu", (unsigned long long)cmd->delta);
    if (cmd->options & OPTION_VIVIFY)
        say(d, " initial=%llu for=%lld", (unsigned long long)cmd->initial,
            (long long)cmd->vivify_exptime);
    if (cmd->verb == VERB_STATS)
        say(d, " args=%.*s", (int)cmd->args_len, cmd->args);
}

static void describe(struct description *d, const struct parse *p, const struct cmd *cmd)
{
    say(d, "%s%s%s", verb_word(cmd->verb), cmd->form.quiet ? " quiet" : "",
        cmd->form.with_key ? " with-key" : "");
    if (cmd->options & OPTION_NO_VALUE)
        say(d, " no-value");
    if (verb_is_keyed(cmd->verb) && (cmd->options & OPTION_COMPARE) != 0)
        say(d, " compare=%llu", (unsigned long long)cmd->cas);
    if (cmd->error == CMD_OK) {
        assert_false(p->swallow || p->close);
        describe_arguments(d, cmd);
        return;
    }
    assert_null(cmd->key);
    say(d, packet_status_of(cmd->error) == PACKET_INVALID ? " !invalid" : " !unknown");
    say_rest(d, p, cmd);
}

static const struct dialect binary = { binary_parse, describe };

static void check_form(const struct cmd *cmd, uint8_t opcode)
{
    assert_int_equal(cmd->form.protocol, PROTOCOL_BINARY);
    assert_int_equal(cmd->form.opcode, opcode);
    assert_memory_equal(cmd->form.opaque, "opaq", PACKET_OPAQUE);
}

static void each_head_is_its_command(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(requests); i++) {
        const struct request *r = &requests[i];
        struct packet packet;
        struct result got;

        pack(&packet, r, body_of(r));
        parse_init(&got.parse);
        assert_int_equal(parse_piece(&binary, &got, packet.data, packet.len), PARSE_DONE);
        assert_string_equal(got.told.text, r->meaning);
        check_form(&got.cmd, r->opcode);
        if (!got.parse.close)
            assert_int_equal(got.parse.len, packet.len);
        assert_int_equal(got.parse.block_end, 0);
    }
}

/* Cut at every byte it is the same; what must be closed is told by the head. */
static void a_request_may_arrive_in_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(requests); i++) {
        const struct request *r = &requests[i];
        const bool closes = strstr(r->meaning, " close") != NULL;
        struct packet packet;

        pack(&packet, r, body_of(r));
        for (size_t cut = 0; cut < packet.len; cut++) {
            const bool by_head = closes && cut >= PACKET_HEAD;
            struct result got;

            parse_init(&got.parse);
            assert_int_equal(parse_piece(&binary, &got, packet.data, cut),
                             by_head ? PARSE_DONE : PARSE_MORE);
            if (!by_head)
                assert_int_equal(parse_piece(&binary, &got, packet.data, packet.len), PARSE_DONE);
            assert_string_equal(got.told.text, r->meaning);
        }
    }
}

static void what_follows_is_not_looked_at(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(requests); i++) {
        const struct request *r = &requests[i];
        struct packet packet;
        struct result got;

        pack(&packet, r, body_of(r));
        memset(packet.data + packet.len, 0x80, 30);
        parse_init(&got.parse);
        assert_int_equal(parse_piece(&binary, &got, packet.data, packet.len + 30), PARSE_DONE);
        assert_string_equal(got.told.text, r->meaning);
    }
}

static void lengths_beyond_the_body_close(void **state)
{
    static const struct request cases[] = {
        { 0x00, NONE, "a", 0, 0, "get !unknown close" },
        { 0x1c, EXTRAS("1234"), "a", 0, 0, "gat !unknown close" },
        { 0x01, EXTRAS("12345678"), "a", 0, 0, "set !unknown close" },
        { 0x30, NONE, "a", 0, 0, "? !unknown close" },
        { 0x00, NONE, K250 "k", 0, 0, "get !unknown close" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        for (uint32_t body = 0; body < body_of(&cases[i]); body++) {
            struct packet packet;
            struct result got;

            pack(&packet, &cases[i], body);
            parse_init(&got.parse);
            assert_int_equal(parse_piece(&binary, &got, packet.data, PACKET_HEAD), PARSE_DONE);
            assert_string_equal(got.told.text, cases[i].meaning);
            check_form(&got.cmd, cases[i].opcode);
        }
    }
}

static void another_magic_is_hung_up_on_at_once(void **state)
{
    static const char *const cases[] = { "\x81", "get a\r\n", "\x7f", "" };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        struct parse p;
        struct cmd cmd;

        parse_init(&p);
        assert_int_equal(binary_parse(&p, cases[i], strlen(cases[i]) + 1, &cmd), PARSE_DONE);
        assert_int_equal(cmd.error, CMD_HANG_UP);
        assert_true(p.close);
    }
}

/* Whatever its other bytes: a request, or an error with an answer. */
static void no_opcode_is_without_a_meaning(void **state)
{
    (void)state;
    for (unsigned opcode = 0; opcode < 256; opcode++) {
        const struct request r = { .opcode = (uint8_t)opcode, NONE, .key = "a" };
        struct packet packet;
        struct result got;

        pack(&packet, &r, body_of(&r));
        parse_init(&got.parse);
        assert_int_equal(parse_piece(&binary, &got, packet.data, packet.len), PARSE_DONE);
        check_form(&got.cmd, r.opcode);
        assert_true((got.cmd.verb == VERB_UNKNOWN) == (got.cmd.error == CMD_ERROR));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_head_is_its_command),
        cmocka_unit_test(a_request_may_arrive_in_pieces),
        cmocka_unit_test(what_follows_is_not_looked_at),
        cmocka_unit_test(lengths_beyond_the_body_close),
        cmocka_unit_test(another_magic_is_hung_up_on_at_once),
        cmocka_unit_test(no_opcode_is_without_a_meaning),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

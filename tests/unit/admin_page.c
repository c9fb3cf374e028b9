/* The page is made of JSON, so is what stands in it here. */
#include "admin_help.h"

#include "admin/html.h"
#include "admin/page.h"

#define N_OF(table) (sizeof(table) / sizeof((table)[0]))
#define HOSTILE "<b a='1' b=\"2\">&amp;\x01</b>"
#define HARMLESS "&lt;b a=&#39;1&#39; b=&quot;2&quot;&gt;&amp;amp;&#65533;&lt;/b&gt;"

/* Of what `write` wrote; free() it. */
#define WRITTEN(text, write) do { \
        size_t len_; \
        FILE *out = open_memstream(&(text), &len_); \
        write; \
        fclose(out); \
    } while (0)

static void words_stay_words_and_numbers_can_be_read(void **state)
{
    static const struct { const char *in, *out; } words[] = {
        { "", "" }, { "s1", "s1" }, { HOSTILE, HARMLESS }, { "\xc3\xa4\n\t", "\xc3\xa4\n\t" },
        { "\x7f\x1b[1m", "&#65533;&#65533;[1m" }, { "</script>", "&lt;/script&gt;" },
    };
    static const struct { int64_t n; const char *count, *bytes, *time; } numbers[] = {
        { 0, "0", "0&nbsp;B", "0&nbsp;µs" },
        { 999, "999", "999&nbsp;B", "1&nbsp;µs" },
        { 184302, "184&#8239;302", "180&nbsp;KiB", "184&nbsp;µs" },
        { 5000000, "5&#8239;000&#8239;000", "4.8&nbsp;MiB", "5.0&nbsp;ms" },
        { INT64_MAX, "9&#8239;223&#8239;372&#8239;036&#8239;854&#8239;775&#8239;807",
          "8388608&nbsp;TiB", "9223372036.9&nbsp;s" },
    };
    char *text;

    (void)state;
    for (size_t i = 0; i < N_OF(words); i++) {
        WRITTEN(text, html_text(out, words[i].in));
        assert_string_equal(text, words[i].out);
        free(text);
    }
    for (size_t i = 0; i < N_OF(numbers); i++) {
        WRITTEN(text, html_count(out, numbers[i].n));
        assert_string_equal(text, numbers[i].count);
        free(text);
        WRITTEN(text, html_bytes(out, numbers[i].n));
        assert_string_equal(text, numbers[i].bytes);
        free(text);
        WRITTEN(text, html_time(out, numbers[i].n));
        assert_string_equal(text, numbers[i].time);
        free(text);
    }
}

static void keys_can_be_read(void **state)
{
    static const struct { const char *in, *out; } keys[] = {
        { "user%3A42", "user:42" }, { "a%20%C3%A4%7f%7F", "a%20%C3%A4%7f%7F" }, { "50%25", "50%25" },
        { "%3Cb%3E%26", "&lt;b&gt;&amp;" }, { "%", "%" }, { "%3", "%3" }, { "%3Z", "%3Z" }, { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(keys); i++) {
        char *text;

        WRITTEN(text, html_key(out, keys[i].in));
        assert_string_equal(text, keys[i].out);
        free(text);
    }
}

/* Whatever byte it is, no tag, value or entity begins or ends with it. */
static void no_byte_leaves_its_text(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        const char in[] = { (char)c, '\0' };
        char *text;

        WRITTEN(text, html_text(out, in));
        assert_null(strpbrk(text, "<>\"'"));
        if (text[0] == '&')
            assert_int_equal(text[strlen(text) - 1], ';');
        else
            assert_string_equal(text, in);
        free(text);
    }
}

static void bars_stay_in_their_place(void **state)
{
    static const struct { double share; const char *width; } bars[] = {
        { -1, "\"0.0\"" }, { 0.248, "\"24.8\"" }, { 7, "\"100.0\"" },
    };
    char *text;

    (void)state;
    for (size_t i = 0; i < N_OF(bars); i++) {
        WRITTEN(text, html_bar(out, bars[i].share));
        assert_non_null(strstr(text, bars[i].width));
        free(text);
    }
}

/* ---- pages ---------------------------------------------------------------- */

static json_t *cluster_json(const char *verdict, const char *leader, json_int_t replicas)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s?, s:b, s:I, s:I}", "name", "demo",
                     "verdict", verdict, "words", "words", "epoch", (json_int_t)7,
                     "phase", "stable", "leader", leader, "leads", 1, "replicas", replicas,
                     "shards", (json_int_t)3);
}

static json_t *node_json(const char *name, const char *state, bool answers, bool filling)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:I}", "name", name, "state", state,
                     "address", "10.0.0.1:1", "answers", (int)answers, "filling", (int)filling,
                     "weight", (json_int_t)1);
}

/* Takes all of them over. */
static char *make_hot(json_t *cluster, json_t *nodes, json_t *jobs, json_t *recent, json_t *hot)
{
    const struct page p = { .cluster = cluster, .nodes = nodes, .jobs = jobs, .recent = recent,
                            .hot = hot, .nonce = "0123" };
    size_t len;
    char *text = page_make(&p, &len);

    assert_non_null(text);
    assert_int_equal(strlen(text), len);
    assert_null(strstr(text, "{{"));
    json_decref(cluster);
    json_decref(nodes);
    json_decref(jobs);
    json_decref(recent);
    json_decref(hot);
    return text;
}

static char *make(json_t *cluster, json_t *nodes, json_t *jobs, json_t *recent)
{
    return make_hot(cluster, nodes, jobs, recent, NULL);
}

/* Everything that anybody can name is hostile. */
static void whatever_members_say_is_text(void **state)
{
    json_t *cluster, *node, *job, *recent, *hot;
    size_t n = 0;
    char *text;

    (void)state;
    cluster = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "name", "<i>", "verdict", "<i>",
                        "words", "<i>", "leader", "<i>", "phase", "<i>", "replicas",
                        (json_int_t)2);
    node = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "name", "<i>", "state", "<i>",
                     "address", "<i>", "zone", "<i>", "reason", "<i>", "weight", (json_int_t)1);
    job = json_pack("{s:s, s:s, s:s, s:s}", "kind", "<i>", "status", "<i>", "node", "<i>",
                    "words", "<i>");
    recent = json_pack("{s:[{s:s, s:I}]}", "commands", "command", "<i>", "n", (json_int_t)5);
    hot = json_pack("{s:[{s:s, s:s, s:f}]}", "keys", "key", "<i>", "owner", "<i>", "share", 0.5);
    text = make_hot(cluster, json_pack("[o]", node), json_pack("[o]", job), recent, hot);
    assert_null(strstr(text, "<i>"));
    for (const char *at = text; (at = strstr(at, "&lt;i&gt;")) != NULL; at++)
        n++;
    assert_true(n >= 17);
    free(text);
}

static void what_to_do_next_is_said_where_something_is_wrong(void **state)
{
    static const struct {
        const char *state; bool answers, filling; const char *leader, *said;
    } cases[] = {
        { "up", true, false, "f1", NULL },
        { "ejected", false, false, "f1", "chcachectl nodes remove s1 --force" },
        { "suspended", false, false, "f1", "does not answer the coordinator" },
        { "up", false, false, "f1", "look at the network between here and <code>10.0.0.1:1" },
        { "up", false, false, NULL, "Start it again at <code>10.0.0.1:1" },
        { "up", true, true, "f1", "is being filled by the others" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        json_t *node = node_json("s1", cases[i].state, cases[i].answers, cases[i].filling);
        char *text = make(cluster_json("ok", cases[i].leader, 2), json_pack("[o]", node), NULL,
                          NULL);

        assert_int_equal(strstr(text, "What to do") != NULL, cases[i].said != NULL);
        if (cases[i].said != NULL)
            assert_non_null(strstr(text, cases[i].said));
        free(text);
    }
}

static void a_drained_shard_is_nothing_to_act_on(void **state)
{
    json_t *node = node_json("s1", "ejected", false, false);
    char *text;

    (void)state;
    (void)json_object_set_new(node, "weight", json_integer(0));
    text = make(cluster_json("ok", "f1", 2), json_pack("[o]", node), NULL, NULL);
    assert_null(strstr(text, "What to do"));
    free(text);
}

static void fewer_shards_than_copies_want_one_more(void **state)
{
    char *text = make(cluster_json("ok", "f1", 5), json_array(), NULL, NULL);

    (void)state;
    assert_non_null(strstr(text, "5 copies of each key are wanted, and there are 3 shards"));
    assert_non_null(strstr(text, "chcachectl nodes add NAME=ADDRESS:PORT"));
    free(text);
}

static void without_a_map_it_says_who_is_waited_for(void **state)
{
    char *text = make(json_pack("{s:s, s:s}", "verdict", "down", "words", "no map yet"),
                      json_array(), NULL, NULL);

    (void)state;
    assert_non_null(strstr(text, "waits for the coordinator"));
    free(text);
}

/* A shard is slow only beside others, and only where enough was asked. */
static void a_slow_shard_is_named(void **state)
{
    static const struct { json_int_t n, p99_ms, other_ms; bool slow; } cases[] = {
        { 1000, 50, 2, true }, { 1000, 50, 20, false }, { 99, 50, 2, false },
        { 1000, 9, 1, false }, { 1000, 50, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        json_t *nodes = json_pack("[o, o]", node_json("s1", "up", true, false),
                                  node_json("s2", "up", true, false));
        json_t *recent = json_pack("{s:{s:{s:I, s:I}, s:{s:I, s:I}}}", "shards",
                                   "s1", "n", (json_int_t)1000,
                                   "p99_ns", cases[i].other_ms * 1000000,
                                   "s2", "n", cases[i].n, "p99_ns", cases[i].p99_ms * 1000000);
        char *text = make(cluster_json("ok", "f1", 2), nodes, NULL, recent);

        assert_int_equal(strstr(text, "<b>s2</b> is slow") != NULL, cases[i].slow);
        assert_null(strstr(text, "<b>s1</b> is slow"));
        free(text);
    }
}

static void keys_are_shown_from_a_thousandth_on(void **state)
{
    json_t *hot = json_pack("{s:[{s:s, s:f}, {s:s, s:f}, {s:s, s:f}]}", "keys",
                            "key", "hot-1", "share", 0.4, "key", "hot-2", "share", 0.001,
                            "key", "cold-3", "share", 0.0009);
    char *text = make_hot(cluster_json("ok", "f1", 2), json_array(), NULL, NULL, hot);

    (void)state;
    assert_non_null(strstr(text, ">hot-1<"));
    assert_non_null(strstr(text, ">hot-2<"));
    assert_null(strstr(text, "cold-3"));
    free(text);
}

static void jobs_that_run_stay_in_sight(void **state)
{
    json_t *jobs = json_array();
    char *text;

    (void)state;
    for (json_int_t id = 1; id <= 40; id++)     /* the first one runs, 2 to 20 wait */
        (void)json_array_append_new(jobs, json_pack(
            "{s:I, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "id", id, "kind", "drain",
            "node", "s1", "status", id == 1 ? "running" : id <= 20 ? "queued" : "done",
            "began_ms", (json_int_t)(id == 1), "ended_ms", (json_int_t)(id > 20),
            "items_done", (json_int_t)63, "items_left", (json_int_t)37,
            "eta_ms", (json_int_t)10500));
    text = make(cluster_json("ok", "f1", 2), json_array(), jobs, NULL);
    assert_non_null(strstr(text, ">1: drain s1<"));
    assert_non_null(strstr(text, "63 of 100 items, 11&nbsp;s left"));
    assert_non_null(strstr(text, ">40: drain s1<"));
    assert_non_null(strstr(text, ">33: drain s1<"));
    assert_null(strstr(text, ">32: drain s1<"));
    free(text);
}

static void another_admin_address_stands_in_commands(void **state)
{
    json_t *cluster = cluster_json("ok", "f1", 5), *nodes = json_array();
    const struct page p = { .cluster = cluster, .nodes = nodes, .nonce = "0",
                            .admin = "127.0.0.1:8080" };
    size_t len;
    char *text = page_make(&p, &len);

    (void)state;
    assert_non_null(strstr(text, "chcachectl --admin 127.0.0.1:8080 status"));
    assert_non_null(strstr(text, "chcachectl --admin 127.0.0.1:8080 nodes add"));
    free(text);

    /* what only the leader takes is asked where that is */
    (void)json_object_set_new(cluster, "leads", json_false());
    text = page_make(&p, &len);
    assert_non_null(strstr(text, "chcachectl --admin 127.0.0.1:8080 status"));
    assert_non_null(strstr(text, "on the host of f1, which makes the maps):<pre><code>"
                           "chcachectl nodes add"));
    free(text);
    json_decref(nodes);
    json_decref(cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_stay_words_and_numbers_can_be_read),
        cmocka_unit_test(no_byte_leaves_its_text),
        cmocka_unit_test(keys_can_be_read),
        cmocka_unit_test(bars_stay_in_their_place),
        cmocka_unit_test(whatever_members_say_is_text),
        cmocka_unit_test(what_to_do_next_is_said_where_something_is_wrong),
        cmocka_unit_test(a_drained_shard_is_nothing_to_act_on),
        cmocka_unit_test(fewer_shards_than_copies_want_one_more),
        cmocka_unit_test(without_a_map_it_says_who_is_waited_for),
        cmocka_unit_test(a_slow_shard_is_named),
        cmocka_unit_test(keys_are_shown_from_a_thousandth_on),
        cmocka_unit_test(jobs_that_run_stay_in_sight),
        cmocka_unit_test(another_admin_address_stands_in_commands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

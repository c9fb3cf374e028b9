#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"

#define N_OF(table) (sizeof(table) / sizeof((table)[0]))

#define X10 "xxxxxxxxxx"
#define X50 X10 X10 X10 X10 X10
#define X190 X50 X50 X50 X10 X10 X10 X10

/* What was read, as "LINE:[word name] LINE:name=value LINE!why ...". */
struct notes {
    char text[8192];
    size_t len;
    unsigned n;
    const char *stop_at;        /* a name that ends the reading with 7; or NULL */
};

static void note(struct notes *n, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(struct notes *n, const char *format, ...)
{
    va_list args;
    const size_t room = sizeof(n->text) - n->len;

    n->n++;
    va_start(args, format);
    if (room > 300)
        n->len += (size_t)vsnprintf(n->text + n->len, room, format, args);
    va_end(args);
}

static int on_section(void *arg, unsigned line, const char *word, const char *name)
{
    note(arg, "%u:[%s%s%s] ", line, word, name != NULL ? " " : "", name != NULL ? name : "");
    return 0;
}

static int on_setting(void *arg, unsigned line, const char *name, const char *value)
{
    struct notes *n = arg;

    note(n, "%u:%s=%s ", line, name, value);
    return n->stop_at != NULL && strcmp(name, n->stop_at) == 0 ? 7 : 0;
}

static int on_bad(void *arg, unsigned line, const char *why)
{
    note(arg, "%u!%s ", line, why);
    return 9;
}

static int read_bytes(struct notes *n, const char *bytes, size_t len)
{
    const struct config_handler handler = { on_section, on_setting, on_bad, n };
    FILE *in = tmpfile();
    int rc;

    assert_non_null(in);
    assert_int_equal(fwrite(bytes, 1, len, in), len);
    rewind(in);
    rc = config_file_read(in, &handler);
    fclose(in);
    return rc;
}

struct reading {
    const char *file, *read;
};

static void check(const struct reading *table, size_t n_rows, int rc)
{
    for (size_t i = 0; i < n_rows; i++) {
        struct notes n = { .len = 0 };

        assert_int_equal(read_bytes(&n, table[i].file, strlen(table[i].file)), rc);
        assert_string_equal(n.text, table[i].read);
    }
}

static void lines_are_sections_and_settings(void **state)
{
    static const struct reading table[] = {
        { "", "" },
        { "\n\n \n\t\n", "" },
        { "[a]\nb = c\n", "1:[a] 2:b=c " },
        { "[a]\nb = c", "1:[a] 2:b=c " },               /* no end of the last line */
        { "[a]\r\nb = c\r\n\r\nd=e\r\n", "1:[a] 2:b=c 4:d=e " },
        { "[a]\r\nb = c\r", "1:[a] 2:b=c " },
        { "\xef\xbb\xbf[a]\nb=c\n", "1:[a] 2:b=c " },
        { "\xef\xbb\xbf" "b=c\n", "1:b=c " },
        { "b=c\n", "1:b=c " },
        { "[ a ]\n\tb\t=\tc\t\n", "1:[a] 2:b=c " },
        { "[a]\nb : c\n", "1:[a] 2:b=c " },
        { "b = c = d\n", "1:b=c = d " },
        { "b =\n", "1:b= " },
        { "= c\n", "1:=c " },
        { "b = \xc3\xa9\xff\n", "1:b=\xc3\xa9\xff " },
    };

    (void)state;
    check(table, N_OF(table), 0);
}

static void sections_may_have_a_name(void **state)
{
    static const struct reading table[] = {
        { "[a \"b\"]\n", "1:[a b] " },
        { "[a\"b\"]\n", "1:[a b] " },
        { "[ a  \"b c\" ] ; of it\n", "1:[a b c] " },
        { "[a \"\"]\n", "1:[a ] " },
        { "[a \"]\"]# more\n", "1:[a ]] " },
        /* inih keeps 49 bytes of a heading */
        { "[shard \"" X50 X10 "\"]\nb=c\n", "1:[shard " X50 X10 "] 2:b=c " },
    };

    (void)state;
    check(table, N_OF(table), 0);
}

static void comments_are_passed_over(void **state)
{
    static const struct reading table[] = {
        { "# a = b\n; a = b\n  # a = b\n\t; [a]\n", "" },
        { "[a] ; why\nb = c ; why\n", "1:[a] 2:b=c " },
        { "[a]# why\nb = c\t; why\n", "1:[a] 2:b=c " },
        { "b = c;d\n", "1:b=c;d " },                    /* no blank before it */
        { "b =;\n", "1:b=; " },
        { "b = ;\n", "1:b= " },
        { "b = c # d\n", "1:b=c " },
        { "b = c#d\n", "1:b=c#d " },
        { "; " X190 X190 X190 "\nb=c\n", "2:b=c " },    /* of any length */
        { "# " X190 X190, "" },
    };

    (void)state;
    check(table, N_OF(table), 0);
}

static void an_indented_line_is_one_more_value(void **state)
{
    static const struct reading table[] = {
        { "[a]\nb = c\n  d\n  e = f ; g\n", "1:[a] 2:b=c 3:b=d 4:b=e = f " },
        { "[a]\nb = c\n  [::1]:5\n", "1:[a] 2:b=c 3:b=[::1]:5 " },
        { "[a]\nb = c\n\n  # why\n  d\n", "1:[a] 2:b=c 5:b=d " },
        { "[a]\nb = c\n[d]\n  e = f\n", "1:[a] 2:b=c 3:[d] 4:e=f " },
        { "  [a]\n  b = c\n", "1:[a] 2:b=c " },
    };

    (void)state;
    check(table, N_OF(table), 0);
}

static void the_first_bad_line_is_named_and_ends_it(void **state)
{
    static const char expected[] = "expected name = value, or a [section] ";
    static const char heading[] = "expected [section] or [section \"name\"] ";
    static const char control[] = "read a control character, expected text ";
    static const struct {
        const char *file, *read, *why;
    } table[] = {
        { "a=b\nword\nc=d\n", "1:a=b 2!", expected },
        { "a=b\nword", "1:a=b 2!", expected },
        { "word ; = c\n[a]\n", "1!", expected },
        { "[a\nb=c\n", "1!", heading },
        { "[]\n", "1!", heading },
        { "[\"b\"]\n", "1!", heading },
        { "[a] b\n", "1!", heading },
        { "[a b]\n", "1!", heading },
        { "[a \"b\" c]\n", "1!", heading },
        { "[a \"b]\n", "1!", "a name has no quote behind it, expected [section \"name\"] " },
        { "a=b\nc=\x01\n", "1:a=b 2!", control },
        { "a=b\rc=d\n", "1!", control },
        { "a=b\n# \x7f\n", "1:a=b 2!", control },
        { "a=b\nc=" X190 X10 "\nd=e\n", "1:a=b 2!",
          "read a line of 202 characters, expected 199 at most, or a value in quotes " },
        { "[a \"" X190 X10 "\"]\n", "1!",
          "read a line of 206 characters, expected 199 at most, or a value in quotes " },
        { "a=b\n  " X190 X190, "1:a=b 2!",
          "read a line of 382 characters, expected 199 at most, or a value in quotes " },
        { "a = \"b\n", "1!", "a value has no quote behind it, expected name = \"value\" " },
        { "a = \"b\\\"\n", "1!", "a value has no quote behind it, expected name = \"value\" " },
        { "a = \"b\" c\n", "1!", "expected nothing but a comment behind a value in quotes " },
        { "a = \"\\n\"\n", "1!", "a \\ in quotes stands before \" or \\ only " },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(table); i++) {
        struct notes n = { .len = 0 };
        char whole[512];

        snprintf(whole, sizeof(whole), "%s%s", table[i].read, table[i].why);
        assert_int_equal(read_bytes(&n, table[i].file, strlen(table[i].file)), 9);
        assert_string_equal(n.text, whole);
    }
}

static void a_zero_byte_is_no_text(void **state)
{
    struct notes n = { .len = 0 };

    (void)state;
    assert_int_equal(read_bytes(&n, "a=b\nc=d\0e\n", 10), 9);
    assert_string_equal(n.text, "1:a=b 2!read a control character, expected text ");
}

static void a_line_may_have_just_so_many_bytes(void **state)
{
    char file[CONFIG_LINE_MAX + 3], wanted[CONFIG_LINE_MAX + 8];

    (void)state;
    for (int more = 0; more <= 1; more++) {
        struct notes n = { .len = 0 };

        memset(file, 'x', sizeof(file));
        file[1] = '=';
        file[CONFIG_LINE_MAX + more] = '\n';
        snprintf(wanted, sizeof(wanted), "1:x=%.*s ", CONFIG_LINE_MAX - 2, file + 2);
        assert_int_equal(read_bytes(&n, file, (size_t)(CONFIG_LINE_MAX + more + 1)),
                         more ? 9 : 0);
        if (!more)
            assert_string_equal(n.text, wanted);
    }
}

static void who_reads_may_end_it(void **state)
{
    struct notes n = { .stop_at = "b" };

    (void)state;
    assert_int_equal(read_bytes(&n, "a=1\nb=2\nc=3\nword\n", 17), 7);
    assert_string_equal(n.text, "1:a=1 2:b=2 ");
}

static void ten_thousand_lines_are_read(void **state)
{
    struct notes n = { .len = 0 };
    char *file = malloc(10000 * 20);
    size_t len = 0;

    (void)state;
    assert_non_null(file);
    for (unsigned i = 1; i <= 10000; i++)
        len += (size_t)sprintf(file + len, i == 10000 ? "word" : "key%u = %u\n", i, i);
    assert_int_equal(read_bytes(&n, file, len), 9);
    assert_int_equal(n.n, 10000);
    free(file);
}

static void a_folder_is_no_file(void **state)
{
    struct notes n = { .len = 0 };
    const struct config_handler handler = { on_section, on_setting, on_bad, &n };
    FILE *in = fopen("/", "r");

    (void)state;
    assert_non_null(in);
    assert_int_equal(config_file_read(in, &handler), 9);
    assert_string_equal(n.text, "1!Is a directory ");
    fclose(in);
}

static void a_value_may_stand_in_quotes(void **state)
{
    static const struct reading table[] = {
        { "b = \"c\"\n", "1:b=c " },
        { "b=\"\"\n", "1:b= " },
        { "b : \" c ; d # e \" ; why\n", "1:b= c ; d # e  " },
        { "b = \"\\\"\\\\\"# why\n", "1:b=\"\\ " },
        { "b = c\"d\"\n", "1:b=c\"d\" " },             /* only at its start */
        { "b = c\n  \"d = e\"\n  f\n", "1:b=c 2:b=d = e 3:b=f " },
        { "b = \"c\"\r\n", "1:b=c " },
        { "b = \"" X190 X190 "\"\n", "1:b=" X190 X190 " " },
    };

    (void)state;
    check(table, N_OF(table), 0);
}

static void any_text_comes_back(void **state)
{
    static const struct {
        const char *value;
        bool in_quotes;
    } table[] = {
        { "a", false }, { "=", false }, { "[a]", false }, { "\xc3\xa9", false }, { "\\", false },
        { "a:b", false }, { ";", true }, { "#", true }, { "\"", true }, { "a b", true },
        { "a;b", true }, { "", true }, { " ", true }, { " a", true }, { "a ", true },
        { "a ;b", true }, { "a\t#", true }, { "\\\"", true }, { " \\", true },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(table); i++) {
        struct notes n = { .len = 0 };
        char file[64], wanted[64];
        char *quoted = config_file_quote(table[i].value);

        snprintf(file, sizeof(file), "k = %s ; why\n", quoted);
        snprintf(wanted, sizeof(wanted), "1:k=%s ", table[i].value);
        assert_int_equal(read_bytes(&n, file, strlen(file)), 0);
        assert_string_equal(n.text, wanted);
        assert_int_equal(quoted[0] == '"', table[i].in_quotes);
        free(quoted);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_sections_and_settings),
        cmocka_unit_test(sections_may_have_a_name),
        cmocka_unit_test(comments_are_passed_over),
        cmocka_unit_test(an_indented_line_is_one_more_value),
        cmocka_unit_test(the_first_bad_line_is_named_and_ends_it),
        cmocka_unit_test(a_zero_byte_is_no_text),
        cmocka_unit_test(a_line_may_have_just_so_many_bytes),
        cmocka_unit_test(who_reads_may_end_it),
        cmocka_unit_test(ten_thousand_lines_are_read),
        cmocka_unit_test(a_folder_is_no_file),
        cmocka_unit_test(a_value_may_stand_in_quotes),
        cmocka_unit_test(any_text_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

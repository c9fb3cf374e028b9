#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"

#define WORD "0123456789abcdef"

static void one_line_is_taken(void **state)
{
    static const struct { const char *text, *said; } cases[] = {
        { WORD, NULL }, { WORD "\n", NULL }, { WORD "\r\n", NULL },
        { "", "too short" }, { "\n", "too short" }, { "\r\n", "too short" },
        { "0123456789abcde\n", "too short" }, { WORD "\n\n", "not one word" },
        { WORD "\nmore", "not one word" }, { WORD " " WORD, "not one word" },
        { "\xff" WORD, "not one word" }, { WORD "\x7f", "not one word" },
    };
    char out[SECRET_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why = secret_parse(cases[i].text, strlen(cases[i].text), out);

        if (cases[i].said == NULL) {
            assert_null(why);
            assert_string_equal(out, WORD);
        } else {
            assert_non_null(why);
            assert_non_null(strstr(why, cases[i].said));
        }
    }
}

static void there_is_a_longest(void **state)
{
    char text[SECRET_MAX + 1], out[SECRET_MAX + 1];

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_null(secret_parse(text, SECRET_MAX, out));
    assert_int_equal(strlen(out), SECRET_MAX);
    assert_non_null(strstr(secret_parse(text, SECRET_MAX + 1, out), "too long"));
}

static void a_file_that_others_read_is_not_taken(void **state)
{
    char path[] = "/tmp/chcached-secret-XXXXXX", out[SECRET_MAX + 1];
    static const struct { mode_t mode; bool fine; } cases[] = {
        { 0600, true }, { 0400, true }, { 0640, true }, { 0440, true },
        { 0644, false }, { 0660, false }, { 0602, false }, { 0604, false },
    };
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, WORD "\n", 17), 17);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(fchmod(fd, cases[i].mode), 0);
        assert_int_equal(secret_read(path, out) == NULL, cases[i].fine);
    }
    close(fd);
    assert_int_equal(unlink(path), 0);
    assert_string_equal(secret_read(path, out), "No such file or directory");
    assert_string_equal(secret_read("/tmp", out), "it is no file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_line_is_taken),
        cmocka_unit_test(there_is_a_longest),
        cmocka_unit_test(a_file_that_others_read_is_not_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

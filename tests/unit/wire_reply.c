#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "wire/reply.h"

#define K50 "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
#define K250 K50 K50 K50 K50 K50

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static void a_hit_begins_with_its_value_line(void **state)
{
    static const struct {
        const char *key;
        struct answer answer;
        bool with_cas;
        const char *line;
    } cases[] = {
        { "a", { .value_len = 1 }, false, "VALUE a 0 1\r\n" },
        { "a", { .value_len = 0, .version = 7 }, false, "VALUE a 0 0\r\n" },
        { "a", { .value_len = 0, .version = 7 }, true, "VALUE a 0 0 7\r\n" },
        { "a", { .version = 7, .marks = MARK_TOKEN, .token = 9 }, true, "VALUE a 0 0 9\r\n" },
        { "a", { .client_flags = 32 }, true, "VALUE a 32 0 0\r\n" },
        { "key", { .client_flags = UINT32_MAX, .value_len = 1048576,
                   .version = UINT64_MAX },
          true, "VALUE key 4294967295 1048576 18446744073709551615\r\n" },
        { K250, { .client_flags = UINT32_MAX, .value_len = SIZE_MAX,
                  .version = UINT64_MAX },
          true, "VALUE " K250 " 4294967295 18446744073709551615"
                " 18446744073709551615\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        char *out = malloc(REPLY_HEAD_MAX);
        char *end;

        assert_non_null(out);
        end = reply_put_value_head(out, cases[i].key, strlen(cases[i].key),
                                   &cases[i].answer, cases[i].with_cas);
        assert_int_equal(end - out, strlen(cases[i].line));
        assert_memory_equal(out, cases[i].line, strlen(cases[i].line));
        free(out);
    }
}

static void every_status_has_its_line(void **state)
{
    static const struct {
        enum verb verb;
        struct answer answer;
        const char *line;
    } cases[] = {
        { VERB_GET, { .status = STATUS_NOT_FOUND }, "" },
        { VERB_GATS, { .status = STATUS_NOT_FOUND }, "" },
        { VERB_DELETE, { .status = STATUS_NOT_FOUND }, "NOT_FOUND\r\n" },
        { VERB_CAS, { .status = STATUS_NOT_FOUND }, "NOT_FOUND\r\n" },
        { VERB_SET, { .status = STATUS_STORED }, "STORED\r\n" },
        { VERB_ADD, { .status = STATUS_NOT_STORED }, "NOT_STORED\r\n" },
        { VERB_CAS, { .status = STATUS_EXISTS }, "EXISTS\r\n" },
        { VERB_DELETE, { .status = STATUS_DELETED }, "DELETED\r\n" },
        { VERB_TOUCH, { .status = STATUS_TOUCHED }, "TOUCHED\r\n" },
        { VERB_INCR, { .status = STATUS_NUMBER, .number = 0 }, "0\r\n" },
        { VERB_DECR, { .status = STATUS_NUMBER, .number = UINT64_MAX },
          "18446744073709551615\r\n" },
        { VERB_INCR, { .status = STATUS_NON_NUMERIC },
          "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n" },
        { VERB_SET, { .status = STATUS_TOO_LARGE },
          "SERVER_ERROR object too large for cache\r\n" },
        { VERB_SET, { .status = STATUS_NO_MEMORY },
          "SERVER_ERROR out of memory storing object\r\n" },
        { VERB_INCR, { .status = STATUS_NO_MEMORY }, "SERVER_ERROR out of memory\r\n" },
        { VERB_DECR, { .status = STATUS_NO_MEMORY }, "SERVER_ERROR out of memory\r\n" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        char *out = malloc(REPLY_LINE_MAX);
        size_t len;

        assert_non_null(out);
        len = reply_put_line(out, cases[i].verb, &cases[i].answer);
        assert_int_equal(len, strlen(cases[i].line));
        assert_memory_equal(out, cases[i].line, len);
        free(out);
    }
}

static void every_error_has_its_line(void **state)
{
    static const struct {
        enum cmd_error error;
        const char *line;
    } cases[] = {
        { CMD_OK, "" },
        { CMD_ERROR, "ERROR\r\n" },
        { CMD_BAD_FORMAT, "CLIENT_ERROR bad command line format\r\n" },
        { CMD_BAD_EXPTIME, "CLIENT_ERROR invalid exptime argument\r\n" },
        { CMD_BAD_DELTA, "CLIENT_ERROR invalid numeric delta argument\r\n" },
        { CMD_BAD_DELETE, "CLIENT_ERROR bad command line format.  "
                          "Usage: delete <key> [noreply]\r\n" },
        { CMD_BAD_CHUNK, "CLIENT_ERROR bad data chunk\r\n" },
        { CMD_TOO_LONG, "CLIENT_ERROR line too long\r\n" },
        { CMD_HANG_UP, "" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++)
        assert_string_equal(cmd_error_text(cases[i].error), cases[i].line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hit_begins_with_its_value_line),
        cmocka_unit_test(every_status_has_its_line),
        cmocka_unit_test(every_error_has_its_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

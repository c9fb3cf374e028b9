#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "wire/packet.h"

#define K50 "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
#define K250 K50 K50 K50 K50 K50

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define BYTES(text) text, sizeof(text) - 1

/* A head, of numbers that are written as they travel. */
#define HEAD(opcode, key_len, extras_len, status, body_len, cas) \
    "\x81" opcode "\0" key_len extras_len "\0" "\0" status "\0\0\0" body_len "opaq" cas
#define NO_CAS "\0\0\0\0\0\0\0\0"
#define CAS_9 "\0\0\0\0\0\0\0\x09"

static struct form form_of(uint8_t opcode, bool quiet, bool with_key)
{
    struct form form = {
        .protocol = PROTOCOL_BINARY, .opcode = opcode, .quiet = quiet, .with_key = with_key,
    };

    memcpy(form.opaque, "opaq", PACKET_OPAQUE);
    return form;
}

static void each_answer_has_its_bytes(void **state)
{
    static const struct {
        uint8_t opcode;
        bool quiet, with_key;
        enum verb verb;
        struct answer answer;
        const char *bytes;
        size_t len;
    } cases[] = {
        /* a hit ends before its value */
        { 0x00, false, false, VERB_GET,
          { .status = STATUS_HIT, .version = 9, .client_flags = 5, .value_len = 3 },
          BYTES(HEAD("\0", "\0", "\4", "\0", "\7", CAS_9) "\0\0\0\5") },
        { 0x09, true, false, VERB_GET,
          { .status = STATUS_HIT, .version = 9, .client_flags = UINT32_MAX },
          BYTES(HEAD("\x09", "\0", "\4", "\0", "\4", CAS_9) "\xff\xff\xff\xff") },
        { 0x0d, true, true, VERB_GET,
          { .status = STATUS_HIT, .version = 9, .value_len = 3 },
          BYTES(HEAD("\x0d", "\3", "\4", "\0", "\x0a", CAS_9) "\0\0\0\0key") },
        { 0x23, false, true, VERB_GAT,
          { .status = STATUS_HIT, .version = 9, .marks = MARK_TOKEN, .token = UINT64_MAX },
          BYTES(HEAD("\x23", "\3", "\4", "\0", "\7", "\xff\xff\xff\xff\xff\xff\xff\xff")
                "\0\0\0\0key") },
        { 0x1c, false, false, VERB_GAT,
          { .status = STATUS_HEAD, .version = 9, .client_flags = 5, .number = 100 },
          BYTES(HEAD("\x1c", "\0", "\4", "\0", "\4", CAS_9) "\0\0\0\5") },

        /* a miss */
        { 0x00, false, false, VERB_GET, { .status = STATUS_NOT_FOUND },
          BYTES(HEAD("\0", "\0", "\0", "\1", "\x09", NO_CAS) "Not found") },
        { 0x0c, false, true, VERB_GET, { .status = STATUS_NOT_FOUND },
          BYTES(HEAD("\x0c", "\3", "\0", "\1", "\3", NO_CAS) "key") },
        { 0x09, true, false, VERB_GET, { .status = STATUS_NOT_FOUND }, BYTES("") },
        { 0x24, true, true, VERB_GAT, { .status = STATUS_NOT_FOUND }, BYTES("") },
        { 0x1c, false, false, VERB_GAT, { .status = STATUS_NOT_FOUND },
          BYTES(HEAD("\x1c", "\0", "\0", "\1", "\x09", NO_CAS) "Not found") },
        { 0x04, false, false, VERB_DELETE, { .status = STATUS_NOT_FOUND },
          BYTES(HEAD("\4", "\0", "\0", "\1", "\x09", NO_CAS) "Not found") },
        { 0x14, true, false, VERB_DELETE, { .status = STATUS_NOT_FOUND },
          BYTES(HEAD("\x14", "\0", "\0", "\1", "\x09", NO_CAS) "Not found") },
        { 0x15, true, false, VERB_INCR, { .status = STATUS_NOT_FOUND },
          BYTES(HEAD("\x15", "\0", "\0", "\1", "\x09", NO_CAS) "Not found") },
        { 0x01, false, false, VERB_CAS, { .status = STATUS_NOT_FOUND },
          BYTES(HEAD("\1", "\0", "\0", "\1", "\x09", NO_CAS) "Not found") },

        /* what was done: quiet ones say nothing of it */
        { 0x01, false, false, VERB_SET, { .status = STATUS_STORED, .version = 9 },
          BYTES(HEAD("\1", "\0", "\0", "\0", "\0", CAS_9)) },
        { 0x11, true, false, VERB_SET, { .status = STATUS_STORED, .version = 9 }, BYTES("") },
        { 0x04, false, false, VERB_DELETE, { .status = STATUS_DELETED, .version = 9 },
          BYTES(HEAD("\4", "\0", "\0", "\0", "\0", NO_CAS)) },
        { 0x14, true, false, VERB_DELETE, { .status = STATUS_DELETED }, BYTES("") },
        { 0x05, false, false, VERB_INCR, { .status = STATUS_NUMBER, .version = 9, .number = 258 },
          BYTES(HEAD("\5", "\0", "\0", "\0", "\x08", CAS_9) "\0\0\0\0\0\0\1\2") },
        { 0x16, true, false, VERB_DECR, { .status = STATUS_NUMBER, .number = 1 }, BYTES("") },

        /* what was not done: they all say it */
        { 0x02, false, false, VERB_ADD, { .status = STATUS_NOT_STORED },
          BYTES(HEAD("\2", "\0", "\0", "\2", "\x14", NO_CAS) "Data exists for key.") },
        { 0x12, true, false, VERB_ADD, { .status = STATUS_NOT_STORED },
          BYTES(HEAD("\x12", "\0", "\0", "\2", "\x14", NO_CAS) "Data exists for key.") },
        { 0x03, false, false, VERB_REPLACE, { .status = STATUS_NOT_STORED },
          BYTES(HEAD("\3", "\0", "\0", "\1", "\x09", NO_CAS) "Not found") },
        { 0x0e, false, false, VERB_APPEND, { .status = STATUS_NOT_STORED },
          BYTES(HEAD("\x0e", "\0", "\0", "\5", "\x0b", NO_CAS) "Not stored.") },
        { 0x1a, true, false, VERB_PREPEND, { .status = STATUS_NOT_STORED },
          BYTES(HEAD("\x1a", "\0", "\0", "\5", "\x0b", NO_CAS) "Not stored.") },
        { 0x01, false, false, VERB_CAS, { .status = STATUS_EXISTS, .version = 9 },
          BYTES(HEAD("\1", "\0", "\0", "\2", "\x14", NO_CAS) "Data exists for key.") },
        { 0x14, true, false, VERB_DELETE, { .status = STATUS_EXISTS },
          BYTES(HEAD("\x14", "\0", "\0", "\2", "\x14", NO_CAS) "Data exists for key.") },
        { 0x15, true, false, VERB_INCR, { .status = STATUS_NON_NUMERIC },
          BYTES(HEAD("\x15", "\0", "\0", "\6", "\x2e", NO_CAS)
                "Non-numeric server-side value for incr or decr") },
        { 0x11, true, false, VERB_SET, { .status = STATUS_TOO_LARGE },
          BYTES(HEAD("\x11", "\0", "\0", "\3", "\x0a", NO_CAS) "Too large.") },
        { 0x01, false, false, VERB_SET, { .status = STATUS_NO_MEMORY },
          BYTES(HEAD("\1", "\0", "\0", "\x82", "\x0d", NO_CAS) "Out of memory") },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        const struct form form = form_of(cases[i].opcode, cases[i].quiet, cases[i].with_key);
        char *out = malloc(PACKET_ANSWER_MAX);
        char *end;

        assert_non_null(out);
        end = packet_put_answer(out, &form, cases[i].verb, "key", 3, &cases[i].answer);
        assert_int_equal(end - out, cases[i].len);
        assert_memory_equal(out, cases[i].bytes, cases[i].len);
        free(out);
    }
}

static void the_longest_answer_fits(void **state)
{
    const struct answer hit = { .status = STATUS_HIT, .value_len = 1 << 20 };
    const struct form form = form_of(0x0c, false, true);
    char *out = malloc(PACKET_ANSWER_MAX);
    char *end;

    (void)state;
    assert_non_null(out);
    end = packet_put_answer(out, &form, VERB_GET, K250, 250, &hit);
    assert_int_equal(end - out, PACKET_HEAD + 4 + 250);
    assert_memory_equal(out, "\x81\x0c\0\xfa\4\0\0\0\0\x10\0\xfe", 12);
    assert_memory_equal(end - 250, K250, 250);
    free(out);
}

static void a_packet_is_head_key_and_value(void **state)
{
    static const struct {
        enum packet_status status;
        const char *key, *value, *bytes;
        size_t len;
    } cases[] = {
        { PACKET_OK, "", "", BYTES(HEAD("\x10", "\0", "\0", "\0", "\0", NO_CAS)) },
        { PACKET_OK, "pid", "123",
          BYTES(HEAD("\x10", "\3", "\0", "\0", "\6", NO_CAS) "pid123") },
        { PACKET_TRY_AGAIN, "", "why",
          BYTES(HEAD("\x10", "\0", "\0", "\x86", "\3", NO_CAS) "why") },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        const struct form form = form_of(0x10, false, false);
        char *out = malloc(cases[i].len);
        char *end;

        assert_non_null(out);
        end = packet_put(out, &form, cases[i].status, cases[i].key, strlen(cases[i].key),
                         cases[i].value, strlen(cases[i].value));
        assert_int_equal(end - out, cases[i].len);
        assert_memory_equal(out, cases[i].bytes, cases[i].len);
        free(out);
    }
}

static void every_status_has_its_words(void **state)
{
    static const struct {
        enum packet_status status;
        const char *words;
    } cases[] = {
        { PACKET_OK, "" },
        { PACKET_NOT_FOUND, "Not found" },
        { PACKET_EXISTS, "Data exists for key." },
        { PACKET_TOO_LARGE, "Too large." },
        { PACKET_INVALID, "Invalid arguments" },
        { PACKET_NOT_STORED, "Not stored." },
        { PACKET_NON_NUMERIC, "Non-numeric server-side value for incr or decr" },
        { PACKET_FORBIDDEN, "Auth failure." },
        { PACKET_UNKNOWN_COMMAND, "Unknown command" },
        { PACKET_NO_MEMORY, "Out of memory" },
        { PACKET_TRY_AGAIN, "Temporary failure" },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++)
        assert_string_equal(packet_words(cases[i].status), cases[i].words);
    assert_int_equal(packet_status_of(CMD_ERROR), PACKET_UNKNOWN_COMMAND);
    assert_int_equal(packet_status_of(CMD_BAD_FORMAT), PACKET_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_has_its_bytes),
        cmocka_unit_test(the_longest_answer_fits),
        cmocka_unit_test(a_packet_is_head_key_and_value),
        cmocka_unit_test(every_status_has_its_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

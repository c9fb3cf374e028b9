#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "wire/base64.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define LONGEST 187             /* bytes whose base64 still is a key */

struct bytes { const char *at; size_t len; };
#define B(s) { s, sizeof(s) - 1 }

/* A block of just that size, so that a sanitizer sees who goes beyond it. */
static char *block(size_t size)
{
    char *p = malloc(size > 0 ? size : 1);

    assert_non_null(p);
    return p;
}

/* What base64_read() makes of a text: its length, the bytes in `out`. */
static size_t read_text(struct bytes text, char *out)
{
    char *in = block(text.len), *decoded = block(text.len / 4 * 3);
    size_t len;

    memcpy(in, text.at, text.len);
    len = base64_read(decoded, in, text.len);
    assert_true(len <= text.len / 4 * 3);
    memcpy(out, decoded, len);
    free(in);
    free(decoded);
    return len;
}

/* Section 10 of the RFC, and the ends of the alphabet. */
static void texts_are_those_of_rfc_4648(void **state)
{
    static const struct { struct bytes bytes, text; } cases[] = {
        { B("f"), B("Zg==") },
        { B("fo"), B("Zm8=") },
        { B("foo"), B("Zm9v") },
        { B("foob"), B("Zm9vYg==") },
        { B("fooba"), B("Zm9vYmE=") },
        { B("foobar"), B("Zm9vYmFy") },
        { B("\0"), B("AA==") },
        { B("\0\0"), B("AAA=") },
        { B("\0\0\0"), B("AAAA") },
        { B("\377"), B("/w==") },
        { B("\377\377"), B("//8=") },
        { B("\377\377\377"), B("////") },
        { B("\373\357\276"), B("++++") },
        { B("\0\020\203\020Q\207 \222\213"), B("ABCDEFGHIJKL") },
        { B("k\r\ney"), B("aw0KZXk=") },
    };

    (void)state;
    for (size_t i = 0; i < N_OF(cases); i++) {
        const struct bytes bytes = cases[i].bytes, text = cases[i].text;
        char *out = block(text.len), back[16];

        assert_int_equal(BASE64_LEN(bytes.len), text.len);
        assert_ptr_equal(base64_put(out, bytes.at, bytes.len), out + text.len);
        assert_memory_equal(out, text.at, text.len);
        assert_int_equal(read_text(text, back), bytes.len);
        assert_memory_equal(back, bytes.at, bytes.len);
        free(out);
    }
    assert_int_equal(BASE64_LEN(0), 0);
    assert_null(base64_put(NULL, NULL, 0));
}

static void any_bytes_of_any_length_come_back(void **state)
{
    uint32_t chance = 1;

    (void)state;
    for (size_t len = 0; len <= LONGEST; len++) {
        char *bytes = block(len), *text = block(BASE64_LEN(len)), back[LONGEST];

        for (int round = 0; round < 20; round++) {
            for (size_t i = 0; i < len; i++) {
                chance = chance * 1664525 + 1013904223;
                bytes[i] = (char)(chance >> 24);
            }
            assert_ptr_equal(base64_put(text, bytes, len), text + BASE64_LEN(len));
            assert_int_equal(read_text((struct bytes){ text, BASE64_LEN(len) }, back), len);
            assert_memory_equal(back, bytes, len);
        }
        free(bytes);
        free(text);
    }
}

static void what_is_no_base64_is_refused(void **state)
{
    static const struct bytes texts[] = {
        B(""), B("Z"), B("Zg"), B("Zg="), B("Zm9vY"), B("Zm9vYg"), B("Zm9vYg="),
        B("="), B("=="), B("==="), B("===="), B("Z==="), B("Zm9vZ==="), B("Zm9v===="),
        B("=m9v"), B("Z=9v"), B("Zm=v"), B("Z=8="), B("Zg==Zm9v"), B("Zm8=Zm9v"),
        B("Zg==="), B("Zm9v="), B("Zm9v=="),
        B("Zm9\0"), B("\0m9v"), B("\0\0\0\0"), B("Zm8\0"), B("Zg=\0"),
        B("Zm9-"), B("Zm9_"), B("Zm9!"), B("Zm 9"), B("Zm9\n"), B("Zm9\r"), B("Zm9."),
        B("Zm9@"), B("Zm9["), B("Zm9`"), B("Zm9{"), B("Zm9:"), B("Zm9,"),
        B("Zm9\177"), B("Zm9\200"), B("\377\377\377\377"), B("Zm9vZm9v!m9v"), B("!!!!Zm9v"),
    };
    char out[16];

    (void)state;
    for (size_t i = 0; i < N_OF(texts); i++)
        if (read_text(texts[i], out) != 0)
            fail_msg("\"%s\" (%zu) was read", texts[i].at, i);
    for (size_t len = 0; len < 12; len++)       /* though more digits follow */
        assert_int_equal(base64_read(out, "Zm9vYmFyZm9v", len), len % 4 == 0 ? len / 4 * 3 : 0);
}

/* Bits behind the last byte are passed over, as memcached does. */
static void what_padding_hides_is_not_looked_at(void **state)
{
    static const struct bytes texts[] = { B("Zg=="), B("Zh=="), B("Zv=="), B("Zm8="),
                                          B("Zm9="), B("Zm+=") };
    char out[4];

    (void)state;
    for (size_t i = 0; i < N_OF(texts); i++) {
        const size_t len = texts[i].at[2] == '=' ? 1 : 2;

        assert_int_equal(read_text(texts[i], out), len);
        assert_memory_equal(out, "fo", 1);
    }
    assert_int_equal(read_text((struct bytes)B("Zm+="), out), 2);
    assert_memory_equal(out, "fo", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_those_of_rfc_4648),
        cmocka_unit_test(any_bytes_of_any_length_come_back),
        cmocka_unit_test(what_is_no_base64_is_refused),
        cmocka_unit_test(what_padding_hides_is_not_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

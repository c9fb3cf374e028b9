/*
 * log_fuzz - lines of the log, whatever a peer has them say
 *
 * The first byte says the form and the format, the next two where a number and one
 * argument end.  Beside the sanitizers: a line is printable ASCII; it has the fields
 * of its format, in their order, and no other; JSON is JSON; and what is read back
 * from it is what printf() makes of the same, or its beginning where it was cut.
 */
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log_line.h"

#define FIELDS_MAX 4
#define HEAD "warn fuzz: "
#define CUT "..."

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct line {
    struct log_line made;
    enum log_format form;
    const char *keys;           /* of the format's fields, each with a blank before */
    char *wanted;               /* owned: what printf() makes of it */
};

/* What is read back: "message key=value key=value". */
struct back {
    char bytes[2 * LOG_LINE_MAX];
    size_t len;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

__attribute__((format(printf, 3, 4)))
static void make(struct line *l, const char *keys, const char *format, ...)
{
    va_list args;

    l->keys = keys;
    va_start(args, format);
    log_line_make(&l->made, l->form, LOG_WARN, "fuzz", ECONNRESET, format, args);
    va_end(args);
    errno = ECONNRESET;         /* of %m */
    va_start(args, format);
    check(vasprintf(&l->wanted, format, args) >= 0);
    va_end(args);
}

/* the way back */

static void back_add(struct back *b, const char *bytes, size_t len)
{
    check(len <= sizeof(b->bytes) - b->len);
    memcpy(b->bytes + b->len, bytes, len);
    b->len += len;
}

static unsigned hex_digit(char c)
{
    check((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void back_unescape(struct back *b, const char *at, size_t len, bool quoted)
{
    const char *const end = at + len;

    while (at < end) {
        char c = *at++;

        check(!quoted || c != '"');
        if (c == '\\') {
            check(at < end);
            c = *at++;
            check(c == '\\' || c == 'x' || (c == '"' && quoted));
            if (c == 'x') {
                check(end - at >= 2);
                c = (char)(hex_digit(at[0]) << 4 | hex_digit(at[1]));
                at += 2;
            }
        }
        back_add(b, &c, 1);
    }
}

/* The next of the format's keys; it is this one. */
static void take_key(struct line *l, struct back *b, const char *key, size_t len)
{
    check(l->keys[0] == ' ' && strncmp(l->keys + 1, key, len) == 0);
    check(l->keys[len + 1] == ' ' || l->keys[len + 1] == '\0');
    l->keys += len + 1;
    back_add(b, " ", 1);
    back_add(b, key, len);
    back_add(b, "=", 1);
}

/* Text: as somebody reads it who knows nothing of formats. */

/* Returns the end of a value in quotes. */
static const char *quoted_value(struct back *b, const char *at)
{
    const char *end = at + 1;

    while (*end != '"') {
        check(*end != '\0');
        end += *end == '\\' ? 2 : 1;
    }
    back_unescape(b, at + 1, (size_t)(end - at - 1), true);
    return end + 1;
}

static const char *plain_value(struct back *b, const char *at)
{
    const size_t len = strcspn(at, " ");

    check(len > 0 && memchr(at, '=', len) == NULL);
    back_unescape(b, at, len, false);
    return at + len;
}

static void read_text(struct line *l, struct back *b, const char *at)
{
    const char *equals = strchr(at, '='), *fields = at + strlen(at);

    if (equals != NULL)
        for (fields = equals; *fields != ' '; fields--)
            check(fields > at);
    back_unescape(b, at, (size_t)(fields - at), false);
    for (at = fields; *at == ' ';) {
        const size_t key_len = strcspn(at + 1, "=");

        check(at[1 + key_len] == '=');
        take_key(l, b, at + 1, key_len);
        at += 1 + key_len + 1;
        at = *at == '"' ? quoted_value(b, at) : plain_value(b, at);
    }
    check(*at == '\0' || (l->made.cut && strcmp(at, CUT) == 0));
}

/* JSON */

static void value_back(struct back *b, const json_t *value)
{
    char digits[32];

    if (json_is_string(value)) {
        back_unescape(b, json_string_value(value), json_string_length(value), false);
        return;
    }
    check(json_is_integer(value));
    snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    back_add(b, digits, strlen(digits));
}

static void take_word(json_t *object, const char *key, const char *wanted)
{
    const char *value = json_string_value(json_object_get(object, key));

    check(value != NULL && strcmp(value, wanted) == 0);
    json_object_del(object, key);
}

static void read_json(struct line *l, struct back *b, const char *text)
{
    char object_text[LOG_LINE_MAX];
    json_t *object, *value;
    const char *key;

    snprintf(object_text, sizeof(object_text), "{%s", text);
    object = json_loads(object_text, JSON_REJECT_DUPLICATES, NULL);
    check(object != NULL);
    take_word(object, "level", "warn");
    take_word(object, "module", "fuzz");
    value_back(b, json_object_get(object, "msg"));
    json_object_del(object, "msg");
    check(json_is_true(json_object_get(object, "cut")) == l->made.cut);
    json_object_del(object, "cut");
    json_object_foreach(object, key, value) {
        take_key(l, b, key, strlen(key));
        value_back(b, value);
    }
    json_decref(object);
}

static void check_line(struct line *l)
{
    char text[LOG_TEXT_MAX + 1];
    struct back b = { .len = 0 };

    check(l->made.len <= LOG_TEXT_MAX);
    memcpy(text, l->made.text, l->made.len);
    text[l->made.len] = '\0';
    for (size_t i = 0; i < l->made.len; i++)
        check(text[i] >= ' ' && text[i] <= '~');
    if (l->form == LOG_JSON) {
        read_json(l, &b, text);
    } else {
        check(strncmp(text, HEAD, strlen(HEAD)) == 0);
        read_text(l, &b, text + strlen(HEAD));
    }
    if (l->made.cut && b.len >= strlen(CUT) &&
        memcmp(b.bytes + b.len - strlen(CUT), CUT, strlen(CUT)) == 0)
        b.len -= strlen(CUT);
    check(l->made.cut || (l->keys[0] == '\0' && b.len == strlen(l->wanted)));
    check(b.len <= strlen(l->wanted) && memcmp(b.bytes, l->wanted, b.len) == 0);
}

/* As they are in the program: what came stands at any place, alone or not. */
static void make_one(struct line *l, unsigned which, const char *a, const char *b, int n)
{
    switch (which % 6) {
    case 0:
        make(l, "", "said %s", a);
        break;
    case 1:
        make(l, " addr name", "%s addr=%s name=%s", a, b, a);
        break;
    case 2:
        make(l, " n at", "from %s: %s n=%d at=%d/%s", a, b, n, n, a);
        break;
    case 3:
        make(l, " key of ms", "%.*s key=%.7s of=%zu ms=%lld", (int)strnlen(a, 9), a, b,
             (size_t)(unsigned)n, (long long)n);
        break;
    case 4:
        make(l, " why c x", "%s: %m why=%m c=%c x=%x", b, a[0] != '\0' ? a[0] : '?',
             (unsigned)n);
        break;
    default:
        make(l, " u l s", "100%% key=%s of u=%u l=%lu s=%s", a, (unsigned)n,
             (unsigned long)(unsigned)n, b);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct line l = { .form = LOG_TEXT };
    char *a, *b;
    size_t len;
    int n;

    if (size < 3)
        return 0;
    l.form = data[0] % 2 != 0 ? LOG_JSON : LOG_TEXT;
    n = (int)((data[1] & 0x7fu) << (data[1] & 15));
    if (data[1] > 0x7f)
        n = -n;
    len = size - 3 < data[2] ? size - 3 : data[2];
    a = strndup((const char *)data + 3, len);
    b = strndup((const char *)data + 3 + len, size - 3 - len);
    check(a != NULL && b != NULL);
    make_one(&l, data[0] / 2, a, b, n);
    check_line(&l);
    free(l.wanted);
    free(a);
    free(b);
    return 0;
}

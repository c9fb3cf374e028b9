#include "base/log_line.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/unset.h"

#define KEY_LETTERS "abcdefghijklmnopqrstuvwxyz0123456789_"

/* What one byte may become: \xNN, its backslash twice. */
#define BYTE_MAX 5

/* What a line that is cut still has to say. */
#define END_OF_TEXT "...\""
#define END_OF_JSON "...\",\"cut\":true}"

/* The message, or the value of a field, before anything is escaped. */
struct raw {
    size_t len;
    bool number;                /* one whole number, and nothing else */
    char bytes[LOG_TEXT_MAX];   /* if they fill it, the line is cut too */
};

/* A struct: a va_list that a function was given cannot be handed on by address. */
struct args {
    va_list list;
    int error;
};

const char *log_level_word(enum log_level level)
{
    static const char *const words[] = {
        [LOG_ERROR] = "error", [LOG_WARN] = "warn",
        [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
    };

    return words[level];
}

/* arguments to bytes */

static void raw_add(struct raw *r, const char *bytes, size_t n)
{
    const size_t room = sizeof(r->bytes) - r->len;

    r->number = false;
    if (n > room)
        n = room;
    memcpy(r->bytes + r->len, bytes, n);
    r->len += n;
}

static long long take_signed(struct args *a, int longs, bool is_size)
{
    if (is_size)
        return (long long)va_arg(a->list, ssize_t);
    if (longs > 1)
        return va_arg(a->list, long long);
    return longs == 1 ? va_arg(a->list, long) : va_arg(a->list, int);
}

static unsigned long long take_unsigned(struct args *a, int longs, bool is_size)
{
    if (is_size)
        return va_arg(a->list, size_t);
    if (longs > 1)
        return va_arg(a->list, unsigned long long);
    return longs == 1 ? va_arg(a->list, unsigned long) : va_arg(a->list, unsigned);
}

static void add_number(struct raw *r, struct args *a, char conversion, int longs, bool is_size)
{
    const bool alone = r->len == 0;
    char digits[32];
    int n;

    if (conversion == 'd' || conversion == 'i')
        n = snprintf(digits, sizeof(digits), "%lld", take_signed(a, longs, is_size));
    else
        n = snprintf(digits, sizeof(digits), conversion == 'x' ? "%llx" : "%llu",
                     take_unsigned(a, longs, is_size));
    raw_add(r, digits, (size_t)n);
    r->number = alone && conversion != 'x';
}

static void add_string(struct raw *r, const char *s, int most)
{
    if (s == NULL)
        s = "(null)";
    raw_add(r, s, most >= 0 ? strnlen(s, (size_t)most) : strlen(s));
}

/* ".7", ".*": at most so many bytes; -1: all. */
static const char *precision(const char *at, struct args *a, int *most)
{
    *most = -1;
    if (*at != '.')
        return at;
    if (at[1] == '*') {
        *most = va_arg(a->list, int);
        return at + 2;
    }
    *most = atoi(at + 1);
    return at + 1 + strspn(at + 1, "0123456789");
}

/* What "%..." at `at` asks for; returns its end, NULL for what is not known here. */
static const char *convert(struct raw *r, const char *at, struct args *a)
{
    bool is_size;
    int most, longs;
    char c;

    at += 1 + strspn(at + 1, "-+ #0123456789");
    at = precision(at, a, &most);
    longs = (int)strspn(at, "l");
    is_size = at[longs] == 'z';
    at += longs + is_size;
    switch (*at) {
    case 'd': case 'i': case 'u': case 'x':
        add_number(r, a, *at, longs, is_size);
        break;
    case 's':
        add_string(r, va_arg(a->list, const char *), most);
        break;
    case 'c':
        c = (char)va_arg(a->list, int);
        raw_add(r, &c, 1);
        break;
    case 'm':
        add_string(r, strerror(a->error), -1);
        break;
    case '%':
        raw_add(r, "%", 1);
        break;
    default:
        return NULL;
    }
    return at + 1;
}

/* Of the format the bytes up to `end`.  False: what follows cannot be known. */
static bool expand(struct raw *r, const char *at, const char *end, struct args *a)
{
    r->len = 0;
    r->number = false;
    while (at < end) {
        const char *next = memchr(at, '%', (size_t)(end - at));

        if (next != at) {
            raw_add(r, at, (size_t)((next != NULL ? next : end) - at));
            at = next != NULL ? next : end;
        } else if ((next = convert(r, at, a)) == NULL) {
            raw_add(r, at, (size_t)(end - at));
            return false;
        } else {
            at = next;
        }
    }
    return true;
}

/* bytes to a line */

static size_t end_len(enum log_format form)
{
    return form == LOG_JSON ? sizeof(END_OF_JSON) : sizeof(END_OF_TEXT);
}

static bool has_room(const struct log_line *l, enum log_format form, size_t n)
{
    return l->len + n + end_len(form) <= sizeof(l->text);
}

static void add(struct log_line *l, const char *bytes, size_t n)
{
    memcpy(l->text + l->len, bytes, n);
    l->len += n;
}

static void add_text(struct log_line *l, const char *text)
{
    add(l, text, strlen(text));
}

/* A byte so that it can neither end the line nor steer a terminal.  A field begins
 * where a word has '=': a message has none. */
static size_t escape(char out[4], unsigned char c, bool in_message)
{
    static const char hex[] = "0123456789abcdef";

    if (c == '\\') {
        memcpy(out, "\\\\", 2);
        return 2;
    }
    if (c < ' ' || c > '~' || (c == '=' && in_message)) {
        memcpy(out, (char[]){ '\\', 'x', hex[c >> 4], hex[c & 15] }, 4);
        return 4;
    }
    out[0] = (char)c;
    return 1;
}

/* Where bytes stand: between quotes one of their own has a backslash. */
struct place {
    enum log_format form;
    bool in_message, quoted;
};

static void add_byte(struct log_line *l, const struct place *p, unsigned char c)
{
    char escaped[4];
    const size_t n = escape(escaped, c, p->in_message);

    if (c == '"' && p->quoted)
        add(l, "\\", 1);
    for (size_t i = 0; i < n; i++) {
        if (escaped[i] == '\\' && p->form == LOG_JSON)
            add(l, "\\", 1);
        add(l, &escaped[i], 1);
    }
}

static void add_bytes(struct log_line *l, const struct place *p, const struct raw *r)
{
    for (size_t i = 0; i < r->len && !l->cut; i++) {
        if (has_room(l, p->form, BYTE_MAX))
            add_byte(l, p, (unsigned char)r->bytes[i]);
        else
            l->cut = true;
    }
    if (l->cut)
        add_text(l, "...");
}

static void add_message(struct log_line *l, enum log_format form, const struct raw *r)
{
    const struct place place = { form, true, form == LOG_JSON };
    const size_t kept = r->len < sizeof(l->message) ? r->len : sizeof(l->message) - 1;

    memcpy(l->message, r->bytes, kept);
    l->message[kept] = '\0';
    add_bytes(l, &place, r);
}

static bool needs_quotes(const struct raw *r)
{
    for (size_t i = 0; i < r->len; i++)
        if (r->bytes[i] == ' ' || r->bytes[i] == '"' || r->bytes[i] == '=')
            return true;
    return r->len == 0;
}

static void add_value(struct log_line *l, enum log_format form, const struct raw *r)
{
    const struct place place = { form, false,
                                 form == LOG_JSON ? !r->number : needs_quotes(r) };

    if (place.quoted)
        add(l, "\"", 1);
    add_bytes(l, &place, r);
    if (place.quoted)
        add(l, "\"", 1);
}

/* A number that is cut would be another number. */
static bool fits(const struct log_line *l, enum log_format form, size_t key_len,
                 const struct raw *r)
{
    return has_room(l, form, key_len + sizeof(",\"\":\"") + (r->number ? r->len : 0) + BYTE_MAX);
}

static void add_field(struct log_line *l, enum log_format form, const char *key, size_t key_len,
                      const struct raw *r)
{
    if (!fits(l, form, key_len, r)) {
        l->cut = true;
        if (form == LOG_TEXT)
            add_text(l, "...");
        return;
    }
    add_text(l, form == LOG_JSON ? ",\"" : " ");
    add(l, key, key_len);
    add_text(l, form == LOG_JSON ? "\":" : "=");
    add_value(l, form, r);
}

/* the format */

static bool is_field(const char *word)
{
    const size_t len = strspn(word, KEY_LETTERS);

    return len > 0 && word[len] == '=';
}

/* The blank before the first of the words at the end that are fields; or the end. */
static const char *fields_of(const char *format)
{
    const char *fields = NULL;

    for (const char *at = strchr(format, ' '); at != NULL; at = strchr(at + 1, ' ')) {
        if (!is_field(at + 1))
            fields = NULL;
        else if (fields == NULL)
            fields = at;
    }
    return fields != NULL ? fields : format + strlen(format);
}

static void add_fields(struct log_line *l, enum log_format form, const char *at, struct args *a)
{
    UNSET struct raw r;
    bool known = true;

    while (*at == ' ' && known && !l->cut) {
        const char *key = at + 1;
        const size_t key_len = strcspn(key, "=");
        const char *value = key + key_len + 1;

        at = value + strcspn(value, " ");
        known = expand(&r, value, at, a);
        add_field(l, form, key, key_len, &r);
    }
}

static void add_head(struct log_line *l, enum log_format form)
{
    const char *level = log_level_word(l->level);
    const int n = form == LOG_JSON
        ? snprintf(l->text, sizeof(l->text), "\"level\":\"%s\",\"module\":\"%s\",\"msg\":\"",
                   level, l->module)
        : snprintf(l->text, sizeof(l->text), "%s %s: ", level, l->module);

    l->len = (size_t)n;
}

void log_line_make(struct log_line *line, enum log_format form, enum log_level level,
                   const char *module, int error, const char *format, va_list args)
{
    const char *fields = fields_of(format);
    UNSET struct raw message;
    struct args a;
    bool known;

    line->level = level;
    line->cut = false;
    snprintf(line->module, sizeof(line->module), "%s", module);
    add_head(line, form);
    va_copy(a.list, args);
    a.error = error;
    known = expand(&message, format, fields, &a);
    add_message(line, form, &message);
    if (form == LOG_JSON)
        add(line, "\"", 1);
    if (known)
        add_fields(line, form, fields, &a);
    va_end(a.list);
    if (form == LOG_JSON)
        add_text(line, line->cut ? ",\"cut\":true}" : "}");
}

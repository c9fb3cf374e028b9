#include "admin/uri.h"

#include <string.h>

#include "base/num.h"

bool span_is(struct span s, const char *word)
{
    return strlen(word) == s.len && memcmp(s.at, word, s.len) == 0;
}

/* -1: it is none. */
static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uri_decode(struct span s, bool form, char *out, size_t *len)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        int high, low;

        if (s.at[i] != '%') {
            out[n++] = form && s.at[i] == '+' ? ' ' : s.at[i];
            continue;
        }
        if (s.len - i < 3 || (high = digit_of(s.at[i + 1])) < 0
            || (low = digit_of(s.at[i + 2])) < 0)
            return false;
        out[n++] = (char)(high << 4 | low);
        i += 2;
    }
    *len = n;
    return true;
}

/* Cuts `s` at the first `c`, which goes as well; all of it where there is none. */
static struct span cut(struct span *s, char c)
{
    const char *end = s->len > 0 ? memchr(s->at, c, s->len) : NULL;
    struct span piece = *s;

    if (end == NULL) {
        *s = (struct span){ s->at + s->len, 0 };
        return piece;
    }
    piece.len = (size_t)(end - s->at);
    *s = (struct span){ end + 1, s->len - piece.len - 1 };
    return piece;
}

bool uri_next_part(struct span *path, struct span *part)
{
    const char *end;

    if (path->len == 0 || path->at[0] != '/')
        return false;
    *part = (struct span){ path->at + 1, path->len - 1 };
    end = part->len > 0 ? memchr(part->at, '/', part->len) : NULL;
    if (end != NULL)
        part->len = (size_t)(end - part->at);
    *path = (struct span){ part->at + part->len, path->len - 1 - part->len };
    return true;
}

bool uri_next_pair(struct span *query, struct span *name, struct span *value)
{
    if (query->len == 0)
        return false;
    *value = cut(query, '&');
    *name = cut(value, '=');
    return true;
}

/* tags */

static void skip_blanks(struct span *s)
{
    while (s->len > 0 && (s->at[0] == ' ' || s->at[0] == '\t')) {
        s->at++;
        s->len--;
    }
}

/* Takes `word` off; false: something else is there. */
static bool take(struct span *s, const char *word)
{
    const size_t len = strlen(word);

    if (s->len < len || memcmp(s->at, word, len) != 0)
        return false;
    s->at += len;
    s->len -= len;
    return true;
}

/* Those that are not weak go before the weak ones.  False: there are too many. */
static bool add(struct etags *e, uint64_t version, bool weak)
{
    if (e->n == ETAGS_MAX)
        return false;
    if (weak) {
        e->versions[e->n] = version;
        e->n_weak++;
    } else {
        e->versions[e->n] = e->versions[e->n - e->n_weak];
        e->versions[e->n - e->n_weak] = version;
    }
    e->n++;
    return true;
}

static bool read_tag(struct span *s, struct etags *e)
{
    const bool weak = take(s, "W/");
    uint64_t version;
    struct span tag;

    if (!take(s, "\"") || s->len == 0 || memchr(s->at, '"', s->len) == NULL)
        return false;
    tag = cut(s, '"');
    return !num_parse_u64(tag.at, tag.len, &version) || version == 0 || add(e, version, weak);
}

bool etags_read(struct span s, struct etags *out)
{
    *out = (struct etags){ .any = false };
    skip_blanks(&s);
    if (take(&s, "*")) {
        out->any = true;
        skip_blanks(&s);
        return s.len == 0;
    }
    do {
        skip_blanks(&s);
        if (!read_tag(&s, out))
            return false;
        skip_blanks(&s);
    } while (take(&s, ","));
    return s.len == 0;
}

bool etags_have(const struct etags *e, uint64_t version, bool weakly)
{
    const unsigned n = weakly ? e->n : e->n - e->n_weak;

    for (unsigned i = 0; i < n; i++)
        if (e->versions[i] == version)
            return true;
    return e->any;
}

/*
 * http_fuzz - what is understood of HTTP here: path, query, form, ETags, token
 *
 * The first byte says which.  Beside the sanitizers: a piece is never longer than
 * what it was made of, pieces put together are what came, and what was decoded
 * comes back when it is encoded and decoded once more.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/uri.h"
#include "base/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* In memory of just that size, where a byte too far is seen. */
static char *exact(const char *data, size_t len)
{
    char *copy = malloc(len + (len == 0));

    check(copy != NULL);
    memcpy(copy, data, len);
    return copy;
}

/* Each byte as "%XX" is the same again. */
static void come_back(const char *bytes, size_t len)
{
    char *text = malloc(3 * len + 1), *again = malloc(3 * len + 1);
    size_t got;

    check(text != NULL && again != NULL);
    for (size_t i = 0; i < len; i++)
        snprintf(text + 3 * i, 4, "%%%02X", (unsigned char)bytes[i]);
    check(uri_decode((struct span){ text, 3 * len }, true, again, &got));
    check(got == len && memcmp(again, bytes, len) == 0);
    free(text);
    free(again);
}

static void decode(struct span s, bool form)
{
    char *out = exact(s.at, s.len);
    size_t len;

    if (uri_decode(s, form, out, &len)) {
        check(len <= s.len);
        come_back(out, len);
    }
    free(out);
}

static void fuzz_path(struct span path)
{
    const char *const end = path.at + path.len;
    struct span part;

    while (uri_next_part(&path, &part)) {
        check(part.at[-1] == '/' && part.at + part.len == path.at);
        check(part.len == 0 || memchr(part.at, '/', part.len) == NULL);
        decode(part, false);
    }
    check(path.at + path.len == end && (path.len == 0 || path.at[0] != '/'));
}

static void fuzz_query(struct span query)
{
    const char *at = query.at, *const end = query.at + query.len;
    struct span name, value;

    while (uri_next_pair(&query, &name, &value)) {
        check(name.at == at && name.at + name.len <= value.at);
        check(value.at + value.len <= query.at && query.at + query.len == end);
        check(value.len == 0 || memchr(value.at, '&', value.len) == NULL);
        decode(name, true);
        decode(value, true);
        at = query.at;
    }
    check(at == end);
}

/* As they are written, with the strong ones first. */
static void fuzz_etags(struct span s)
{
    char text[ETAGS_MAX * 32] = "";
    struct etags e, again;
    size_t len = 0;

    if (!etags_read(s, &e))
        return;
    check(e.n <= ETAGS_MAX && e.n_weak <= e.n && !(e.any && e.n > 0));
    for (unsigned i = 0; i < e.n; i++) {
        check(e.versions[i] != 0 && etags_have(&e, e.versions[i], true));
        check(i >= e.n - e.n_weak || etags_have(&e, e.versions[i], false));
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s\"%llu\"",
                                i > 0 ? ", " : "", i >= e.n - e.n_weak ? "W/" : "",
                                (unsigned long long)e.versions[i]);
    }
    if (e.n == 0)
        return;
    check(etags_read((struct span){ text, len }, &again));
    check(again.n == e.n && again.n_weak == e.n_weak);
}

static void fuzz_secret(struct span s)
{
    char out[SECRET_MAX + 1], again[SECRET_MAX + 1];
    const char *why = secret_parse(s.at, s.len, out);

    if (why != NULL) {
        check(*why != '\0');
        return;
    }
    check(strlen(out) >= SECRET_MIN && strlen(out) <= SECRET_MAX && strlen(out) <= s.len);
    check(secret_parse(out, strlen(out), again) == NULL && strcmp(out, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const targets[])(struct span s) = {
        fuzz_path, fuzz_query, fuzz_etags, fuzz_secret,
    };
    char *copy;

    if (size == 0)
        return 0;
    copy = exact((const char *)data + 1, size - 1);
    targets[data[0] % 4]((struct span){ copy, size - 1 });
    free(copy);
    return 0;
}

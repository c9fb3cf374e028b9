/*
 * uri - pieces of a request as text: path, query, form, ETags
 *
 * Pure: takes bytes with their length, and looks at nothing beyond.
 */
#ifndef ADMIN_URI_H
#define ADMIN_URI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span { const char *at; size_t len; };

bool span_is(struct span s, const char *word);

/*
 * "a%2Fb" as "a/b", into `out`, which has room for s.len bytes.  `form`: a '+' is a
 * blank.  False: a '%' without two digits behind it.
 */
bool uri_decode(struct span s, bool form, char *out, size_t *len);

/* Takes the next part off a path, "/a/b": "a".  False: there is none, or no '/'. */
bool uri_next_part(struct span *path, struct span *part);

/* Takes the next "name" or "name=value" off a query or form; false at its end. */
bool uri_next_pair(struct span *query, struct span *name, struct span *value);

#define ETAGS_MAX 8

/* What If-Match and If-None-Match say. */
struct etags {
    bool any;                   /* "*" */
    unsigned n, n_weak;         /* of our making: versions; the weak ones stand last */
    uint64_t versions[ETAGS_MAX];
};

/* Tags that are not of our making match nothing and are left out.  False: that is no
 * list of tags, or a longer one. */
bool etags_read(struct span s, struct etags *out);

/* As an If-Match compares, or, `weakly`, an If-None-Match. */
bool etags_have(const struct etags *e, uint64_t version, bool weakly);

#endif

/*
 * kept_file - the form of what one program hands to the next (see kept.h)
 *
 *      chcached 1
 *      socket FD NAME              listens; NAME as in passed.h, or "own"
 *      map CLUSTER LEN             followed by so many bytes of map_put()
 *      client FD IN OUT            followed by so many bytes of each
 *
 * In this order, one map at most.
 */
#ifndef KEPT_FILE_H
#define KEPT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define KEPT_NAME_MAX 255

enum kept_kind { KEPT_SOCKET, KEPT_MAP, KEPT_CLIENT };

struct kept_item {
    enum kept_kind kind;
    int fd;                     /* not of a map */
    char name[KEPT_NAME_MAX + 1];       /* of a socket; the map's cluster */
    size_t in_len, out_len;     /* bytes that follow; of a map in_len */
};

/* The name of this form: another one has another name. */
const char *kept_file_format(void);

/* The first line. */
void kept_file_begin(FILE *file);
/* One more, whose bytes are for the caller to write. */
void kept_file_put(FILE *file, const struct kept_item *i);

/*
 * Whether all of it, from its first byte on, is as above and as long as it says;
 * then it stands before the first item.  What this program wrote is.
 */
bool kept_file_check(FILE *file);
/* The next item, whose bytes come next; false: there is none. */
bool kept_file_next(FILE *file, struct kept_item *i);
/* Those bytes are passed over. */
void kept_file_skip(FILE *file, const struct kept_item *i);

#endif

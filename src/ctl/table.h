/*
 * table - columns as wide as what is in them, and numbers as people read them
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define TABLE_COLUMNS_MAX 12
#define TABLE_TEXT_MAX 40       /* bytes of a number as text */

struct table;

/* `titles`: borrowed, `n` of them; one that begins with '>' stands to the right. */
struct table *table_new(const char *const *titles, size_t n);
/* `cells`: copied; what is not printable becomes '?'. */
void table_add(struct table *t, const char *const *cells);
/* Writes it to stdout, and frees it. */
void table_end(struct table *t);

/* Into `out`, which has room for TABLE_TEXT_MAX bytes, and is returned. */
char *table_count(char *out, long long n);      /* "184 302" */
char *table_bytes(char *out, long long n);      /* "212 MiB" */
char *table_share(char *out, double share);     /* "24.8 %" */
char *table_ms(char *out, double ms);           /* "0.183", "12.3" */

/* Bytes of a server without what moves a terminal's cursor; free() it. */
char *table_clean(const char *text);

#endif

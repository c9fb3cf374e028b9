/*
 * table - columns as wide as what is in them, and numbers as people read them
 */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define TABLE_COLUMNS_MAX 12

struct table;

/* `titles`: borrowed, `n` of them; one that begins with '>' stands to the right. */
struct table *table_new(const char *const *titles, size_t n);
/* `cells`: copied; what is not printable becomes '?'. */
void table_add(struct table *t, const char *const *cells);
/* Writes it to stdout, and frees it. */
void table_end(struct table *t);

/* "0.183", "12.3"; as in human.h */
char *table_ms(char *out, double ms);

/* Bytes of a server without what moves a terminal's cursor; free() it. */
char *table_clean(const char *text);

#endif

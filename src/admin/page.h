/*
 * page - GET /, for people: how the cluster is, and what to do next
 *
 *      page.html --awk--> page_template     {{words}} in it are replaced by page_make
 *
 * All is in it that a browser without scripts needs; its script only asks for it
 * again.  Whatever members say of themselves is text in it, and nothing else.
 */
#ifndef ADMIN_PAGE_H
#define ADMIN_PAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

extern const char page_template[];

/* Borrowed, as report.h and recent.h make it. */
struct page {
    const json_t *cluster, *nodes;
    const json_t *jobs;         /* NULL: another process leads */
    const json_t *recent;       /* NULL: this one serves no clients */
    const json_t *hot;          /* of hotkeys.c, or {"error": why there is none} */
    const char *admin;          /* "HOST:PORT" of this admin address; NULL: the default */
    const char *nonce;          /* styles and scripts that have it may be there */
};

/* The whole of it; free() it.  NULL when memory is short. */
char *page_make(const struct page *p, size_t *len);

/* page_advice.c: what an operator does next; nothing where all is well. */
void page_advise(FILE *out, const struct page *p);
/* "chcachectl", and where to ask. */
void page_command(FILE *out, const struct page *p, const char *rest, const char *name,
                  const char *more);

/* Of a JSON object: "", 0 or false where there is none. */
const char *page_text(const json_t *o, const char *name);
json_int_t page_number(const json_t *o, const char *name);
double page_real(const json_t *o, const char *name);
bool page_flag(const json_t *o, const char *name);
/* Whether a node is to hold items. */
bool page_is_shard(const json_t *node);

#endif

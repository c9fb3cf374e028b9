/*
 * html - words and numbers as parts of a page
 *
 * Whoever words came from, they stay words: in a text, or between double quotes.
 */
#ifndef ADMIN_HTML_H
#define ADMIN_HTML_H

#include <stdint.h>
#include <stdio.h>

/* Bytes that no page may have become U+FFFD. */
void html_text(FILE *out, const char *text);

/* A key that is percent-encoded, with those that can be read as they are. */
void html_key(FILE *out, const char *encoded);

/* "184 302", with spaces that do not break. */
void html_count(FILE *out, int64_t n);
/* "53 MiB" */
void html_bytes(FILE *out, int64_t n);
/* "41 µs", "1.9 ms" */
void html_time(FILE *out, int64_t ns);
/* 0 to 1 as "24.8 %" */
void html_share(FILE *out, double share);
/* A bar, 0 to 1 of its width; what it shows stands beside it as text. */
void html_bar(FILE *out, double share);

#endif

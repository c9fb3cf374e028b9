/*
 * human - numbers as people read them
 *
 * Into `out`, which has room for HUMAN_MAX bytes, and is returned.  A number below 0
 * is shown as 0.
 */
#ifndef BASE_HUMAN_H
#define BASE_HUMAN_H

#include <stdint.h>

#define HUMAN_MAX 40

char *human_count(char *out, int64_t n);        /* "184 302" */
char *human_bytes(char *out, int64_t n);        /* "512 B", "1.5 KiB", "4 GiB" */
char *human_time(char *out, int64_t ns);        /* "41 us", "1.9 ms", "12 ms", "1.2 s" */
char *human_share(char *out, double share);     /* 0.248 as "24.8 %" */

#endif

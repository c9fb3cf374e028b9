/*
 * base64 - keys of any bytes in a text line (RFC 4648, section 4)
 */
#ifndef WIRE_BASE64_H
#define WIRE_BASE64_H

#include <stddef.h>

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Writes BASE64_LEN(len) bytes; returns the end. */
char *base64_put(char *out, const char *data, size_t len);

/*
 * Decodes into `out`, which has room for len / 4 * 3 bytes.  Returns how many
 * they are; 0 when that is no base64, which comes in fours, padded.
 */
size_t base64_read(char *out, const char *text, size_t len);

#endif

/*
 * log_line - a message and its fields, as a line of text or of JSON
 *
 *      format, args --log_line_make--> "warn shard: stopped answering name=s2 ms=250"
 *                                      "level":"warn","module":"shard", ... "ms":250}
 *
 * Fields are read from the format, not from what came of it: the words at its
 * end that look like key=.  So no argument can make one, whatever is in it.
 */
#ifndef BASE_LOG_LINE_H
#define BASE_LOG_LINE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

#define LOG_STAMP_MAX 40        /* {"ts":"2026-11-21T00:41:29.123Z", and a NUL */
#define LOG_TEXT_MAX (LOG_LINE_MAX - LOG_STAMP_MAX)

/* Without its stamp and newline: what makes two lines equal. */
struct log_line {
    enum log_level level;
    char module[33];
    char message[96];           /* without fields, as it was given, perhaps cut */
    bool cut;                   /* not all had room */
    size_t len;
    char text[LOG_TEXT_MAX];
};

/*
 * Conversions: %s %c %d %i %u %x with l, ll and z, a precision of %s, %m (of
 * `error`) and %%; flags and widths are passed over.
 */
void log_line_make(struct log_line *line, enum log_format form, enum log_level level,
                   const char *module, int error, const char *format, va_list args);

const char *log_level_word(enum log_level level);

#endif

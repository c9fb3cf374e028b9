/*
 * events - what happened, told in lines, one after the other
 *
 *      u8 stream, u16 length, line
 *
 * What fronts send on of what their clients do, and those have who watch.
 */
#ifndef WIRE_EVENTS_H
#define WIRE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

/* The streams that can be watched; the words are memcached's. */
#define STREAMS(X) \
    X(FETCHERS, "fetchers") X(MUTATIONS, "mutations") X(DELETIONS, "deletions") \
    X(CONNEVENTS, "connevents") X(EVICTIONS, "evictions")

enum stream {
#define X(name, word) STREAM_##name,
    STREAMS(X)
#undef X
    N_STREAMS
};

/* Of clients, which only their front knows of: all but evictions, that shards tell. */
#define STREAMS_OF_FRONTS ((1u << N_STREAMS) - 1 - (1u << STREAM_EVICTIONS))

#define EVENT_HEAD 3
#define EVENT_LINE_MAX 2048     /* no honest line is as long */

struct event {
    enum stream stream;
    const char *line;           /* borrowed; its last byte is '\n' */
    size_t len;
};

/* Writes what goes before a line of `len` bytes; returns the end. */
char *events_put_head(char *out, enum stream stream, size_t len);

/*
 * The next event at data[*pos]; false at the end, or where there is none.  What is
 * no whole line of printable characters, or of no stream that fronts tell, is passed
 * over: it may go to a client's terminal as it is.
 */
bool events_next(const char *data, size_t len, size_t *pos, struct event *e);

#endif

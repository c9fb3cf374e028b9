#include "wire/reply.h"

#include <assert.h>
#include <string.h>

/* The line of a status that needs nothing else to be said. */
static const char *status_line(enum verb verb, enum status status)
{
    switch (status) {
    case STATUS_NOT_FOUND:
        return "NOT_FOUND\r\n";
    case STATUS_STORED:
        return "STORED\r\n";
    case STATUS_NOT_STORED:
        return "NOT_STORED\r\n";
    case STATUS_EXISTS:
        return "EXISTS\r\n";
    case STATUS_DELETED:
        return "DELETED\r\n";
    case STATUS_TOUCHED:
        return "TOUCHED\r\n";
    case STATUS_NON_NUMERIC:
        return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
    case STATUS_TOO_LARGE:
        return "SERVER_ERROR object too large for cache\r\n";
    case STATUS_NO_MEMORY:
        return verb_has_value(verb) ? "SERVER_ERROR out of memory storing object\r\n"
                                    : "SERVER_ERROR out of memory\r\n";
    case STATUS_HIT:
    case STATUS_HEAD:
    case STATUS_NUMBER:
    case N_STATUSES:
        break;
    }
    assert(0 && "a status that is no line of words");
    return "";
}

size_t reply_put_line(char *out, enum verb verb, const struct answer *a)
{
    const char *line;
    size_t len;

    if (verb_is_get(verb) && a->status == STATUS_NOT_FOUND)
        return 0;
    if (a->status == STATUS_NUMBER)
        return (size_t)(bytes_put(num_put_u64(out, a->number), "\r\n", 2) - out);

    line = status_line(verb, a->status);
    len = strlen(line);
    assert(len <= REPLY_LINE_MAX);
    memcpy(out, line, len);
    return len;
}

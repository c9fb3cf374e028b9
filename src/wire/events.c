#include "wire/events.h"

#include "base/bytes.h"

char *events_put_head(char *out, enum stream stream, size_t len)
{
    *out++ = (char)stream;
    return bytes_put_u16(out, (uint16_t)len);
}

static bool is_line(const char *p, size_t len)
{
    if (len == 0 || len > EVENT_LINE_MAX || p[len - 1] != '\n')
        return false;
    for (const char *end = p + len - 1; p < end; p++)
        if (*p < ' ' || *p > '~')
            return false;
    return true;
}

static bool is_of_fronts(unsigned stream)
{
    return stream < N_STREAMS && (STREAMS_OF_FRONTS >> stream & 1) != 0;
}

bool events_next(const char *data, size_t len, size_t *pos, struct event *e)
{
    while (len - *pos >= EVENT_HEAD) {
        const char *p = data + *pos;
        const unsigned stream = (unsigned char)*p;

        e->len = bytes_get_u16(p + 1);
        e->line = p + EVENT_HEAD;
        if (len - *pos - EVENT_HEAD < e->len)
            return false;
        *pos += EVENT_HEAD + e->len;
        if (is_of_fronts(stream) && is_line(e->line, e->len)) {
            e->stream = (enum stream)stream;
            return true;
        }
    }
    return false;
}

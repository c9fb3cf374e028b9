#include "wire/cmd.h"

#include <assert.h>

#define RELATIVE_MAX ((int64_t)60 * 60 * 24 * 30)   /* seconds */

const char *verb_word(enum verb v)
{
    static const char *const words[N_VERBS] = {
#define X(name, word) [VERB_##name] = word,
        VERBS(X)
#undef X
    };

    assert(v < N_VERBS);
    return words[v];
}

const char *cmd_error_text(enum cmd_error error)
{
    switch (error) {
    case CMD_OK:
    case CMD_HANG_UP:
        return "";
    case CMD_ERROR:
        return "ERROR\r\n";
    case CMD_BAD_FORMAT:
        return "CLIENT_ERROR bad command line format\r\n";
    case CMD_BAD_EXPTIME:
        return "CLIENT_ERROR invalid exptime argument\r\n";
    case CMD_BAD_DELTA:
        return "CLIENT_ERROR invalid numeric delta argument\r\n";
    case CMD_BAD_DELETE:
        return "CLIENT_ERROR bad command line format.  "
               "Usage: delete <key> [noreply]\r\n";
    case CMD_BAD_CHUNK:
        return "CLIENT_ERROR bad data chunk\r\n";
    case CMD_TOO_LONG:
        return "CLIENT_ERROR line too long\r\n";
    }
    assert(0 && "no such error");
    return "";
}

int64_t exptime_to_ttl(int64_t exptime, int64_t wall_ms)
{
    int64_t at_ms;

    assert(wall_ms >= 0);
    if (exptime == 0)
        return TTL_NEVER;
    if (exptime < 0)
        return TTL_OVER;
    if (exptime <= RELATIVE_MAX)
        return exptime * 1000;

    at_ms = exptime > INT64_MAX / 1000 ? INT64_MAX : exptime * 1000;
    return at_ms > wall_ms ? at_ms - wall_ms : TTL_OVER;
}

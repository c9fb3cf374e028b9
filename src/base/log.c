#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"

#define REPEAT_MS 10000
#define STAMP_SIZE 32           /* "2026-11-21T00:41:29.123Z ", and a NUL */
#define TEXT_MAX (LOG_LINE_MAX - STAMP_SIZE)

static_assert(LOG_LINE_MAX <= PIPE_BUF, "a line must stay whole in a pipe");

/* A line without its stamp and newline: what makes two lines equal. */
struct line {
    enum log_level level;
    size_t head_len;            /* of "warn shard: " */
    size_t len;
    char text[TEXT_MAX];
};

static _Atomic enum log_level max_level = LOG_INFO;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* All below is held by `lock`. */
static bool to_journal;
static int64_t (*clock_ms)(void);       /* NULL: the real one */
static struct line last;                /* len 0: none yet */
static int64_t last_at_ms;              /* when it was written */
static unsigned long n_repeats;         /* since then, not yet told */
static int64_t repeated_at_ms;          /* the latest of them */

static int64_t now_ms(void)
{
    struct timespec ts;

    if (clock_ms != NULL)
        return clock_ms();
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of what it gave us; an
 * heir of the environment may have a stderr of its own. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    const char *colon = stream != NULL ? strchr(stream, ':') : NULL;
    uint64_t device, inode;
    struct stat st;

    return colon != NULL
        && num_parse_u64(stream, (size_t)(colon - stream), &device)
        && num_parse_u64(colon + 1, strlen(colon + 1), &inode)
        && fstat(STDERR_FILENO, &st) == 0
        && st.st_dev == device && st.st_ino == inode;
}

void log_init(enum log_level level)
{
    log_set_level(level);
    tzset();                    /* or the first gmtime_r() would, and allocate */
    pthread_mutex_lock(&lock);
    to_journal = stderr_is_journal();
    last.len = 0;
    n_repeats = 0;
    pthread_mutex_unlock(&lock);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&max_level, level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return atomic_load_explicit(&max_level, memory_order_relaxed);
}

void log_set_clock(int64_t (*wall_ms)(void))
{
    pthread_mutex_lock(&lock);
    clock_ms = wall_ms;
    pthread_mutex_unlock(&lock);
}

static void line_head(struct line *line, enum log_level level, const char *module)
{
    static const char *const words[] = {
        [LOG_ERROR] = "error", [LOG_WARN] = "warn",
        [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
    };
    int n = snprintf(line->text, sizeof(line->text), "%s %.32s: ",
                     words[level], module);

    line->level = level;
    line->head_len = line->len = (size_t)n;
}

/* Appends `s` so that it can neither end the line nor steer a terminal. */
static void line_add(struct line *line, const char *s)
{
    static const char hex[] = "0123456789abcdef";

    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        char *to = line->text + line->len;

        if (line->len + 4 + 3 > sizeof(line->text)) {   /* \xNN and ... */
            memcpy(to, "...", 3);
            line->len += 3;
            return;
        }
        if (c == '\\') {
            memcpy(to, "\\\\", 2);
            line->len += 2;
        } else if (c < ' ' || c > '~') {
            memcpy(to, (char[]){ '\\', 'x', hex[c >> 4], hex[c & 15] }, 4);
            line->len += 4;
        } else {
            *to = (char)c;
            line->len++;
        }
    }
}

static size_t put_stamp(char *out, enum log_level level, int64_t at_ms)
{
    static const int priorities[] = {       /* of syslog(3) */
        [LOG_ERROR] = 3, [LOG_WARN] = 4, [LOG_INFO] = 6, [LOG_DEBUG] = 7,
    };
    time_t seconds = (time_t)(at_ms / 1000);
    struct tm tm;
    size_t n;

    if (to_journal)
        return (size_t)snprintf(out, STAMP_SIZE, "<%d>", priorities[level]);
    if (gmtime_r(&seconds, &tm) == NULL)
        return 0;
    n = strftime(out, STAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(out + n, STAMP_SIZE - n, ".%03dZ ",
                                (int)(at_ms % 1000));
}

/* A failure has nobody to be told to; a full non-blocking pipe loses lines. */
static void line_put(const struct line *line, int64_t at_ms)
{
    char out[LOG_LINE_MAX];
    size_t n = put_stamp(out, line->level, at_ms);

    memcpy(out + n, line->text, line->len);
    n += line->len;
    out[n++] = '\n';
    while (write(STDERR_FILENO, out, n) < 0 && errno == EINTR)
        ;
}

static void put_repeats(void)
{
    int64_t seconds = (repeated_at_ms - last_at_ms + 999) / 1000;
    struct line line;
    char text[80];

    if (n_repeats == 0)
        return;
    snprintf(text, sizeof(text), "last line repeated %lu time%s in %lld s",
             n_repeats, n_repeats == 1 ? "" : "s",
             (long long)(seconds > 0 ? seconds : 1));
    line.level = last.level;
    line.head_len = line.len = last.head_len;
    memcpy(line.text, last.text, last.head_len);
    line_add(&line, text);
    line_put(&line, repeated_at_ms);
    n_repeats = 0;
}

/* A wall clock that jumps, either way, only ends the count early. */
static bool is_repeat(const struct line *line, int64_t at_ms)
{
    return at_ms >= last_at_ms && at_ms - last_at_ms < REPEAT_MS
        && line->len == last.len
        && memcmp(line->text, last.text, last.len) == 0;
}

static void line_emit(const struct line *line)
{
    pthread_mutex_lock(&lock);

    int64_t at_ms = now_ms();

    if (is_repeat(line, at_ms)) {
        n_repeats++;
        repeated_at_ms = at_ms;
    } else {
        put_repeats();
        line_put(line, at_ms);
        last = *line;
        last_at_ms = at_ms;
    }
    pthread_mutex_unlock(&lock);
}

void log_write(enum log_level level, const char *module, const char *format, ...)
{
    int saved_errno = errno;
    char text[TEXT_MAX];
    struct line line;
    va_list args;
    int n;

    if (level > log_get_level())
        return;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    line_head(&line, level, module);
    line_add(&line, n >= 0 ? text : "(a message that cannot be printed)");
    line_emit(&line);
    errno = saved_errno;
}

void log_flush(void)
{
    int saved_errno = errno;

    pthread_mutex_lock(&lock);
    if (n_repeats > 0) {
        int64_t at_ms = repeated_at_ms;

        put_repeats();
        last_at_ms = at_ms;     /* what repeats from here on is counted from here */
    }
    pthread_mutex_unlock(&lock);
    errno = saved_errno;
}

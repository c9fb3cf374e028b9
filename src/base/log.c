#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log_line.h"
#include "base/num.h"

#define WINDOW_MS 10000
#define SITES 64                /* calls whose lines are counted at a time */

static_assert(LOG_LINE_MAX <= PIPE_BUF, "a line must stay whole in a pipe");

/* A call, by its format, and what became of its lines since a time. */
struct site {
    const char *format;         /* NULL: unused */
    int64_t since_ms;
    unsigned n_written;
    unsigned long n_hidden;     /* not yet told */
    int64_t hidden_at_ms;       /* the latest of them */
    enum log_level level;
    char module[sizeof(((struct log_line *)0)->module)];
    char message[sizeof(((struct log_line *)0)->message)];      /* of the first hidden */
};

static _Atomic enum log_level max_level = LOG_INFO;
static _Atomic bool is_verbose;
static _Atomic enum log_format form = LOG_TEXT;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* All below is held by `lock`. */
static bool stderr_is_journal;
static int file = -1;                   /* -1: stderr */
static char file_path[PATH_MAX];
static int first_stderr = -1;           /* what it was before the file took its place */
static bool takes_stderr;
static int64_t (*clock_ms)(void);       /* NULL: the real one */
static struct log_line last;            /* len 0: none yet */
static int64_t last_at_ms;              /* when it was written */
static unsigned long n_repeats;         /* since then, not yet told */
static int64_t repeated_at_ms;          /* the latest of them */
static struct site sites[SITES];

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
static bool leads_to_journal(void)
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
    stderr_is_journal = leads_to_journal();
    last.len = 0;
    n_repeats = 0;
    memset(sites, 0, sizeof(sites));
    pthread_mutex_unlock(&lock);
}

void log_set_clock(int64_t (*wall_ms)(void))
{
    pthread_mutex_lock(&lock);
    clock_ms = wall_ms;
    pthread_mutex_unlock(&lock);
}

/* level and form */

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&max_level, level, memory_order_relaxed);
}

void log_set_verbose(bool verbose)
{
    atomic_store_explicit(&is_verbose, verbose, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
    return atomic_load_explicit(&is_verbose, memory_order_relaxed)
         ? LOG_DEBUG : atomic_load_explicit(&max_level, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    atomic_store_explicit(&form, format, memory_order_relaxed);
}

bool log_level_of_word(const char *word, enum log_level *level)
{
    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        if (strcmp(word, log_level_word((enum log_level)i)) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_format_of_word(const char *word, enum log_format *format)
{
    *format = strcmp(word, "json") == 0 ? LOG_JSON : LOG_TEXT;
    return *format == LOG_JSON || strcmp(word, "text") == 0;
}

#define SETTING_JSON 16
#define SETTING_VERBOSE 32

int log_settings(void)
{
    return (int)atomic_load_explicit(&max_level, memory_order_relaxed)
         | (atomic_load_explicit(&form, memory_order_relaxed) == LOG_JSON ? SETTING_JSON : 0)
         | (atomic_load_explicit(&is_verbose, memory_order_relaxed) ? SETTING_VERBOSE : 0);
}

void log_set_settings(int settings)
{
    log_set_level((enum log_level)(settings & LOG_DEBUG));
    log_set_format((settings & SETTING_JSON) != 0 ? LOG_JSON : LOG_TEXT);
    log_set_verbose((settings & SETTING_VERBOSE) != 0);
}

/* where lines go */

/* What is written to stderr goes where lines go. */
static void place_stderr(void)
{
    if (takes_stderr)
        (void)dup2(file >= 0 ? file : first_stderr, STDERR_FILENO);
}

/* A pipe that nobody reads must not stop us: hence O_NONBLOCK. */
static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
}

static void put_repeats(void);

bool log_open(const char *path)
{
    int fd = -1;

    if (strlen(path) >= sizeof(file_path)) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (*path != '\0' && (fd = open_file(path)) < 0)
        return false;
    pthread_mutex_lock(&lock);
    put_repeats();
    last.len = 0;               /* of a line in another file nothing is a repeat */
    if (file >= 0)
        close(file);
    file = fd;
    memmove(file_path, path, strlen(path) + 1);
    place_stderr();
    pthread_mutex_unlock(&lock);
    return true;
}

bool log_reopen(void)
{
    char path[sizeof(file_path)];

    pthread_mutex_lock(&lock);
    memcpy(path, file_path, sizeof(path));
    pthread_mutex_unlock(&lock);
    return log_open(path);
}

void log_take_stderr(void)
{
    pthread_mutex_lock(&lock);
    if (!takes_stderr) {
        first_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
        takes_stderr = first_stderr >= 0;
        place_stderr();
    }
    pthread_mutex_unlock(&lock);
}

void log_return_stderr(void)
{
    pthread_mutex_lock(&lock);
    if (takes_stderr) {
        (void)dup2(first_stderr, STDERR_FILENO);
        close(first_stderr);
        takes_stderr = false;
    }
    pthread_mutex_unlock(&lock);
}

static size_t put_time(char *out, int64_t at_ms)
{
    time_t seconds = (time_t)(at_ms / 1000);
    struct tm tm;
    size_t n;

    if (gmtime_r(&seconds, &tm) == NULL)
        return 0;
    n = strftime(out, LOG_STAMP_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(out + n, LOG_STAMP_MAX - n, ".%03dZ", (int)(at_ms % 1000));
}

static size_t put_stamp(char *out, const struct log_line *line, int64_t at_ms)
{
    static const int priorities[] = {       /* of syslog(3) */
        [LOG_ERROR] = 3, [LOG_WARN] = 4, [LOG_INFO] = 6, [LOG_DEBUG] = 7,
    };
    const bool to_journal = stderr_is_journal && file < 0;
    const bool is_json = line->text[0] == '"';
    char time[LOG_STAMP_MAX] = "";

    if (to_journal)
        return (size_t)snprintf(out, LOG_STAMP_MAX, "<%d>%s", priorities[line->level],
                                is_json ? "{" : "");
    (void)put_time(time, at_ms);
    return (size_t)snprintf(out, LOG_STAMP_MAX, is_json ? "{\"ts\":\"%.24s\"," : "%.24s ", time);
}

/* A failure has nobody to be told to; a full non-blocking pipe loses lines. */
static void line_put(const struct log_line *line, int64_t at_ms)
{
    char out[LOG_LINE_MAX];
    size_t n = put_stamp(out, line, at_ms);

    memcpy(out + n, line->text, line->len);
    n += line->len;
    out[n++] = '\n';
    while (write(file >= 0 ? file : STDERR_FILENO, out, n) < 0 && errno == EINTR)
        ;
}

/* what is counted */

__attribute__((format(printf, 4, 5)))
static void put_count(enum log_level level, const char *module, int64_t at_ms,
                      const char *format, ...)
{
    struct log_line line;
    va_list args;

    va_start(args, format);
    log_line_make(&line, atomic_load_explicit(&form, memory_order_relaxed), level, module, 0,
                  format, args);
    va_end(args);
    line_put(&line, at_ms);
}

/* From one time to another, at least one. */
static long long seconds_of(int64_t from_ms, int64_t to_ms)
{
    return to_ms > from_ms ? (to_ms - from_ms + 999) / 1000 : 1;
}

static void put_repeats(void)
{
    if (n_repeats == 0)
        return;
    put_count(last.level, last.module, repeated_at_ms, "last line repeated %lu time%s in %lld s",
              n_repeats, n_repeats == 1 ? "" : "s", seconds_of(last_at_ms, repeated_at_ms));
    n_repeats = 0;
}

static void put_hidden(struct site *s)
{
    if (s->n_hidden == 0)
        return;
    put_repeats();
    put_count(s->level, s->module, s->hidden_at_ms, "%lu more such line%s in %lld s like=%s",
              s->n_hidden, s->n_hidden == 1 ? "" : "s", seconds_of(s->since_ms, s->hidden_at_ms),
              s->message);
    s->n_hidden = 0;
    last.len = 0;               /* it is not the last any more */
}

/* Its own, an unused one, or that which has been counting for the longest. */
static struct site *site_of(const char *format)
{
    struct site *oldest = &sites[0];

    for (struct site *s = sites; s < sites + SITES; s++) {
        if (s->format == format || s->format == NULL)
            return s;
        if (s->since_ms < oldest->since_ms)
            oldest = s;
    }
    return oldest;
}

static void hide(struct site *s, const struct log_line *line, int64_t at_ms)
{
    if (s->n_hidden++ == 0) {
        s->level = line->level;
        memcpy(s->module, line->module, sizeof(s->module));
        memcpy(s->message, line->message, sizeof(s->message));
    }
    s->hidden_at_ms = at_ms;
}

static bool is_within(int64_t from_ms, int64_t at_ms)
{
    return at_ms >= from_ms && at_ms - from_ms < WINDOW_MS;
}

/* False: enough of its call were written.  A clock that jumps lets more pass. */
static bool may_pass(const char *format, const struct log_line *line, int64_t at_ms)
{
    struct site *s = site_of(format);

    if (s->format != format || !is_within(s->since_ms, at_ms)) {
        put_hidden(s);
        *s = (struct site){ .format = format, .since_ms = at_ms };
    }
    if (s->n_written < LOG_BURST || line->level == LOG_DEBUG) {
        s->n_written++;
        return true;
    }
    hide(s, line, at_ms);
    return false;
}

/* A wall clock that jumps, either way, only ends the count early. */
static bool is_repeat(const struct log_line *line, int64_t at_ms)
{
    return is_within(last_at_ms, at_ms) && line->len == last.len
        && memcmp(line->text, last.text, last.len) == 0;
}

static void line_emit(const char *format, const struct log_line *line)
{
    pthread_mutex_lock(&lock);

    int64_t at_ms = now_ms();

    if (is_repeat(line, at_ms)) {
        n_repeats++;
        repeated_at_ms = at_ms;
    } else if (may_pass(format, line, at_ms)) {
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
    struct log_line line;
    va_list args;

    if (level > log_get_level())
        return;
    va_start(args, format);
    log_line_make(&line, atomic_load_explicit(&form, memory_order_relaxed), level, module,
                  saved_errno, format, args);
    va_end(args);
    line_emit(format, &line);
    errno = saved_errno;
}

void log_fail(const char *format, ...)
{
    const bool is_json = atomic_load_explicit(&form, memory_order_relaxed) == LOG_JSON;
    char text[LOG_TEXT_MAX];
    bool has_file, has_journal;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    for (char *p = text; *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';           /* a name, say, that is to steer the terminal */
    pthread_mutex_lock(&lock);
    has_file = file >= 0;
    has_journal = stderr_is_journal;
    pthread_mutex_unlock(&lock);
    if (has_file || is_json)
        log_error("main", "%s", text);
    if (has_file || !is_json)
        fprintf(stderr, "%schcached: %s\n", has_journal ? "<3>" : "", text);
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
    for (struct site *s = sites; s < sites + SITES; s++)
        put_hidden(s);
    pthread_mutex_unlock(&lock);
    errno = saved_errno;
}

#include "ctl/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/human.h"
#include "base/mem.h"
#include "ctl/ask.h"
#include "ctl/table.h"

#define LOOK_MS 200
#define BAR_WIDTH 22
#define PATIENCE 25             /* looks in a row without an answer: a leader restarts */

struct progress {
    bool terminal;
    long long told;             /* percent, of the last line; -1: none yet */
    bool line;                  /* on the terminal there is one to be ended */
};

static const char *doing(const char *kind)
{
    static const struct { const char *kind, *doing; } words[] = {
        { "add", "adding" }, { "remove", "removing" }, { "drain", "draining" },
        { "weight", "reweighting" }, { "heal", "healing" }, { "replace", "replacing" },
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].kind, kind) == 0)
            return words[i].doing;
    return kind;
}

static long long percent(const json_t *job)
{
    const long long done = ask_number(job, "items_done"), left = ask_number(job, "items_left");

    if (strcmp(ask_text(job, "status"), "done") == 0)
        return 100;
    return done + left > 0 ? (long long)(100.0 * (double)done / (double)(done + left)) : 0;
}

static char *time_left(char *out, size_t size, const json_t *job)
{
    const long long ms = ask_number(job, "eta_ms");

    out[0] = '\0';
    if (strcmp(ask_text(job, "status"), "running") == 0 && ms > 0)
        snprintf(out, size, "  %lld s left", (ms + 999) / 1000);
    return out;
}

/* "draining s2", or what it waits for. */
static char *subject(const json_t *job)
{
    const bool queued = strcmp(ask_text(job, "status"), "queued") == 0;
    const char *words = ask_text(job, "words");
    char *raw = xasprintf("%s%s %s%s%s", queued ? "waits: " : "", doing(ask_text(job, "kind")),
                          ask_text(job, "node"), words[0] != '\0' ? ", " : "", words);
    char *text = table_clean(raw);

    free(raw);
    return text;
}

static void show_bar(struct progress *p, const json_t *job, const char *what)
{
    const long long done = ask_number(job, "items_done"), left = ask_number(job, "items_left");
    char bar[BAR_WIDTH + 1], a[HUMAN_MAX], b[HUMAN_MAX], eta[HUMAN_MAX];

    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)(percent(job) * BAR_WIDTH / 100));
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r\033[K%s  [%s]  %lld %%  %s / %s items%s", what, bar, percent(job),
            human_count(a, done), human_count(b, done + left),
            time_left(eta, sizeof(eta), job));
    p->line = true;
}

static void show_line(struct progress *p, const json_t *job, const char *what)
{
    const long long done = ask_number(job, "items_done"), left = ask_number(job, "items_left");
    char a[HUMAN_MAX], b[HUMAN_MAX], eta[HUMAN_MAX];

    if (p->told >= 0 && percent(job) / 10 <= p->told / 10)
        return;
    p->told = percent(job);
    fprintf(stderr, "%s  %lld %%  %s / %s items%s\n", what, p->told, human_count(a, done),
            human_count(b, done + left), time_left(eta, sizeof(eta), job));
}

static void show(struct progress *p, const json_t *job)
{
    char *what = subject(job);

    if (p->terminal)
        show_bar(p, job, what);
    else
        show_line(p, job, what);
    free(what);
}

static void end_line(struct progress *p)
{
    if (p->line)
        fputc('\n', stderr);
    p->line = false;
}

static void pause_a_little(void)
{
    const struct timespec t = { 0, LOOK_MS * 1000000 };

    nanosleep(&t, NULL);
}

/* False: it has ended, *rc is how.  One that is aborting has not. */
static bool goes_on(const json_t *job, int *rc)
{
    const char *status = ask_text(job, "status");

    *rc = strcmp(status, "done") == 0 ? YES : NO;
    return *rc == NO && strcmp(status, "aborted") != 0 && strcmp(status, "failed") != 0;
}

static int tell_end(const struct ctl *ctl, json_t *job, int rc)
{
    const char *words = ask_text(job, "words");
    char *clean = table_clean(words[0] != '\0' ? words : ask_text(job, "status"));

    if (rc != YES)
        (void)say(rc, "job %lld: %s", ask_number(job, "id"), clean);
    free(clean);
    if (ctl->json)
        return say_json(rc, job);
    json_decref(job);
    return rc;
}

int progress_wait(const struct ctl *ctl, long long id)
{
    struct progress p = { .terminal = isatty(STDERR_FILENO) != 0, .told = -1 };
    char *path = xasprintf("/v1/jobs/%lld", id);
    json_t *job = NULL;
    unsigned silent = 0;
    int rc;

    while (silent < PATIENCE) {
        say_hush(UNREACHED);
        rc = ask(ctl, "GET", path, NULL, &job);
        say_hush(-1);
        silent = rc == UNREACHED ? silent + 1 : 0;
        if (rc == NO)
            break;
        if (rc == YES) {
            show(&p, job);
            if (!goes_on(job, &rc))
                break;
            json_decref(job);
            job = NULL;
        }
        pause_a_little();
    }
    end_line(&p);
    free(path);
    if (job != NULL)
        return tell_end(ctl, job, rc);
    if (rc == UNREACHED)
        (void)say(rc, "%s: no answer; the job may go on, see chcachectl jobs wait %lld",
                  ctl->admin, id);
    return rc;
}

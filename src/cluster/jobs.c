#include "cluster/jobs.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of the jobs that are over the oldest goes.  False: there is none. */
static bool make_room(struct state *s)
{
    size_t i = 0;

    while (i < s->n_jobs && !job_is_over(&s->jobs[i]))
        i++;
    if (i == s->n_jobs)
        return false;
    s->n_jobs--;
    memmove(&s->jobs[i], &s->jobs[i + 1], (s->n_jobs - i) * sizeof(s->jobs[0]));
    return true;
}

struct job *jobs_new(struct state *s, enum job_kind kind, const char *member, int64_t wall_ms)
{
    struct job *job;

    if (s->n_jobs == STATE_MAX_JOBS && !make_room(s))
        return NULL;
    if (s->next_job == 0)
        s->next_job = 1;
    job = &s->jobs[s->n_jobs++];
    *job = (struct job){ .id = s->next_job++, .kind = kind, .status = JOB_QUEUED,
                         .asked_ms = wall_ms, .eta_ms = -1 };
    snprintf(job->member, sizeof(job->member), "%s", member);
    return job;
}

struct job *jobs_find(struct state *s, uint64_t id)
{
    for (size_t i = 0; i < s->n_jobs; i++)
        if (s->jobs[i].id == id)
            return &s->jobs[i];
    return NULL;
}

bool job_is_over(const struct job *job)
{
    return job->status == JOB_DONE || job->status == JOB_ABORTED || job->status == JOB_FAILED;
}

bool job_is_asked(const struct job *job)
{
    return job->kind != JOB_HEAL && job->kind != JOB_REPLACE;
}

struct job *jobs_current(struct state *s)
{
    for (size_t i = 0; i < s->n_jobs; i++)
        if (job_is_asked(&s->jobs[i]) && !job_is_over(&s->jobs[i]))
            return &s->jobs[i];
    return NULL;
}

struct job *jobs_about(struct state *s, const char *member)
{
    for (size_t i = 0; i < s->n_jobs; i++)
        if (job_is_asked(&s->jobs[i]) && !job_is_over(&s->jobs[i]) &&
            strcmp(s->jobs[i].member, member) == 0)
            return &s->jobs[i];
    return NULL;
}

void job_begin(struct job *job, int64_t wall_ms)
{
    job->status = JOB_RUNNING;
    job->began_ms = wall_ms;
    job->words[0] = '\0';
}

void job_end(struct job *job, enum job_status status, const char *words, int64_t wall_ms)
{
    job->status = status;
    job->ended_ms = wall_ms;
    job->rate_items = 0;
    job->eta_ms = -1;
    if (status == JOB_DONE)
        job->items_left = job->bytes_left = 0;
    job_say(job, "%s", words);
}

bool job_say(struct job *job, const char *format, ...)
{
    char words[JOB_WORDS_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    if (strcmp(words, job->words) == 0)
        return false;
    memcpy(job->words, words, sizeof(words));
    return true;
}

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/change.h"
#include "cluster/jobs.h"
#include "cluster/leader_parts.h"
#include "ring/ring.h"

/* ---- asking ---------------------------------------------------------------- */

static uint64_t refuse(struct leader *l, const char **why, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static uint64_t refuse(struct leader *l, const char **why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(l->words, sizeof(l->words), format, args);
    va_end(args);
    *why = l->words;
    return 0;
}

static uint64_t queue(struct leader *l, enum job_kind kind, const char *name,
                      unsigned weight, const char **why)
{
    struct job *job = jobs_new(&l->state, kind, name, leader_wall_ms(l));

    if (job == NULL)
        return refuse(l, why, "%d jobs wait already", STATE_MAX_JOBS);
    job->weight = (uint16_t)weight;
    l->unsaved = true;
    return job->id;
}

static bool is_weight(const struct leader *l, const char *name, unsigned weight)
{
    const struct map *map = l->state.map;
    size_t sum = weight;

    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->members[i].name, name) != 0)
            sum += map->members[i].wanted_weight;
    return weight > 0 && weight <= MAP_MAX_WEIGHT && sum <= RING_MAX_WEIGHT;
}

/* Who else would hold what it gives away. */
static bool has_others(const struct map *map, const char *name)
{
    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->members[i].name, name) != 0 && map->members[i].wanted_weight > 0 &&
            map->members[i].state != MEMBER_EJECTED)
            return true;
    return false;
}

/* The member of that name; NULL, with words, when there is none to ask about. */
static const struct member *asked_about(struct leader *l, const char *name, const char **why)
{
    const struct map *map = leader_map(l);
    const struct job *job;
    int i = map != NULL ? map_find(map, name) : -1;

    if (map == NULL)
        refuse(l, why, "there is no map yet");
    else if (i < 0)
        refuse(l, why, "there is no member %.64s", name);
    else if ((job = jobs_about(&l->state, name)) != NULL)
        refuse(l, why, "job %llu about %.64s is not over", (unsigned long long)job->id, name);
    else
        return &map->members[i];
    return NULL;
}

static bool fits(const char *text, size_t least, size_t most, char from)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (text[i] < from || text[i] > '~')
            return false;
    return len >= least && len <= most;
}

uint64_t leader_add(struct leader *l, const struct leader_member *member, const char **why)
{
    const struct map *map = leader_map(l);
    const char *zone = member->zone != NULL ? member->zone : "";
    struct job *job;
    uint64_t id;

    if (map == NULL)
        return refuse(l, why, "there is no map yet");
    if (!fits(member->name, 1, MAP_NAME_MAX, '!') || !fits(zone, 0, MAP_NAME_MAX, '!'))
        return refuse(l, why, "a name has 1 to %d printable characters", MAP_NAME_MAX);
    if (!fits(member->address, 1, ADDRESS_MAX - 1, ' '))
        return refuse(l, why, "%.64s has no address that can be", member->name);
    if (map_find(map, member->name) >= 0 || jobs_about(&l->state, member->name) != NULL)
        return refuse(l, why, "there is a member %.64s already", member->name);
    if (!is_weight(l, member->name, member->weight))
        return refuse(l, why, "a weight is 1 to %d, all together %d at most", MAP_MAX_WEIGHT,
                      RING_MAX_WEIGHT);
    if (map->n >= MAP_MAX_MEMBERS)
        return refuse(l, why, "there are %d members already", MAP_MAX_MEMBERS);
    id = queue(l, JOB_ADD, member->name, member->weight, why);
    if (id != 0) {
        job = jobs_find(&l->state, id);
        snprintf(job->zone, sizeof(job->zone), "%s", zone);
        snprintf(job->address, sizeof(job->address), "%s", member->address);
    }
    return id;
}

uint64_t leader_drain(struct leader *l, const char *name, const char **why)
{
    const struct member *m = asked_about(l, name, why);

    if (m == NULL)
        return 0;
    if (!has_others(l->state.map, name))
        return refuse(l, why, "%.64s is the last shard that holds items", name);
    return queue(l, JOB_DRAIN, name, 0, why);
}

uint64_t leader_weight(struct leader *l, const char *name, unsigned weight, const char **why)
{
    const struct member *m = asked_about(l, name, why);

    if (m == NULL)
        return 0;
    if (!is_weight(l, name, weight))
        return refuse(l, why, "a weight is 1 to %d, all together %d at most", MAP_MAX_WEIGHT,
                      RING_MAX_WEIGHT);
    if (m->state == MEMBER_EJECTED)
        return refuse(l, why, "%.64s is down", name);
    return queue(l, JOB_WEIGHT, name, weight, why);
}

uint64_t leader_remove(struct leader *l, const char *name, bool force, const char **why)
{
    const struct member *m = asked_about(l, name, why);

    if (m == NULL)
        return 0;
    if (!has_others(l->state.map, name))
        return refuse(l, why, "%.64s is the last shard that holds items", name);
    if (m->state == MEMBER_EJECTED && m->weight > 0 && !force)
        return refuse(l, why, "%.64s is down and may come back: force it to be forgotten", name);
    return queue(l, JOB_REMOVE, name, 0, why);
}

bool leader_abort(struct leader *l, uint64_t id, const char **why)
{
    struct job *job = jobs_find(&l->state, id);
    const struct map *map = l->state.map;
    int i;

    if (job == NULL || job_is_over(job))
        return refuse(l, why, job == NULL ? "there is no such job" : "it is over") != 0;
    if (!job_is_asked(job))
        return refuse(l, why, "it is the cluster's own and would begin again") != 0;
    if (job->status == JOB_QUEUED) {
        job_end(job, JOB_ABORTED, "before it began", leader_wall_ms(l));
    } else {
        i = map_find(map, job->member);
        if (map->phase == MAP_SWITCHED && i >= 0 &&
            map->members[i].weight != map->members[i].next_weight)
            return refuse(l, why, "it is too late: all has moved") != 0;
        job->status = JOB_ABORTING;
    }
    l->unsaved = true;
    return true;
}

const struct job *leader_jobs(const struct leader *l, size_t *n)
{
    *n = l->state.n_jobs;
    return l->state.jobs;
}

const struct job *leader_job(const struct leader *l, uint64_t id)
{
    return jobs_find((struct state *)&l->state, id);
}

/* ---- doing ----------------------------------------------------------------- */

/* Ends a job without a map. */
static bool end_now(struct leader *l, struct job *job, enum job_status status, const char *words)
{
    job_end(job, status, words, leader_wall_ms(l));
    l->unsaved = true;
    return false;
}

/* The same job in the draft. */
static struct job *drafted(struct leader *l, const struct job *job)
{
    return jobs_find(l->draft, job->id);
}

/* The lowest number that nobody ever had; all were: that nobody has. */
static uint16_t new_number(struct state *s)
{
    for (unsigned turn = 0; turn < 2; turn++) {
        for (uint16_t n = 1; n <= MAP_MAX_MEMBERS; n++)
            if ((s->numbers[n / 64] >> n % 64 & 1) == 0)
                return n;
        memset(s->numbers, 0, sizeof(s->numbers));
        leader_mark_numbers(s);
    }
    abort();                    /* leader_add() counts members */
}

/* It is known from now on; what fills it when it answers is what fills anybody. */
static bool begin_add(struct leader *l, const struct job *job)
{
    struct map *next;
    struct member *m;

    if (map_find(l->state.map, job->member) >= 0 || l->state.map->n >= MAP_MAX_MEMBERS)
        return end_now(l, jobs_find(&l->state, job->id), JOB_FAILED,
                       "there is such a member already, or no room");
    next = leader_draft(l, 1);
    m = &next->members[next->n - 1];
    m->number = new_number(l->draft);
    m->state = MEMBER_EJECTED;
    m->wanted_weight = job->weight;
    memcpy(m->name, job->member, sizeof(m->name));
    memcpy(m->zone, job->zone, sizeof(m->zone));
    memcpy(m->address, job->address, sizeof(m->address));
    map_sort(next);
    job_begin(drafted(l, job), leader_wall_ms(l));
    job_say(drafted(l, job), "waits for %.64s to answer", job->member);
    return true;
}

static bool begin_job(struct leader *l, struct job *job)
{
    const struct map *map = l->state.map;
    int i = map_find(map, job->member);
    struct job *draft;

    if (job->weight > 0 && !is_weight(l, job->member, job->weight))
        return end_now(l, job, JOB_FAILED, "all weights together would be too great");
    if (job->kind == JOB_ADD)
        return begin_add(l, job);
    if (i < 0)
        return end_now(l, job, JOB_FAILED, "there is no such member any more");
    if (job->weight == 0 && !has_others(map, job->member))
        return end_now(l, job, JOB_FAILED, "it is the last shard that holds items");
    leader_draft(l, 0)->members[i].wanted_weight = job->weight;
    draft = drafted(l, job);
    draft->old_weight = map->members[i].wanted_weight;
    job_begin(draft, leader_wall_ms(l));
    return true;
}

/* Nothing changes now: is it where it was to be? */
static bool look_after(struct leader *l, struct job *job)
{
    const struct map *map = l->state.map;
    int i = map_find(map, job->member);
    const struct member *m = i >= 0 ? &map->members[i] : NULL;

    if (m == NULL)
        return end_now(l, job, JOB_FAILED, "the map that the members have does not know it");
    if (m->weight != job->weight ||
        (job->kind == JOB_ADD && (m->state != MEMBER_UP || m->filling))) {
        if (m->state == MEMBER_EJECTED)
            l->unsaved |= job_say(job, "waits for %.64s to answer", job->member);
        return false;
    }
    if (job->kind != JOB_REMOVE)
        return end_now(l, job, JOB_DONE, "");
    if (m->voter)
        return false;           /* it is taken off first */
    change_drop(leader_draft(l, 0), (size_t)i);
    job_end(drafted(l, job), JOB_DONE, "", leader_wall_ms(l));
    return true;
}

bool leader_run_job(struct leader *l)
{
    struct job *job = jobs_current(&l->state);

    if (job == NULL)
        return false;
    return job->status == JOB_QUEUED ? begin_job(l, job) : look_after(l, job);
}

/* The leader's own that were part of the phase begin again by themselves. */
static void give_up(struct leader *l, const struct job *job)
{
    char words[JOB_WORDS_MAX];

    snprintf(words, sizeof(words), "given up with job %llu", (unsigned long long)job->id);
    change_give_up(l->draft->map);
    for (size_t i = 0; i < l->draft->n_jobs; i++)
        if (!job_is_asked(&l->draft->jobs[i]) && !job_is_over(&l->draft->jobs[i]))
            job_end(&l->draft->jobs[i], JOB_FAILED, words, leader_wall_ms(l));
}

bool leader_abort_job(struct leader *l)
{
    struct job *job = jobs_current(&l->state);
    const struct map *map = l->state.map;
    struct member *m;
    struct map *next;
    int i;

    if (job == NULL || job->status != JOB_ABORTING)
        return false;
    i = map_find(map, job->member);
    if (i < 0)
        return end_now(l, job, JOB_ABORTED, "");
    if (map->phase != MAP_JOINT && map->members[i].weight == job->weight &&
        (map->members[i].state != MEMBER_EJECTED || job->kind == JOB_ADD)) {
        job->status = JOB_RUNNING;      /* it was too late */
        l->unsaved = true;
        return false;
    }
    if (map->phase == MAP_SWITCHED)
        return false;           /* another change: it ends soon */
    next = leader_draft(l, 0);
    m = &next->members[i];
    m->wanted_weight = job->old_weight;
    if (map->phase == MAP_JOINT && m->weight != m->next_weight)
        give_up(l, job);
    if (job->kind == JOB_ADD && m->weight == 0)
        change_drop(next, (size_t)i);
    job_end(drafted(l, job), JOB_ABORTED, "", leader_wall_ms(l));
    return true;
}

/* ---- progress -------------------------------------------------------------- */

#define MEASURE_MS 1000

void leader_measure_jobs(struct leader *l)
{
    const struct map *map = l->state.map;
    struct job sum = { 0 };
    int64_t passed_ms = l->now_ms - l->measured_ms;

    if (map->phase != MAP_JOINT) {
        l->measured_ms = l->now_ms;
        l->measured_items = l->rate_items = 0;
        return;
    }
    for (size_t i = 0; i < map->n; i++) {
        const struct ping *said = &l->witnesses[i].said;

        if (said->move_epoch != map->phase_since)
            continue;
        sum.items_done += said->items_sent;
        sum.bytes_done += said->bytes_sent;
        sum.items_left += said->items_left;
        sum.bytes_left += said->bytes_left;
    }
    if (passed_ms >= MEASURE_MS || sum.items_done < l->measured_items) {
        l->rate_items = sum.items_done < l->measured_items ? 0 :
                        (sum.items_done - l->measured_items) * 1000 / (uint64_t)passed_ms;
        l->measured_ms = l->now_ms;
        l->measured_items = sum.items_done;
    }
    for (size_t i = 0; i < l->state.n_jobs; i++) {
        struct job *job = &l->state.jobs[i];

        if (job->status != JOB_RUNNING)
            continue;
        job->items_done = sum.items_done;
        job->bytes_done = sum.bytes_done;
        job->items_left = sum.items_left;
        job->bytes_left = sum.bytes_left;
        job->rate_items = l->rate_items;
        job->eta_ms = l->rate_items > 0
                      ? (int64_t)(sum.items_left * 1000 / l->rate_items) : -1;
    }
}

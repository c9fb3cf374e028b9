#include "cluster/leader.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cluster/change.h"
#include "cluster/jobs.h"
#include "cluster/leader_parts.h"
#include "cluster/times.h"
#include "ring/ring.h"

/* ---- making one ------------------------------------------------------------ */

struct leader *leader_new(const struct leader_config *config)
{
    struct leader *l = xzalloc(sizeof(*l));

    l->name = xstrdup(config->name);
    l->address = xstrdup(config->address);
    l->incarnation = config->incarnation;
    l->replicas = config->replicas;
    l->hold_down_ms = config->hold_down_ms;
    l->started_ms = l->now_ms = config->now_ms;
    l->wall_ahead_ms = config->wall_ms - config->now_ms;
    l->state.next_job = 1;
    return l;
}

void leader_set_hold_down(struct leader *l, int64_t hold_down_ms)
{
    l->hold_down_ms = hold_down_ms;
}

void leader_free(struct leader *l)
{
    if (l == NULL)
        return;
    free(l->state.map);
    if (l->draft != NULL)
        free(l->draft->map);
    free(l->draft);
    free(l->newer);
    free(l->witnesses);
    free(l->name);
    free(l->address);
    free(l);
}

void leader_mark_numbers(struct state *s)
{
    for (size_t i = 0; i < s->map->n; i++) {
        uint16_t number = s->map->members[i].number;

        s->numbers[number / 64] |= (uint64_t)1 << number % 64;
    }
}

/* One record for each member of the map, in its order: who was known stays so. */
static void line_up(struct leader *l)
{
    const struct map *map = l->state.map;
    struct witness *all = xzalloc(map->n * sizeof(*all));

    for (size_t i = 0; i < map->n; i++) {
        size_t j = 0;

        while (j < l->n_witnesses && strcmp(l->witnesses[j].name, map->members[i].name) != 0)
            j++;
        if (j < l->n_witnesses)
            all[i] = l->witnesses[j];
        else
            witness_init(&all[i], map->members[i].name, l->now_ms);
        if (map->members[i].state != MEMBER_EJECTED)
            all[i].ejected_ms = -1;
        else if (all[i].ejected_ms < 0)
            all[i].ejected_ms = l->now_ms;
        /* an earlier process of this very name is no more */
        if (strcmp(map->members[i].name, l->name) == 0 && l->incarnation != 0 &&
            map->members[i].incarnation != l->incarnation)
            all[i].dead = map->members[i].incarnation;
    }
    free(l->witnesses);
    l->witnesses = all;
    l->n_witnesses = map->n;
    l->digest = map_digest(map);
}

bool leader_load(struct leader *l, const char *data, size_t len, const char **why)
{
    assert(l->state.map == NULL);
    if (!state_read(data, len, &l->state, why))
        return false;
    if (l->state.map == NULL) {
        *why = "it holds no map";
        return false;
    }
    leader_mark_numbers(&l->state);
    line_up(l);
    return true;
}

static void fill_in(struct member *m, const struct leader_member *from)
{
    m->state = MEMBER_EJECTED;
    m->wanted_weight = (uint16_t)from->weight;
    snprintf(m->name, sizeof(m->name), "%s", from->name);
    snprintf(m->zone, sizeof(m->zone), "%s", from->zone != NULL ? from->zone : "");
    snprintf(m->address, sizeof(m->address), "%s", from->address);
}

/* The map of epoch 0 is none: it waits for who is to be in the first. */
bool leader_start_members(struct leader *l, const struct leader_member *members, size_t n)
{
    struct map *map = map_new(n);
    bool sound = true;

    assert(map != NULL && l->state.map == NULL);
    map->replicas = l->replicas;
    snprintf(map->leader, sizeof(map->leader), "%s", l->name);
    snprintf(map->leader_address, sizeof(map->leader_address), "%s", l->address);
    for (size_t i = 0; i < n; i++) {
        fill_in(&map->members[i], &members[i]);
        map->members[i].weight = (uint16_t)members[i].weight;
        sound = sound && members[i].weight > 0 && members[i].weight <= MAP_MAX_WEIGHT;
    }
    map_number(map);
    map->epoch = 1;
    if (!sound || !map_is_sound(map)) {
        free(map);
        return false;
    }
    map->epoch = map->phase_since = 0;
    l->state.map = map;
    leader_mark_numbers(&l->state);
    line_up(l);
    return true;
}

/* ---- what is seen ---------------------------------------------------------- */

static struct witness *find(struct leader *l, const char *name)
{
    int i = l->state.map != NULL ? map_find(l->state.map, name) : -1;

    return i >= 0 ? &l->witnesses[i] : NULL;
}

/* A map that is not from here is from here, but from after the file. */
static void take_newer(struct leader *l, const struct ping *p)
{
    struct map *map;

    if (p->map == NULL || (map = map_read(p->map, p->map_len)) == NULL)
        return;
    if (map->epoch > l->state.map->epoch &&
        (l->newer == NULL || map->epoch > l->newer->epoch)) {
        free(l->newer);
        l->newer = map;
    } else {
        free(map);
    }
}

const char *leader_hear(struct leader *l, const struct ping *p, int64_t now_ms)
{
    struct witness *w = find(l, p->name);

    if ((p->role & PING_SHARD) == 0)
        return NULL;
    if (w == NULL || p->incarnation == 0)
        return "the map has no such member";
    if (p->incarnation == w->dead)
        return NULL;            /* said before it ended */
    if (p->incarnation != w->incarnation && witness_is_there(w, now_ms)) {
        snprintf(l->words, sizeof(l->words), "another process of this name answers at %s",
                 w->said.address[0] != '\0' ? w->said.address : "its address");
        return l->words;
    }
    take_newer(l, p);
    witness_hear(w, p, now_ms);
    if (p->marks & PING_GOODBYE)
        w->dead = p->incarnation;
    return NULL;
}

void leader_lost(struct leader *l, const char *name, uint64_t incarnation, enum lost lost,
                 int64_t now_ms)
{
    struct witness *w = find(l, name);

    (void)now_ms;
    if (w == NULL)
        return;
    if (incarnation == 0)
        incarnation = w->incarnation != 0 ? w->incarnation
                                          : l->state.map->members[w - l->witnesses].incarnation;
    if (lost != LOST_REFUSED)
        w->dead = incarnation;
    else if (incarnation == w->incarnation || w->incarnation == 0)
        w->lost = true;
}

/* ---- drafts ---------------------------------------------------------------- */

int64_t leader_wall_ms(const struct leader *l)
{
    return l->now_ms + l->wall_ahead_ms;
}

/* A copy of `from` with the next epoch and room for more members. */
static struct map *next_map(const struct map *from, size_t more)
{
    const size_t n = from->n + more;
    struct map *next = xzalloc(sizeof(*next) + n * sizeof(next->members[0]));

    memcpy(next, from, sizeof(*from) + from->n * sizeof(from->members[0]));
    next->n = n;
    next->epoch = from->epoch + 1;
    return next;
}

/* Takes the map over as what will be. */
static struct map *propose(struct leader *l, struct map *next)
{
    assert(l->draft == NULL);
    l->draft = xmalloc(sizeof(*l->draft));
    *l->draft = l->state;
    l->draft->map = next;
    return next;
}

struct map *leader_draft(struct leader *l, size_t more)
{
    return propose(l, next_map(l->state.map, more));
}

void leader_commit(struct leader *l, bool saved)
{
    struct map *old = l->state.map;

    assert(l->draft != NULL);
    if (!saved) {
        free(l->draft->map);
        free(l->draft);
        l->draft = NULL;
        return;
    }
    l->state = *l->draft;
    free(l->draft);
    l->draft = NULL;
    l->unsaved = false;
    if (l->newer != NULL && l->newer->epoch <= l->state.map->epoch) {
        free(l->newer);
        l->newer = NULL;
    }
    leader_mark_numbers(&l->state);
    line_up(l);
    for (size_t i = 0; i < l->n_witnesses; i++) {
        const struct member *m = &l->state.map->members[i];
        int was = map_find(old, m->name);

        if (m->state != MEMBER_SUSPENDED)
            l->witnesses[i].suspended_ms = -1;
        if (m->state == MEMBER_UP && was >= 0 && old->members[was].state == MEMBER_SUSPENDED)
            witness_return(&l->witnesses[i], l->now_ms);
    }
    free(old);
}

char *leader_save(struct leader *l, size_t *len)
{
    char *data = state_put(l->draft != NULL ? l->draft : &l->state, len);

    if (l->draft == NULL)
        l->unsaved = false;
    return data;
}

bool leader_is_unsaved(const struct leader *l)
{
    return l->unsaved;
}

const struct map *leader_map(const struct leader *l)
{
    return l->state.map != NULL && l->state.map->epoch > 0 ? l->state.map : NULL;
}

/* ---- who is with us -------------------------------------------------------- */

bool leader_in_effect(const struct leader *l)
{
    const struct map *map = leader_map(l);
    bool obeys[MAP_MAX_MEMBERS];

    if (map == NULL)
        return false;
    for (size_t i = 0; i < map->n; i++)
        obeys[i] = witness_obeys(&l->witnesses[i], &map->members[i], map->epoch, l->digest);
    return change_has_majority(map, obeys);
}

/* Who can hear of the next map, or cannot object to it any more. */
static void list_counting(const struct leader *l, bool *counts)
{
    for (size_t i = 0; i < l->n_witnesses; i++) {
        const struct member *m = &l->state.map->members[i];

        counts[i] = witness_is_over(&l->witnesses[i], m) ||
                    witness_is_member(&l->witnesses[i], m, l->now_ms);
    }
}

/* Who is cut off from the voters makes no map: it could not take effect, and all
 * would look lost from here. */
static bool reaches_voters(const struct leader *l)
{
    bool counts[MAP_MAX_MEMBERS];

    list_counting(l, counts);
    return change_has_majority(l->state.map, counts);
}

/* All that are live have come as far as `reached` says, and none is doubtful. */
static bool all_live(const struct leader *l,
                     bool (*reached)(const struct leader *, const struct member *,
                                     const struct ping *))
{
    const struct map *map = l->state.map;

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        if (m->state == MEMBER_EJECTED)
            continue;
        if (m->state == MEMBER_SUSPENDED || l->witnesses[i].incarnation != m->incarnation ||
            !reached(l, m, &l->witnesses[i].said))
            return false;
    }
    return true;
}

static bool has_adopted(const struct leader *l, const struct member *m, const struct ping *said)
{
    (void)m;
    return said->adopted >= l->state.map->phase_since;
}

static bool has_moved(const struct leader *l, const struct member *m, const struct ping *said)
{
    return m->filling ||
           (said->move_epoch == l->state.map->phase_since && (said->marks & PING_DONE) != 0);
}

static bool has_ended(const struct leader *l, const struct member *m, const struct ping *said)
{
    (void)m;
    return said->ended >= map_end_epoch(l->state.map);
}

/* What it holds is of chains that it is in: what it will be given is all it has. */
static bool has_purged(const struct leader *l, const struct member *m, const struct ping *said)
{
    (void)m;
    return said->purged >= l->state.map->phase_since;
}

uint64_t leader_go(const struct leader *l)
{
    const struct map *map = leader_map(l);

    return map != NULL && map->phase == MAP_JOINT && all_live(l, has_adopted)
           ? map->phase_since : 0;
}

/* ---- deeds: what happens to members ---------------------------------------- */

/* Each makes a draft and answers true, or does nothing. */
typedef bool deed_fn(struct leader *l);

/* Ends the leader's own jobs about this member, or, NULL, all that are part of the
 * phase that is over. */
static void end_own_jobs(struct leader *l, const char *member, enum job_status status,
                         const char *words)
{
    for (size_t i = 0; i < l->draft->n_jobs; i++) {
        struct job *job = &l->draft->jobs[i];

        if (!job_is_asked(job) && !job_is_over(job) &&
            (member == NULL || strcmp(member, job->member) == 0))
            job_end(job, status, words, leader_wall_ms(l));
    }
}

static void own_job(struct leader *l, enum job_kind kind, const char *member)
{
    struct job *job;

    if (jobs_about(l->draft, member) != NULL)
        return;                 /* the operator's says it all */
    job = jobs_new(l->draft, kind, member, leader_wall_ms(l));
    if (job != NULL)
        job_begin(job, leader_wall_ms(l));
}

/* A majority knows by now who is suspended: from here on leases run out. */
static void start_waits(struct leader *l)
{
    for (size_t i = 0; i < l->n_witnesses; i++)
        if (l->state.map->members[i].state == MEMBER_SUSPENDED &&
            l->witnesses[i].suspended_ms < 0)
            l->witnesses[i].suspended_ms = l->now_ms;
}

static bool eject(struct leader *l, size_t i)
{
    const struct map *map = l->state.map;
    const char *name = map->members[i].name;
    bool counts[MAP_MAX_MEMBERS];
    char words[JOB_WORDS_MAX];

    list_counting(l, counts);
    change_eject(leader_draft(l, 0), i, counts);
    snprintf(words, sizeof(words), "%.64s was lost meanwhile", name);
    end_own_jobs(l, map->phase == MAP_JOINT ? NULL : name, JOB_FAILED, words);
    return true;
}

/* Who is dead holds no lease; who fills in a JOINT phase needs none. */
static bool eject_at_once(struct leader *l)
{
    const struct map *map = l->state.map;

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];
        const struct witness *w = &l->witnesses[i];

        if (m->state == MEMBER_EJECTED)
            continue;
        if (witness_is_dead(w, m) ||
            (map->phase == MAP_JOINT && m->filling && !witness_is_member(w, m, l->now_ms)))
            return eject(l, i);
    }
    return false;
}

/* Where nobody could take over, who is silent may as well come back with all it
 * holds: its lease runs out all the same.  Another process in its place holds
 * nothing. */
static bool suspend(struct leader *l)
{
    const struct map *map = l->state.map;
    struct map *next = NULL;

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];
        const struct witness *w = &l->witnesses[i];

        if (m->state != MEMBER_UP || witness_is_member(w, m, l->now_ms) ||
            (map->replicas == 1 && !witness_is_over(w, m)))
            continue;
        if (next == NULL)
            next = leader_draft(l, 0);
        next->members[i].state = MEMBER_SUSPENDED;
    }
    return next != NULL;
}

static bool take_back_or_eject(struct leader *l)
{
    const struct map *map = l->state.map;

    for (size_t i = 0; i < map->n; i++) {
        struct witness *w = &l->witnesses[i];

        if (map->members[i].state != MEMBER_SUSPENDED)
            continue;
        if (witness_is_member(w, &map->members[i], l->now_ms) &&
            witness_may_return(w, l->now_ms)) {
            leader_draft(l, 0)->members[i].state = MEMBER_UP;
            return true;
        }
        if (w->suspended_ms >= 0 && l->now_ms >= w->suspended_ms + LEASE_MS + MARGIN_MS)
            return eject(l, i);
    }
    return false;
}

/* ---- deeds: the change in progress ----------------------------------------- */

/* One voter more or less, if that is better.  A suspended one is one until it is
 * ejected, or back. */
static bool better_voters(const struct leader *l, struct map *map)
{
    bool may_vote[MAP_MAX_MEMBERS], counts[MAP_MAX_MEMBERS];

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        may_vote[i] = m->wanted_weight > 0 && !m->filling &&
                      (m->state == MEMBER_UP || (m->state == MEMBER_SUSPENDED && m->voter));
    }
    list_counting(l, counts);
    return change_voter(map, may_vote, counts);
}

static bool go_on(struct leader *l)
{
    const struct map *map = l->state.map;

    if (map->phase == MAP_JOINT && leader_go(l) != 0 && all_live(l, has_moved)) {
        change_phase(leader_draft(l, 0), MAP_SWITCHED);
        return true;
    }
    if (map->phase == MAP_SWITCHED && all_live(l, has_ended)) {
        change_settle(leader_draft(l, 0));
        (void)better_voters(l, l->draft->map);  /* spares a map */
        end_own_jobs(l, NULL, JOB_DONE, "");
        return true;
    }
    return false;
}

static bool change_the_voters(struct leader *l)
{
    struct map *next = next_map(l->state.map, 0);

    if (better_voters(l, next)) {
        propose(l, next);
        return true;
    }
    free(next);
    return false;
}

/* It may have moved: who it is stays. */
static bool readdress(struct leader *l)
{
    const struct map *map = l->state.map;

    for (size_t i = 0; i < map->n; i++) {
        const struct witness *w = &l->witnesses[i];

        if (map->members[i].state != MEMBER_UP || w->said.address[0] == '\0' ||
            w->incarnation != map->members[i].incarnation ||
            strcmp(w->said.address, map->members[i].address) == 0)
            continue;
        memcpy(leader_draft(l, 0)->members[i].address, w->said.address, ADDRESS_MAX);
        return true;
    }
    return false;
}

/* ---- deeds: a change begins ------------------------------------------------ */

/* Somebody who is live has a place on the new ring, and it is not too great. */
static bool is_possible(const struct map *map)
{
    size_t sum = 0;
    bool live = false;

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        sum += m->next_weight;
        live = live || (m->state != MEMBER_EJECTED && m->next_weight > 0);
    }
    return live && sum <= RING_MAX_WEIGHT;
}

/* Whether what was done to `next`, if `any`, is a change that can be made. */
static bool begin_joint(struct leader *l, struct map *next, bool any)
{
    if (any && is_possible(next)) {
        change_phase(propose(l, next), MAP_JOINT);
        return true;
    }
    free(next);
    return false;
}

/* Its process is there, goes by this map and holds nothing. */
static bool may_fill(const struct leader *l, size_t i)
{
    const struct map *map = l->state.map;
    const struct witness *w = &l->witnesses[i];

    return map->members[i].state == MEMBER_EJECTED && !map->members[i].voter &&
           witness_is_there(w, l->now_ms) &&
           w->said.seen == map->epoch && w->said.digest == l->digest &&
           w->said.purged == map->epoch;
}

static bool fill_returned(struct leader *l)
{
    const struct map *map = l->state.map;
    struct map *next = next_map(map, 0);
    bool any = false;

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        /* what else moves than its own place wants all to be purged */
        if (!may_fill(l, i) || m->wanted_weight == 0 ||
            (m->weight != m->wanted_weight && !all_live(l, has_purged)))
            continue;
        change_fill(next, i, l->witnesses[i].incarnation);
        any = true;
    }
    if (!begin_joint(l, next, any))
        return false;
    for (size_t i = 0; i < map->n; i++)
        if (next->members[i].filling)
            own_job(l, JOB_HEAL, map->members[i].name);
    return true;
}

/* Who is to hold nothing is a member all the same. */
static bool take_spare(struct leader *l)
{
    const struct map *map = l->state.map;

    for (size_t i = 0; i < map->n; i++) {
        struct map *next;

        if (!may_fill(l, i) || map->members[i].weight > 0 || map->members[i].wanted_weight > 0)
            continue;
        next = leader_draft(l, 0);
        next->members[i].state = MEMBER_UP;
        next->members[i].incarnation = l->witnesses[i].incarnation;
        next->members[i].since = next->epoch;
        return true;
    }
    return false;
}

static bool replace_lost(struct leader *l)
{
    const struct map *map = l->state.map;
    struct map *next = next_map(map, 0);
    bool any = false;

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];
        const struct witness *w = &l->witnesses[i];

        if (m->state != MEMBER_EJECTED || m->weight == 0 ||
            witness_is_there(w, l->now_ms) || l->now_ms - w->ejected_ms < l->hold_down_ms)
            continue;
        next->members[i].next_weight = 0;
        any = true;
    }
    if (!begin_joint(l, next, any))
        return false;
    for (size_t i = 0; i < map->n; i++)
        if (next->members[i].next_weight != map->members[i].weight)
            own_job(l, JOB_REPLACE, map->members[i].name);
    return true;
}

/* What an operator wants, whichever job it was; begun again if it fell. */
static bool change_weights(struct leader *l)
{
    const struct map *map = l->state.map;
    struct map *next = next_map(map, 0);
    bool any = false;

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        if (m->weight == m->wanted_weight ||
            (m->state == MEMBER_EJECTED && m->wanted_weight > 0))
            continue;
        next->members[i].next_weight = m->wanted_weight;
        any = true;
    }
    return begin_joint(l, next, any);
}

/* ---- deeds: from outside --------------------------------------------------- */

/* The first map: whoever is there is up, and nobody holds anything. */
static bool found(struct leader *l)
{
    const struct map *map = l->state.map;
    bool may_vote[MAP_MAX_MEMBERS];
    struct map *next;

    if (map->epoch > 0)
        return false;
    next = leader_draft(l, 0);
    next->phase_since = next->epoch;
    for (size_t i = 0; i < map->n; i++) {
        struct member *m = &next->members[i];

        may_vote[i] = witness_is_there(&l->witnesses[i], l->now_ms);
        if (!may_vote[i])
            continue;
        m->state = MEMBER_UP;
        m->incarnation = l->witnesses[i].incarnation;
        m->since = next->epoch;
    }
    /* nobody had a lease yet: all at once */
    while (change_voter(next, may_vote, may_vote))
        continue;
    return true;
}

/*
 * Goes on from a newer map that the members have, or from its own where one of
 * them has another of that epoch, or where the leader is not where it was.
 */
static bool take_over(struct leader *l)
{
    const struct map *map = l->state.map, *from = l->newer != NULL ? l->newer : map;
    struct map *next;
    bool differs = l->newer != NULL;

    if (from->epoch == 0)
        return false;
    if (strcmp(from->leader, l->name) != 0 || strcmp(from->leader_address, l->address) != 0)
        differs = true;
    for (size_t i = 0; i < map->n; i++)
        if (l->witnesses[i].said.seen == map->epoch && l->witnesses[i].said.digest != l->digest)
            differs = true;
    if (!differs)
        return false;
    next = propose(l, next_map(from, 0));
    snprintf(next->leader, sizeof(next->leader), "%s", l->name);
    snprintf(next->leader_address, sizeof(next->leader_address), "%s", l->address);
    return true;
}

/* ---- the order of deeds ---------------------------------------------------- */

/* Silence while this process itself did not run is nobody's. */
static void pass_time(struct leader *l, int64_t now_ms)
{
    int64_t away = now_ms - l->now_ms;

    if (l->stepped && away > 3 * PING_MS)
        for (size_t i = 0; i < l->n_witnesses; i++)
            witness_excuse(&l->witnesses[i], away, now_ms);
    l->now_ms = now_ms;
    l->stepped = true;
}

/* At the start all that can answer are heard first, as they may know of maps
 * that the file does not. */
static bool has_listened(struct leader *l)
{
    const struct map *map = l->state.map;
    size_t heard = 0, awaited = 0;

    if (l->listened)
        return true;
    for (size_t i = 0; i < map->n; i++) {
        bool is_heard = l->witnesses[i].incarnation != 0;

        heard += is_heard;
        if (!is_heard && (map->epoch == 0 || map->members[i].state != MEMBER_EJECTED))
            awaited++;
    }
    l->listened = awaited == 0 || (l->now_ms - l->started_ms >= SILENCE_MS &&
                                   (map->epoch > 0 || heard > 0));
    return l->listened;
}

/* Somebody has a newer map, which is on its way. */
static bool awaits_map(const struct leader *l)
{
    uint64_t known = l->newer != NULL ? l->newer->epoch : l->state.map->epoch;

    for (size_t i = 0; i < l->n_witnesses; i++)
        if (l->witnesses[i].said.seen > known &&
            witness_is_there(&l->witnesses[i], l->now_ms))
            return true;
    return false;
}

/* The first deed of the list that is due. */
static bool do_first(struct leader *l, deed_fn *const *deeds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (deeds[i](l))
            return true;
    return false;
}

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static bool decide(struct leader *l)
{
    static deed_fn *const start[] = { take_over, found };
    static deed_fn *const always[] = {
        eject_at_once, suspend, take_back_or_eject, leader_abort_job, go_on,
        change_the_voters, readdress,
    };
    static deed_fn *const heal[] = { fill_returned, take_spare };
    static deed_fn *const move[] = { replace_lost, change_weights };

    if (do_first(l, start, N_OF(start)))
        return true;
    if (!leader_in_effect(l) || !reaches_voters(l))
        return false;
    if (do_first(l, always, N_OF(always)))
        return true;
    if (l->state.map->phase != MAP_STABLE || !all_live(l, has_adopted))
        return false;
    if (do_first(l, heal, N_OF(heal)))
        return true;
    if (all_live(l, has_purged) && do_first(l, move, N_OF(move)))
        return true;
    return leader_run_job(l);
}

const struct map *leader_step(struct leader *l, int64_t now_ms)
{
    assert(l->state.map != NULL && l->draft == NULL);
    pass_time(l, now_ms);
    leader_measure_jobs(l);
    if (leader_in_effect(l))
        start_waits(l);
    if (!has_listened(l) || awaits_map(l) || !decide(l))
        return NULL;
    assert(map_is_sound(l->draft->map));
    return l->draft->map;
}

/*
 * troupe - a leader and members that answer its pings, on a clock of their own
 *
 * A script tells what befalls them, a word and a name at a time; what the leader
 * makes of it is a list of maps, each a line: phase (S stable, J joint, W
 * switched) and a word a member, as in cluster_help.h:
 *
 *      "S 11Uv 11Uv 11U"
 */
#ifndef CLUSTER_TROUPE_H
#define CLUSTER_TROUPE_H

#include "cluster_help.h"

#include "cluster/leader.h"
#include "cluster/times.h"

#define TROUPE_MAX 6
#define TICK_MS 10

struct actor {
    char name[2];
    uint64_t incarnation;
    bool runs, frozen, cut;     /* a process; one that stands still; unreachable */
    bool slow;                  /* does not purge, move or end anything */
    bool lingers;               /* does not end anything */
    bool busy;                  /* sees maps, but its workers do not note them */
    uint64_t seen, adopted, ended, purged, digest, moved;
};

struct troupe {
    struct leader *leader;
    struct actor actors[TROUPE_MAX];
    size_t n;
    int64_t now_ms;
    uint64_t next_incarnation;
    bool disk_full;             /* nothing is saved */
    char *file;                 /* what is on disk */
    size_t file_len;
    char maps[8000];            /* lines, since they were last taken */
    char refused[200];          /* words of leader_hear() */
    int64_t map_ms;             /* when the last was made */
};

static inline const char *map_text(const struct map *map)
{
    static char text[400];
    char *at = text + sprintf(text, "%c", "SJW"[map->phase]);

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        at += sprintf(at, " %u%u%c%s%s", m->weight, m->next_weight, "?USE"[m->state],
                      m->filling ? "f" : "", m->voter ? "v" : "");
    }
    return text;
}

static inline struct leader *make_leader(const struct troupe *t)
{
    return leader_new(&(struct leader_config){
        .name = "l", .address = "l:1", .replicas = 2, .hold_down_ms = HOLD_DOWN_MS,
        .now_ms = t->now_ms, .wall_ms = t->now_ms + 1000000,
    });
}

/* Members "a", "b", ... of weight 1, all running. */
static inline void troupe_init(struct troupe *t, size_t n)
{
    struct leader_member members[TROUPE_MAX];

    memset(t, 0, sizeof(*t));
    t->now_ms = 5000;
    t->next_incarnation = 1;
    t->leader = make_leader(t);
    t->n = n;
    for (size_t i = 0; i < TROUPE_MAX; i++) {
        struct actor *a = &t->actors[i];

        a->name[0] = (char)('a' + i);
        if (i >= n)
            continue;
        a->incarnation = t->next_incarnation++;
        a->runs = true;
        members[i] = (struct leader_member){ a->name, "", "addr:1", 1 };
    }
    assert_true(leader_start_members(t->leader, members, n));
    t->n = TROUPE_MAX;
}

static inline void troupe_fini(struct troupe *t)
{
    leader_free(t->leader);
    free(t->file);
}

static inline struct ping ping_of(const struct actor *a)
{
    struct ping p = { .role = PING_SHARD, .incarnation = a->incarnation, .seen = a->seen,
                      .adopted = a->adopted, .ended = a->ended, .purged = a->purged,
                      .digest = a->digest, .move_epoch = a->moved,
                      .marks = a->moved > 0 ? PING_DONE : 0 };

    strcpy(p.name, a->name);
    return p;
}

/* The leader's ping reaches it, and what it does about the map. */
static inline void actor_adopt(struct troupe *t, struct actor *a)
{
    const struct map *map = leader_map(t->leader);

    if (map == NULL || map->epoch < a->seen)
        return;
    a->seen = map->epoch;
    a->digest = map_digest(map);
    if (a->busy)
        return;
    a->adopted = map->epoch;
    if (a->slow)
        return;
    a->purged = map->epoch;
    if (!a->lingers)
        a->ended = map->epoch;
    if (leader_go(t->leader) != 0)
        a->moved = leader_go(t->leader);
}

/* Maps are made until there is nothing to do; each is saved first. */
static inline void troupe_step(struct troupe *t)
{
    const struct map *map;

    while ((map = leader_step(t->leader, t->now_ms)) != NULL) {
        size_t len;
        char *data = leader_save(t->leader, &len);

        if (t->disk_full) {
            free(data);
            leader_commit(t->leader, false);
            return;
        }
        free(t->file);
        t->file = data;
        t->file_len = len;
        leader_commit(t->leader, true);
        assert_true(strlen(t->maps) + 400 < sizeof(t->maps));
        strcat(strcat(t->maps, map_text(leader_map(t->leader))), "\n");
        t->map_ms = t->now_ms;
    }
}

static inline void troupe_tick(struct troupe *t)
{
    t->now_ms += TICK_MS;
    for (size_t i = 0; i < t->n; i++) {
        struct actor *a = &t->actors[i];
        struct ping p;
        const char *words;

        if (!a->runs || a->frozen || a->cut)
            continue;
        p = ping_of(a);
        words = leader_hear(t->leader, &p, t->now_ms);
        if (words != NULL)
            snprintf(t->refused, sizeof(t->refused), "%s", words);
        else
            actor_adopt(t, a);
    }
    troupe_step(t);
}

static inline void troupe_wait(struct troupe *t, int64_t ms)
{
    for (int64_t end = t->now_ms + ms; t->now_ms < end;)
        troupe_tick(t);
}

static inline void actor_start(struct troupe *t, struct actor *a)
{
    char name = a->name[0];
    bool slow = a->slow;

    memset(a, 0, sizeof(*a));
    a->name[0] = name;
    a->slow = slow;
    a->incarnation = t->next_incarnation++;
    a->runs = true;
}

/* Another process leads, by what is on disk. */
static inline void restart_leader(struct troupe *t)
{
    const char *why = NULL;

    leader_free(t->leader);
    t->leader = make_leader(t);
    if (!leader_load(t->leader, t->file, t->file_len, &why))
        fail_msg("%s", why);
}

/* One word of a script: "b+" or a number of milliseconds. */
static inline void troupe_do(struct troupe *t, const char *word)
{
    struct actor *a;

    if (word[0] >= '0' && word[0] <= '9') {
        troupe_wait(t, atoi(word));
        return;
    }
    a = &t->actors[(word[0] - 'a') % TROUPE_MAX];
    switch (word[1]) {
    case '!':                   /* killed; its socket is reset */
        a->runs = false;
        leader_lost(t->leader, a->name, a->incarnation, LOST_REFUSED, t->now_ms);
        troupe_step(t);
        break;
    case 'w':                   /* killed; a child: waitpid() */
        a->runs = false;
        leader_lost(t->leader, a->name, a->incarnation, LOST_DEAD, t->now_ms);
        break;
    case 'g':                   /* says goodbye */
        a->runs = false;
        leader_lost(t->leader, a->name, 0, LOST_GOODBYE, t->now_ms);
        break;
    case '?':                   /* its connection breaks, nothing else */
        leader_lost(t->leader, a->name, a->incarnation, LOST_REFUSED, t->now_ms);
        troupe_step(t);
        break;
    case '+': actor_start(t, a); break;         /* a new process */
    case 'z': a->frozen = true; break;
    case 'Z': a->frozen = false; break;
    case 'c': a->cut = true; break;
    case 'C': a->cut = false; break;
    case 's': a->slow = true; break;
    case 'S': a->slow = false; break;
    case 'n': a->busy = true; break;
    case 'N': a->busy = false; break;
    case 'l': a->lingers = true; break;
    case 'L': a->lingers = false; break;
    case 'R': restart_leader(t); break;
    default: fail_msg("no such word: %s", word);
    }
}

static inline void troupe_play(struct troupe *t, const char *script)
{
    char words[400], *rest = words;

    snprintf(words, sizeof(words), "%s", script);
    for (char *word; (word = strtok_r(rest, " ", &rest)) != NULL;)
        troupe_do(t, word);
}

/* The maps made since the last call are these lines. */
static inline void troupe_expect(struct troupe *t, const char *lines, const char *of)
{
    if (strcmp(t->maps, lines) != 0)
        fail_msg("%s: maps are\n%snot\n%s", of, t->maps, lines);
    t->maps[0] = '\0';
}

#endif

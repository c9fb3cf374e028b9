/*
 * cluster_safety - leader, voters, views and a model of the data, by chance
 *
 * A leader and shards meet at random, two at a time, while one of them after the
 * other is killed, frozen or cut off and weights change.  Each shard holds a
 * number for each of some positions and does with it what a shard does: it serves
 * under a lease and one map, replays, purges, moves and ends.  Two copies and one
 * mishap at a time: no write that was acknowledged may ever be missed.
 */
#include "cluster_help.h"

#include "cluster/leader.h"
#include "cluster/lease.h"
#include "cluster/times.h"
#include "cluster/view.h"
#include "cluster/voter.h"

#define N_SHARDS 4
#define N_POSITIONS 64
#define LEADER N_SHARDS         /* the last process */

struct shard {
    bool runs, frozen, cut, lags;       /* most of what it is sent is lost */
    uint64_t incarnation;
    struct view *seen;          /* the newest map */
    struct view *view;          /* what it goes by; the one seen from `adopts_ms` on */
    int64_t adopts_ms, purges_ms;
    struct voter voter;
    struct lease lease;
    uint64_t purged, ended, moved, moving, go;
    unsigned moves_at;
    uint64_t known_ends[N_SHARDS];      /* of the others, as they said */
    uint64_t versions[N_POSITIONS];     /* 0: nothing is known */
    bool deleted[N_POSITIONS];          /* a tombstone */
    bool unconfirmed[N_POSITIONS];
};

struct sim {
    uint64_t chance, next_version, next_incarnation;
    int64_t now_ms;
    struct shard shards[N_SHARDS];
    struct leader *leader;
    struct voter leader_voter;
    char *file;
    size_t file_len;
    uint64_t acked[N_POSITIONS];        /* versions of writes */
    bool acked_deleted[N_POSITIONS];
    unsigned n_writes, n_reads, n_copy_reads, n_maps;
};

static unsigned below(struct sim *s, unsigned n)
{
    s->chance = s->chance * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(s->chance >> 33) % n;
}

static uint32_t position_of(unsigned i)
{
    return i * 0x9e3779b9u + 12345;
}

static bool is_there(const struct shard *sh)
{
    return sh->runs && !sh->frozen;
}

static bool can_talk(const struct shard *a, const struct shard *b)
{
    return is_there(a) && is_there(b) && a->cut == b->cut;
}

static const struct member *self_of(const struct shard *sh)
{
    const struct map *map = sh->view != NULL ? sh->view->map : NULL;

    return map != NULL && sh->view->self >= 0 ? &map->members[sh->view->self] : NULL;
}

/* ---- maps ------------------------------------------------------------------- */

static const char *name_of(unsigned i)
{
    static const char *const names[N_SHARDS + 1] = { "a", "b", "c", "d", "l" };

    return names[i];
}

static void see(struct sim *s, unsigned i, const struct map *map)
{
    struct shard *sh = &s->shards[i];

    if (map == NULL || (sh->seen != NULL && sh->seen->map->epoch >= map->epoch))
        return;
    view_unref(sh->seen);
    sh->seen = view_new(map_copy(map, 0), name_of(i));
    assert_non_null(sh->seen);
    sh->adopts_ms = s->now_ms + below(s, below(s, 5) == 0 ? 300 : 15);
}

/* Whether the other executes what this one sends: same map, adopted by it, and it
 * is who the map means. */
static bool executes(const struct shard *from, const struct shard *to, int index)
{
    const struct member *m = self_of(to);

    return can_talk(from, to) && m != NULL && to->view->self == index &&
           to->view->map->epoch == from->view->map->epoch &&
           m->incarnation == to->incarnation;
}

/* ---- items ------------------------------------------------------------------ */

/* Member indexes are shards' numbers here: nobody is added or removed. */
static bool replay(struct sim *s, unsigned from, int to, unsigned at)
{
    struct shard *sh = &s->shards[to];

    if (!executes(&s->shards[from], sh, to))
        return false;
    if (s->shards[from].versions[at] > sh->versions[at]) {
        sh->versions[at] = s->shards[from].versions[at];
        sh->deleted[at] = s->shards[from].deleted[at];
    }
    return true;
}

/* To all copies and pending members; false when one was not reached. */
static bool replay_all(struct sim *s, unsigned owner, unsigned at)
{
    struct shard *sh = &s->shards[owner];
    struct placing p;
    bool all = true;

    view_place(sh->view, position_of(at), &p);
    for (unsigned j = 0; j < p.n_copies; j++)
        all = replay(s, owner, p.copies[j], at) && all;
    for (unsigned j = 0; j < p.n_pending; j++)
        all = replay(s, owner, p.pending[j], at) && all;
    sh->unconfirmed[at] = sh->unconfirmed[at] && !all;
    return all;
}

static bool has_lease(const struct sim *s, const struct shard *sh, unsigned i)
{
    const struct member *m = self_of(sh);

    return is_there(sh) && m != NULL && m->incarnation == sh->incarnation &&
           s->now_ms < lease_until_ms(&sh->lease, sh->seen->map, name_of(i), sh->incarnation,
                                      s->now_ms);
}

static bool serves_as_owner(const struct sim *s, unsigned i, unsigned at)
{
    const struct shard *sh = &s->shards[i];
    struct placing p;

    if (!has_lease(s, sh, i))
        return false;
    view_place(sh->view, position_of(at), &p);
    return p.owner == (int)i &&
           (p.old_owner < 0 || sh->known_ends[p.old_owner] >= sh->view->map->phase_since);
}

/* Not older than what was acknowledged. */
static void check_read(const struct sim *s, unsigned i, unsigned at, const char *role)
{
    const struct shard *sh = &s->shards[i];

    if (sh->versions[at] < s->acked[at] && !(sh->versions[at] == 0 && s->acked_deleted[at]))
        fail_msg("at %d ms the %s %s has %u, not %u", (int)s->now_ms, role, name_of(i),
                 (unsigned)sh->versions[at], (unsigned)s->acked[at]);
}

/* A front that goes by this shard's map asks it. */
static void use(struct sim *s)
{
    unsigned i = below(s, N_SHARDS), at = below(s, N_POSITIONS);
    struct shard *sh = &s->shards[i];

    if (serves_as_owner(s, i, at)) {
        if (sh->unconfirmed[at] && !replay_all(s, i, at))
            return;
        check_read(s, i, at, "owner");
        if (below(s, 8) > 0)    /* most of what moves is not written meanwhile */
            return;
        sh->versions[at] = ++s->next_version;
        sh->deleted[at] = below(s, 3) == 0;
        sh->unconfirmed[at] = true;
        if (replay_all(s, i, at)) {
            s->acked[at] = sh->versions[at];
            s->acked_deleted[at] = sh->deleted[at];
            s->n_writes++;
        }
    } else if (has_lease(s, sh, i) && view_reads(sh->view, (int)i, position_of(at))) {
        check_read(s, i, at, "copy");
        s->n_copy_reads++;
    }
}

/* At most one process would execute a write of a key. */
static void check_owners(const struct sim *s)
{
    for (unsigned at = 0; at < N_POSITIONS; at++) {
        unsigned n = 0;

        for (unsigned i = 0; i < N_SHARDS; i++)
            n += serves_as_owner(s, i, at);
        if (n > 1)
            fail_msg("at %d ms there are %u owners", (int)s->now_ms, n);
    }
}

/* ---- what a shard does by itself -------------------------------------------- */

/* Who was ejected meanwhile has judged in vain: it replays nothing. */
static void try_to_end(struct sim *s, unsigned i)
{
    struct shard *sh = &s->shards[i];
    const struct member *m = self_of(sh);

    if (m->state == MEMBER_EJECTED || m->incarnation != sh->incarnation)
        memset(sh->unconfirmed, 0, sizeof(sh->unconfirmed));
    for (unsigned at = 0; at < N_POSITIONS; at++)
        if (sh->unconfirmed[at] && !replay_all(s, i, at))
            return;
    sh->ended = sh->view->map->epoch;
}

/* All that it owns by the old ring to whoever is to have it, a key at a time. */
static void try_to_move(struct sim *s, unsigned i)
{
    struct shard *sh = &s->shards[i];
    const struct map *map = sh->view->map;

    struct placing p;

    if (map->phase != MAP_JOINT || sh->go != map->phase_since || sh->moved == sh->go)
        return;
    if (sh->moving != sh->go) {
        sh->moving = sh->go;
        sh->moves_at = 0;
    }
    view_place(sh->view, position_of(sh->moves_at), &p);
    for (unsigned j = 0; j < p.n_pending; j++)
        if (p.owner == (int)i && !replay(s, i, p.pending[j], sh->moves_at))
            return;
    if (++sh->moves_at == N_POSITIONS)
        sh->moved = sh->go;
}

/* Some time after it is everywhere; not while members change. */
static void drop_tombstone(struct sim *s, struct shard *sh)
{
    unsigned at = below(s, N_POSITIONS);

    if (below(s, 30) == 0 && sh->deleted[at] && !sh->unconfirmed[at] &&
        sh->versions[at] <= s->acked[at] && sh->view->map->phase == MAP_STABLE)
        sh->versions[at] = sh->deleted[at] = 0;
}

static void work(struct sim *s, unsigned i)
{
    struct shard *sh = &s->shards[i];

    if (!is_there(sh) || sh->seen == NULL)
        return;
    if (sh->view != sh->seen && s->now_ms >= sh->adopts_ms) {
        view_unref(sh->view);
        sh->view = view_ref(sh->seen);
        sh->purges_ms = s->now_ms + below(s, below(s, 5) == 0 ? 2000 : 40);
    }
    if (sh->view == NULL)
        return;
    if (s->now_ms >= sh->purges_ms && sh->purged < sh->view->map->epoch) {
        for (unsigned at = 0; at < N_POSITIONS; at++)
            if (!view_keeps(sh->view, sh->view->self, position_of(at)))
                sh->versions[at] = sh->unconfirmed[at] = sh->deleted[at] = 0;
        sh->purged = sh->view->map->epoch;
    }
    drop_tombstone(s, sh);
    if (sh->ended < sh->view->map->epoch && below(s, 5) == 0)
        try_to_end(s, i);
    if (below(s, 8) == 0)
        try_to_move(s, i);
}

/* ---- meeting ---------------------------------------------------------------- */

static void tell_leader(struct sim *s, unsigned i)
{
    struct shard *sh = &s->shards[i];
    struct ping p = { .role = PING_SHARD, .incarnation = sh->incarnation, .ended = sh->ended,
                      .purged = sh->purged, .move_epoch = sh->moved,
                      .marks = sh->moved > 0 ? PING_DONE : 0 };
    const struct map *map;

    strcpy(p.name, name_of(i));
    if (sh->seen != NULL) {
        p.seen = sh->seen->map->epoch;
        p.adopted = sh->view != NULL ? sh->view->map->epoch : 0;
        p.digest = sh->seen->digest;
    }
    (void)leader_hear(s->leader, &p, s->now_ms);
    while ((map = leader_step(s->leader, s->now_ms)) != NULL) {
        free(s->file);
        s->file = leader_save(s->leader, &s->file_len);
        leader_commit(s->leader, true);
        s->n_maps++;
    }
    if (below(s, 10) == 0)
        return;                 /* the answer is lost */
    see(s, i, leader_map(s->leader));
    if (leader_go(s->leader) != 0)
        sh->go = leader_go(s->leader);
}

static void ask_lease(struct sim *s, unsigned i, const struct voter *voter,
                      const struct map *map, const char *name, uint64_t incarnation)
{
    struct shard *sh = &s->shards[i];
    const struct map *seen = sh->seen != NULL ? sh->seen->map : NULL;
    int64_t asked_ms = s->now_ms - below(s, 40);

    if (seen != NULL && voter_ask(voter, map, seen->members[sh->seen->self].number,
                                  sh->incarnation, seen->epoch, s->now_ms) == GRANT &&
        below(s, 10) > 0)
        lease_granted(&sh->lease, seen, name, incarnation, asked_ms);
}

static void meet(struct sim *s)
{
    unsigned i = below(s, N_SHARDS), j = below(s, N_SHARDS + 1);
    struct shard *a = &s->shards[i], *b = &s->shards[j % N_SHARDS];

    if (!is_there(a) || i == j || (below(s, 10) > 0 && (a->lags || (j != LEADER && b->lags))))
        return;
    if (j == LEADER) {
        if (a->cut)
            return;
        tell_leader(s, i);
        ask_lease(s, i, &s->leader_voter, leader_map(s->leader), "l", 1);
        return;
    }
    if (!can_talk(a, b))
        return;
    if (b->seen != NULL)
        see(s, i, b->seen->map);
    if (a->seen != NULL)
        see(s, j, a->seen->map);
    if (b->seen != NULL)
        ask_lease(s, i, &b->voter, b->seen->map, name_of(j), b->incarnation);
    a->known_ends[j] = b->ended;
}

/* ---- mishaps ---------------------------------------------------------------- */

static void start(struct sim *s, unsigned i)
{
    struct shard *sh = &s->shards[i];

    view_unref(sh->view);
    view_unref(sh->seen);
    memset(sh, 0, sizeof(*sh));
    sh->runs = true;
    sh->incarnation = ++s->next_incarnation;
    voter_init(&sh->voter, name_of(i), sh->incarnation, true, s->now_ms);
}

static void lead(struct sim *s)
{
    const char *why = NULL;

    s->leader = leader_new(&(struct leader_config){ .name = "l", .address = "l:1",
        .replicas = 2, .hold_down_ms = 4000, .now_ms = s->now_ms, .wall_ms = s->now_ms });
    voter_init(&s->leader_voter, "l", 1, s->file == NULL, s->now_ms);
    if (s->file != NULL)
        assert_true(leader_load(s->leader, s->file, s->file_len, &why));
}

static void pass(struct sim *s, unsigned ms)
{
    for (unsigned n = 0; n < ms; n++) {
        s->now_ms++;
        if (s->now_ms % 2 == 0)
            meet(s);
        for (unsigned i = 0; i < N_SHARDS; i++)
            work(s, i);
        use(s);
        use(s);
        if (s->now_ms % 16 == 0)
            check_owners(s);
    }
}

static bool is_whole(const struct sim *s)
{
    const struct map *map = leader_map(s->leader);

    if (map == NULL || map->phase != MAP_STABLE)
        return false;
    for (size_t i = 0; i < map->n; i++)
        if (map->members[i].state != MEMBER_UP ||
            map->members[i].weight != map->members[i].wanted_weight)
            return false;
    return true;
}

static void heal(struct sim *s, const char *what)
{
    for (unsigned i = 0; i < N_SHARDS; i++) {
        s->shards[i].frozen = s->shards[i].cut = s->shards[i].lags = false;
        if (!s->shards[i].runs)
            start(s, i);
    }
    for (unsigned i = 0; i < 600; i++) {
        pass(s, 50);
        if (is_whole(s) && i > 2)
            return;
    }
    fail_msg("30 s after %s not all are up again", what);
}

/* One who has not moved all while others have; any, if that does not come. */
static unsigned laggard(struct sim *s)
{
    for (unsigned n = 0; n < 100; n++) {
        uint64_t go = leader_go(s->leader);
        unsigned n_moved = 0, last = 0;

        for (unsigned i = 0; i < N_SHARDS; i++) {
            n_moved += s->shards[i].moved == go;
            if (s->shards[i].moved != go)
                last = i;
        }
        if (go != 0 && n_moved > 0 && n_moved < N_SHARDS)
            return last;
        pass(s, 10);
    }
    return below(s, N_SHARDS);
}

static const char *befall(struct sim *s)
{
    unsigned i = below(s, N_SHARDS);
    struct shard *sh = &s->shards[i];
    const char *why;

    if (below(s, 2) == 0) {
        (void)leader_weight(s->leader, name_of(below(s, N_SHARDS)), 1 + below(s, 3), &why);
        sh->lags = below(s, 3) == 0;
        pass(s, below(s, 900)); /* in the middle of that */
        if (below(s, 2) == 0) {
            i = laggard(s);
            sh = &s->shards[i];
        }
    }
    switch (below(s, 8)) {
    case 0:
        sh->runs = false;
        leader_lost(s->leader, name_of(i), sh->incarnation, LOST_DEAD, s->now_ms);
        return "a child's death";
    case 1:
        sh->runs = false;
        leader_lost(s->leader, name_of(i), sh->incarnation, LOST_REFUSED, s->now_ms);
        return "a kill";
    case 2:
        sh->frozen = true;
        return "a freeze";
    case 3:
        sh->cut = true;
        return "a cut";
    case 6:
        sh->cut = true;
        leader_lost(s->leader, name_of(i), sh->incarnation, LOST_REFUSED, s->now_ms);
        return "a reset and a cut";
    case 7:
        sh->lags = true;
        return "a bad line";
    case 4:
        leader_free(s->leader);
        lead(s);
        return "a leader's restart";
    default:
        leader_lost(s->leader, name_of(i), sh->incarnation, LOST_REFUSED, s->now_ms);
        return "a reset";
    }
}

static void run(uint64_t seed, unsigned n_mishaps, struct sim *s)
{
    struct leader_member members[N_SHARDS];

    memset(s, 0, sizeof(*s));
    s->chance = seed * 77;
    s->now_ms = 10000;
    for (unsigned i = 0; i < N_SHARDS; i++) {
        members[i] = (struct leader_member){ name_of(i), "", "x:1", 1 };
        start(s, i);
    }
    lead(s);
    assert_true(leader_start_members(s->leader, members, N_SHARDS));
    heal(s, "the start");
    for (unsigned i = 0; i < n_mishaps; i++) {
        const char *what = befall(s);

        pass(s, 20 + below(s, below(s, 4) == 0 ? 9000 : 2500));
        heal(s, what);
    }
    for (unsigned i = 0; i < N_SHARDS; i++) {
        view_unref(s->shards[i].view);
        view_unref(s->shards[i].seen);
    }
    leader_free(s->leader);
    free(s->file);
}

static void no_acknowledged_write_is_ever_missed(void **state)
{
    const char *wanted = getenv("SEED"), *seeds = getenv("SEEDS");
    uint64_t first = wanted != NULL ? strtoull(wanted, NULL, 10) : 1;
    uint64_t n = wanted != NULL ? 1 : seeds != NULL ? strtoull(seeds, NULL, 10) : 10;
    unsigned n_writes = 0, n_copy_reads = 0, n_maps = 0;

    (void)state;
    for (uint64_t seed = first; seed < first + n; seed++) {
        struct sim s;

        print_message("# SEED=%llu\n", (unsigned long long)seed);
        run(seed, 10, &s);
        n_writes += s.n_writes;
        n_copy_reads += s.n_copy_reads;
        n_maps += s.n_maps;
    }
    assert_true(n_writes > 1000 * n && n_copy_reads > 1000 * n && n_maps > 20 * n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_acknowledged_write_is_ever_missed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

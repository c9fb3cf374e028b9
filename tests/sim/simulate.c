/*
 * simulate - clusters in a world of their own, one from each seed
 *
 *      simulate [--seeds N] [--seed S] [--scenario NAME] [--kept FILE] [--replicas N] [--everywhere] [-v]
 *
 *      --seed S          the first seed (1)
 *      --seeds N         so many, one after the other (1)
 *      --scenario NAME   what befalls it; else the seed decides
 *      --kept FILE       first those that once failed: a line "SEED SCENARIO" each
 *      --replicas N      copies; else the seed decides
 *      --everywhere      shards serve clients too, and may answer from copies: a client
 *                        at one that is cut off may miss, and is not served meanwhile
 *      -v                what happens, as a trace
 *
 * Clients work on a cluster through two fronts, something befalls it, it heals,
 * and every key is read back.  Then the history must hold (history.h), all
 * copies must be equal, and no key may have been away longer than is promised.
 * A line for each seed, as the test harness reads them; the same seed twice
 * must be the same history.  Exit status 1 when one was not ok.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/chance.h"
#include "base/log.h"
#include "base/num.h"
#include "sim_scenario.h"

#define START_MS 20000          /* until a cluster serves */
#define ANSWER_MS 6000          /* a session's oldest request, when all is well */
#define PASS_MS 20000           /* all keys, read or written once */
#define COPIES_MS 8000          /* after the last write: until copies are equal */

struct settings {
    uint64_t seed, n_seeds;
    const struct scenario *scenario;
    const char *kept;
    unsigned replicas;          /* 0: as the seed says */
    bool verbose;
    bool everywhere;            /* clients at shards too */
};

struct outcome {
    uint64_t digest, n_events, n_operations, n_unknown;
    int64_t read_outage_ms, write_outage_ms, sim_ms;
    unsigned n_complaints;
};

/* ---- one run ---- */

static bool is_settled(void *arg)
{
    return fleet_is_settled(&((struct run *)arg)->fleet);
}

static bool is_done(void *arg)
{
    return crowd_is_done(((struct run *)arg)->crowd);
}

static void pass_over_all(struct run *r, enum crowd_does does, unsigned front)
{
    crowd_do(r->crowd, does, front);
    if (!sim_run_until(r->sim, PASS_MS, is_done, r))
        complain(&r->complaints, "keys cannot be %s through front %u",
                 does == CROWD_FILLS ? "written" : "read", front + 1);
}

static void rest(struct run *r)
{
    r->is_mixing = false;
    crowd_do(r->crowd, CROWD_RESTS, 0);
    if (!sim_run_until(r->sim, ANSWER_MS, is_done, r))
        complain(&r->complaints, "a client has no answer after %d ms", ANSWER_MS);
}

/* Looked at now and then. */
static void compare_copies(struct run *r)
{
    char why[200];

    for (int64_t waited_ms = 0; !checks_copies(&r->checks, why, sizeof(why)); waited_ms += 100) {
        if (waited_ms >= COPIES_MS) {
            complain(&r->complaints, "copies are not equal: %s", why);
            return;
        }
        sim_run(r->sim, 100);
    }
}

static void on_gone(void *arg, uint32_t key)
{
    checks_tell(&((struct run *)arg)->checks, key);
}

static void begin_run(struct run *r, const struct settings *s, const struct scenario *scenario,
                      uint64_t seed)
{
    const bool one_copy = (scenario->traits & LOSES) != 0 && (scenario->traits & ONE_COPY) != 0;
    struct fleet_config fleet = { 0 };
    struct crowd_config crowd = { 0 };

    memset(r, 0, sizeof(*r));
    r->sim = sim_new(seed);
    sim_trace(r->sim, s->verbose ? stdout : NULL);
    r->complaints.sim = r->sim;
    fleet = (struct fleet_config){
        .n_shards = 3 + (unsigned)sim_pick(r->sim, 2),
        .replicas = one_copy ? 1 : sim_pick(r->sim, 4) == 0 ? 3 : 2,
        .threads = 1 + (unsigned)sim_pick(r->sim, 2),
        .leader_has_shard = (scenario->traits & SHARDS_ONLY) == 0 && sim_pick(r->sim, 3) == 0,
        .hold_down_ms = (scenario->traits & SHORT_HOLD_DOWN) != 0 ? 2000 : 30000,
    };
    if ((scenario->traits & ONE_COPY) != 0 && sim_pick(r->sim, 6) == 0)
        fleet.replicas = 1;
    if (s->replicas > 0)
        fleet.replicas = s->replicas;
    fleet.shards_have_fronts = s->everywhere;
    fleet_init(&r->fleet, r->sim, &r->complaints, &fleet);
    crowd = (struct crowd_config){
        .sim = r->sim, .complaints = &r->complaints,
        .fronts = { fleet_client_address(0), fleet_client_address(1) },
        .n_fronts = FLEET_FRONTS,
        .n_clients = 4 + (unsigned)sim_pick(r->sim, 4),
        .n_keys = 8 + (unsigned)sim_pick(r->sim, 25),
        .depth = sim_pick(r->sim, 2) == 0 ? 1 : 1 + (unsigned)sim_pick(r->sim, 12),
        .think_us = INT64_C(1000) << sim_pick(r->sim, 4),
        .most_bytes = sim_pick(r->sim, 2) == 0 ? 300 : 24000,
        .too_large = 70000,
        .flushes = (scenario->traits & FLUSHES) != 0,
        .gone = on_gone,
        .arg = r,
        .may_vanish = (scenario->traits & LOSES) != 0 || s->everywhere,
    };
    for (unsigned i = 0; i < fleet.n_shards && s->everywhere; i++)
        crowd.fronts[crowd.n_fronts++] = fleet_client_address(FLEET_FRONTS + i);
    r->crowd = crowd_new(&crowd);
    r->is_rough = sim_pick(r->sim, 3) == 0;
    fleet_start_all(&r->fleet);
    checks_begin(&r->checks, &r->fleet, crowd.n_keys);
    if (!sim_run_until(r->sim, START_MS, is_settled, r)) {
        char words[400];

        fleet_tell(&r->fleet, words, sizeof(words));
        complain(&r->complaints, "does not begin to serve: %s", words);
    }
}

/* What was left undone just then must not be covered by what comes later. */
static void hush(void *arg)
{
    struct run *r = arg;

    if (!r->is_mixing)
        return;
    r->is_hushed = true;
    crowd_do(r->crowd, CROWD_RESTS, 0);
}

static void play(struct run *r, const struct scenario *scenario)
{
    pass_over_all(r, CROWD_FILLS, 0);
    crowd_do(r->crowd, CROWD_MIXES, 0);
    r->is_mixing = true;
    sim_run(r->sim, 300 + (int64_t)sim_pick(r->sim, 700));
    sim_note(r->sim, "scenario %s begins", scenario->name);
    if (r->is_rough)
        scenario_roughen(r);
    if ((scenario->traits & LOSES) != 0)
        crowd_window(r->crowd, 1000000);
    if (sim_pick(r->sim, 4) == 0)
        sim_call(r->sim, (int64_t)sim_pick(r->sim, 1200), hush, r);
    scenario->play(r);
    sim_note(r->sim, "scenario %s is over", scenario->name);
    scenario_heal(r);
    sim_run(r->sim, (int64_t)sim_pick(r->sim, 600));
    rest(r);
    compare_copies(r);
    for (unsigned i = 0; i < 2 * FLEET_FRONTS; i++)
        pass_over_all(r, CROWD_READS, i / 2);
    checks_end(&r->checks);
}

static void judge(struct run *r, const struct scenario *scenario, struct outcome *o)
{
    struct history *h = crowd_history(r->crowd);
    const struct history_counts *counts = history_counts(h);
    const int64_t most_ms = r->is_rough || r->is_hushed || r->fleet.config.shards_have_fronts
                          ? 0 : scenario->outage_ms;
    const char *words;

    history_finish(h, sim_now_ms(r->sim));
    if ((scenario->traits & IN_ORDER) != 0 && !r->is_rough &&
        !r->fleet.config.shards_have_fronts && counts->unknown > 0)
        complain(&r->complaints, "%" PRIu64 " writes of unknown outcome", counts->unknown);
    for (size_t i = 0; (words = history_fault(h, i)) != NULL; i++)
        complain(&r->complaints, "%s", words);
    if (most_ms > 0 && counts->longest_read_outage_ms > most_ms)
        complain(&r->complaints, "k%" PRIu32 " was not read for %lld ms",
                 counts->longest_read_outage_key, (long long)counts->longest_read_outage_ms);
    if (most_ms > 0 && counts->longest_write_outage_ms > most_ms)
        complain(&r->complaints, "k%" PRIu32 " was not written for %lld ms",
                 counts->longest_write_outage_key, (long long)counts->longest_write_outage_ms);
    *o = (struct outcome){
        .digest = sim_digest(r->sim), .n_events = sim_n_events(r->sim),
        .n_operations = crowd_n_ended(r->crowd), .n_unknown = counts->unknown,
        .read_outage_ms = counts->longest_read_outage_ms,
        .write_outage_ms = counts->longest_write_outage_ms,
        .sim_ms = sim_now_ms(r->sim), .n_complaints = r->complaints.n,
    };
}

static void end_run(struct run *r)
{
    fleet_fini(&r->fleet);
    crowd_free(r->crowd);
    sim_free(r->sim);
    complaints_fini(&r->complaints);
}

static const struct scenario *scenario_of(uint64_t seed)
{
    struct chance chance = { seed };

    return &scenarios[chance_below(&chance, n_scenarios)];
}

/* As the harness's remarks. */
static void tell_complaints(const struct run *r, const struct scenario *scenario, uint64_t seed)
{
    for (unsigned i = 0; i < r->complaints.n && i < COMPLAINTS_KEPT; i++)
        printf("# %s\n", r->complaints.words[i]);
    if (r->complaints.n > 0)
        printf("# %u in all; again: simulate --seed %" PRIu64 " --scenario %s -v\n",
               r->complaints.n, seed, scenario->name);
}

static void simulate(const struct settings *s, const struct scenario *scenario, uint64_t seed,
                     bool tell, struct outcome *o)
{
    struct run r;

    begin_run(&r, s, scenario, seed);
    if (r.complaints.n == 0)
        play(&r, scenario);
    judge(&r, scenario, o);
    if (tell)
        tell_complaints(&r, scenario, seed);
    end_run(&r);
}

/* ---- many ---- */

struct tally { unsigned n, n_bad; };

static void report(struct tally *t, bool ok, const struct scenario *scenario, uint64_t seed,
                   const struct outcome *o)
{
    t->n++;
    t->n_bad += !ok;
    printf("%sok %u - %s, seed %" PRIu64 ": %" PRIu64 " operations (%" PRIu64
           " unknown) in %.1f s, outage %lld/%lld ms, %" PRIu64 " events\n",
           ok ? "" : "not ", t->n, scenario->name, seed, o->n_operations, o->n_unknown,
           (double)o->sim_ms / 1000, (long long)o->read_outage_ms, (long long)o->write_outage_ms,
           o->n_events);
    fflush(stdout);
}

static void try(struct tally *t, const struct settings *s, const struct scenario *scenario,
                uint64_t seed)
{
    struct outcome o;

    simulate(s, scenario, seed, true, &o);
    report(t, o.n_complaints == 0, scenario, seed, &o);
}

static bool try_kept(struct tally *t, const struct settings *s)
{
    char line[200], name[100];
    uint64_t seed;
    FILE *f = s->kept != NULL ? fopen(s->kept, "r") : NULL;
    bool ok = s->kept == NULL || f != NULL;

    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        const struct scenario *scenario;

        if (line[0] == '#' || sscanf(line, "%" SCNu64 " %99s", &seed, name) != 2)
            continue;
        scenario = scenario_find(name);
        if (scenario != NULL)
            try(t, s, scenario, seed);
        ok = ok && scenario != NULL;
    }
    if (f != NULL)
        fclose(f);
    return ok;
}

/* What a seed says is worth something only if it always says the same. */
static void try_twice(struct tally *t, const struct settings *s)
{
    const struct scenario *scenario = s->scenario != NULL ? s->scenario : scenario_of(s->seed);
    struct outcome first, second;

    simulate(s, scenario, s->seed, false, &first);
    simulate(s, scenario, s->seed, false, &second);
    t->n++;
    t->n_bad += first.digest != second.digest;
    printf("%sok %u - the same seed twice is the same history: %" PRIx64 " %" PRIx64 "\n",
           first.digest == second.digest ? "" : "not ", t->n, first.digest, second.digest);
}

static void usage(void)
{
    fprintf(stderr, "usage: simulate [--seeds N] [--seed S] [--scenario NAME] [--kept FILE] "
            "[--replicas N] [--everywhere] [-v]\n");
    for (unsigned i = 0; i < n_scenarios; i++)
        fprintf(stderr, "%s%s", i % 8 == 0 ? "\n  " : " ", scenarios[i].name);
    fprintf(stderr, "\n");
    exit(64);
}

static uint64_t number(const char *text)
{
    uint64_t n;

    if (!num_parse_u64(text, strlen(text), &n))
        usage();
    return n;
}

static void read_settings(struct settings *s, int argc, char **argv)
{
    *s = (struct settings){ .seed = 1, .n_seeds = 1 };
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(name, "-v") == 0) {
            s->verbose = true;
            continue;
        }
        if (strcmp(name, "--everywhere") == 0) {
            s->everywhere = true;
            continue;
        }
        if (strcmp(name, "--seeds") == 0)
            s->n_seeds = number(value);
        else if (strcmp(name, "--seed") == 0)
            s->seed = number(value);
        else if (strcmp(name, "--replicas") == 0)
            s->replicas = (unsigned)number(value);
        else if (strcmp(name, "--kept") == 0)
            s->kept = value;
        else if (strcmp(name, "--scenario") != 0 || (s->scenario = scenario_find(value)) == NULL)
            usage();
        i++;
    }
}

int main(int argc, char **argv)
{
    struct settings s;
    struct tally t = { 0, 0 };
    bool has_kept;

    read_settings(&s, argc, argv);
    log_set_level(LOG_ERROR);
    if (s.verbose)
        sim_node_log(stdout);
    has_kept = try_kept(&t, &s);
    if (s.n_seeds > 1)
        try_twice(&t, &s);
    for (uint64_t i = 0; i < s.n_seeds; i++)
        try(&t, &s, s.scenario != NULL ? s.scenario : scenario_of(s.seed + i), s.seed + i);
    if (!has_kept)
        printf("not ok %u - %s cannot be read\n", ++t.n, s.kept);
    printf("1..%u\n", t.n);
    return t.n_bad > 0 || !has_kept;
}

#include "cluster/agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cluster/lease.h"
#include "cluster/times.h"
#include "cluster/voter.h"
#include "wire/hello.h"

#define AGAIN_MS 20             /* after a ping that failed, and while others are waited for */
#define QUEUE_BYTES ((size_t)4 << 20)
#define QUIET_MS 1500           /* for what was executed before a goodbye to reach its copies */
#define GOODBYE_MS 3000         /* for the leader to hear it, and others its map */
#define LINGER_MS 200           /* to send on who has not heard */
#define CLOCK_APART_MS 10000    /* a clock that differs by more is wrong */
#define SURE_FAILURES 2         /* in a row: one may be a connection's own trouble */

/* Somebody who is pinged. */
struct contact {
    struct contact *next;
    struct agent *agent;
    struct member member;       /* its name and address */
    struct link *link;
    bool wanted;                /* by the present map */
    bool asked;                 /* a ping is on its way, */
    int64_t asked_ms;           /* since when: by our clock, whatever the answer says */
    unsigned failures;          /* since it last answered */
    uint64_t seen;              /* the epoch it last answered with */
    int64_t heard_ms;           /* -1: never, in the life of that process */
    uint64_t incarnation;       /* who was heard last, on whatever way; 0: nobody */
    uint64_t answered;          /* who answered last at its address; 0: nobody */
};

struct agent {
    struct agent_config config;
    struct links_config links_config;
    struct links links;         /* for those of the contacts; it has none of its own */
    struct contact *contacts;
    struct voter voter;
    struct lease lease;
    struct timer *timer;
    uint64_t epoch;             /* of the map that the contacts are made for */
    bool step;                  /* something was heard: the leader looks */
    bool goodbye;
    bool leaves;                /* atomic: it says so */
    uint64_t let_go_epoch;      /* of the map that has let it go; 0: not yet */
    int64_t let_go_ms;          /* since when others know; -1: not yet */
    int64_t goodbye_ms;         /* when it was said first */
    bool poked;                 /* atomic: the mail is on its way */
    struct mail mail;
};

static int64_t now_ms(const struct agent *a)
{
    return worker_now(a->config.worker);
}

/* The same, fresh, in any thread. */
static int64_t mono_ms(const struct agent *a)
{
    struct world *w = a->config.worker->world;

    return w->ops->mono_ns(w) / 1000000;
}

/* what this process says of itself */

static bool is_leader(const struct agent *a)
{
    return a->config.leader != NULL;
}

static void tell(struct agent *a, const struct view *v, struct ping *p)
{
    struct cluster *c = a->config.cluster;

    memset(p, 0, sizeof(*p));
    p->role = (uint8_t)(a->config.role | (is_leader(a) ? PING_LEADER : 0));
    p->incarnation = cluster_incarnation(c);
    p->adopted = cluster_adopted(c);
    p->wall_ms = a->config.worker->wall_offset_ms + mono_ms(a);
    if (v != NULL) {
        p->seen = v->map->epoch;
        p->digest = v->digest;
        p->number = v->self >= 0 ? v->map->members[v->self].number : 0;
    }
    snprintf(p->name, sizeof(p->name), "%s", cluster_self(c));
    snprintf(p->address, sizeof(p->address), "%s", a->config.address);
    if (__atomic_load_n(&a->leaves, __ATOMIC_ACQUIRE))
        p->marks |= PING_GOODBYE;
    if (a->config.tell != NULL)
        a->config.tell(a->config.arg, p);
}

/* A map goes along for one who has seen an older one. */
static size_t ping_room(const struct view *v, uint64_t seen)
{
    return PING_LEN_MAX + (v != NULL && seen < v->map->epoch ? map_len(v->map) : 0);
}

/* Writes a ping's value, of ping_room() bytes at the most; returns its length. */
static size_t write_ping(char *out, const struct ping *p, const struct view *v, uint64_t seen)
{
    const size_t len = ping_put(out, p);

    if (v == NULL || seen >= v->map->epoch)
        return len;
    map_put(out + len, v->map);
    return len + map_len(v->map);
}

/* what others say */

static void take_map(struct agent *a, const struct ping *p)
{
    struct map *map;

    if (p->map == NULL || p->seen <= cluster_epoch(a->config.cluster))
        return;
    map = map_read(p->map, p->map_len);
    if (map != NULL)
        (void)cluster_adopt(a->config.cluster, map);
}

/* Who leads says that what is to be moved may move. */
static void hear_go(struct agent *a, const struct ping *p)
{
    struct view *v;

    if (p->go == 0 || a->config.go == NULL)
        return;
    v = cluster_view(a->config.cluster);
    if (v != NULL && strcmp(p->name, v->map->leader) == 0)
        a->config.go(a->config.arg, p->go);
    view_unref(v);
}

/* Who is far behind, or ahead, would refuse the others, or be refused by them. */
static bool is_clock_right(const struct agent *a, const struct ping *p)
{
    const int64_t apart_ms = p->wall_ms - (a->config.worker->wall_offset_ms + mono_ms(a));

    if (apart_ms >= -CLOCK_APART_MS && apart_ms <= CLOCK_APART_MS)
        return true;
    log_warn("cluster", "not taken for a member: its clock is %lld ms %s, set it name=%s",
             (long long)(apart_ms < 0 ? -apart_ms : apart_ms), apart_ms < 0 ? "behind" : "ahead",
             p->name);
    return false;
}

static void hear(struct agent *a, const struct ping *p)
{
    const char *why;

    hear_go(a, p);
    cluster_set_ended(a->config.cluster, p->number, p->incarnation, p->ended);
    if (!is_leader(a) || (p->role & PING_SHARD) == 0)
        return;
    if (!is_clock_right(a, p))
        return;                 /* as if it were not heard */
    if ((p->marks & PING_GOODBYE) != 0)
        leader_lost(a->config.leader, p->name, p->incarnation, LOST_GOODBYE, now_ms(a));
    else if ((why = leader_hear(a->config.leader, p, now_ms(a))) != NULL)
        log_warn("cluster", "not taken for a member: %s name=%s", why, p->name);
    a->step = true;
}

/* At whatever address where that is NULL. */
static struct contact *find(const struct agent *a, const char *name, const char *address)
{
    struct contact *contact = a->contacts;

    while (contact != NULL &&
           (strcmp(contact->member.name, name) != 0 ||
            (address != NULL && strcmp(contact->member.address, address) != 0)))
        contact = contact->next;
    return contact;
}

struct letter {
    struct mail mail;
    struct agent *agent;
    struct ping ping;
    char map[];                 /* that came with it */
};

/* What failed was to reach an older process of that name. */
static void note_process(struct agent *a, const struct ping *p)
{
    struct contact *contact = find(a, p->name, NULL);

    if (contact == NULL || contact->incarnation == p->incarnation)
        return;
    contact->incarnation = p->incarnation;
    contact->failures = 0;
    contact->heard_ms = -1;
}

static void on_letter(struct worker *w, struct mail *m)
{
    struct letter *letter = (struct letter *)m;

    (void)w;
    note_process(letter->agent, &letter->ping);
    hear(letter->agent, &letter->ping);
    free(letter);
}

/* From any thread: the leader is the control worker's. */
static void pass_on(struct agent *a, const struct ping *p)
{
    const size_t map_len = is_leader(a) && p->map != NULL ? p->map_len : 0;
    struct letter *letter = malloc(sizeof(*letter) + map_len);

    if (letter == NULL)
        return;                 /* it says it again soon */
    letter->mail.read = on_letter;
    letter->agent = a;
    letter->ping = *p;
    letter->ping.map = map_len > 0 ? memcpy(letter->map, p->map, map_len) : NULL;
    worker_post(a->config.worker, &letter->mail);
}

size_t agent_answer(struct agent *a, const char *value, size_t len, char *out, size_t size)
{
    struct cluster *c = a->config.cluster;
    struct ping p, own;
    struct view *v;

    if (!ping_read(value, len, &p))
        return 0;
    take_map(a, &p);
    pass_on(a, &p);
    v = cluster_view(c);
    tell(a, v, &own);
    if ((p.marks & PING_ASKS) != 0 && (own.marks & PING_GOODBYE) == 0 &&
        voter_ask(&a->voter, v != NULL ? v->map : NULL, p.number, p.incarnation, p.seen,
                  mono_ms(a)) == GRANT)
        own.marks |= PING_GRANTED;
    len = ping_room(v, p.seen) <= size ? write_ping(out, &own, v, p.seen) : 0;
    view_unref(v);
    return len;
}

/* the lease */

static void renew_lease(struct agent *a, const struct view *v)
{
    struct cluster *c = a->config.cluster;
    int64_t until_ms;

    if (v == NULL || (a->config.role & PING_SHARD) == 0)
        return;
    until_ms = lease_until_ms(&a->lease, v->map, cluster_self(c), cluster_incarnation(c),
                              now_ms(a));
    cluster_set_lease(c, v->map->epoch, until_ms >= INT64_MAX / 1000000 ? INT64_MAX
                                                                       : until_ms * 1000000);
}

static void on_answer(struct agent *a, struct contact *contact, const struct ping *p)
{
    struct view *v;

    if (is_leader(a) && contact->answered != 0 && contact->answered != p->incarnation)
        leader_lost(a->config.leader, p->name, contact->answered, LOST_REFUSED, now_ms(a));
    contact->incarnation = contact->answered = p->incarnation;
    contact->failures = 0;
    contact->seen = p->seen;
    contact->heard_ms = now_ms(a);
    take_map(a, p);
    hear(a, p);
    v = cluster_view(a->config.cluster);
    if (v != NULL && (p->marks & PING_GRANTED) != 0 && p->seen == v->map->epoch) {
        lease_granted(&a->lease, v->map, p->name, p->incarnation, contact->asked_ms);
        renew_lease(a, v);
    }
    view_unref(v);
}

static void set_timer(struct agent *a, int64_t ms)
{
    a->config.worker->world->ops->timer_set(a->timer, ms);
}

static void on_failure(struct agent *a, struct contact *contact)
{
    contact->failures++;
    if (is_leader(a) && contact->failures >= SURE_FAILURES && contact->heard_ms >= 0 &&
        link_is_refused(contact->link)) {
        leader_lost(a->config.leader, contact->member.name, 0, LOST_REFUSED, now_ms(a));
        a->step = true;
    }
    if (contact->failures <= SURE_FAILURES)
        set_timer(a, AGAIN_MS);
}

static void on_ping_done(struct request *r)
{
    struct contact *contact = r->owner;
    struct agent *a = contact->agent;
    struct ping p;

    contact->asked = false;
    if (r->outcome == ANSWERED && a->config.see != NULL)
        a->config.see(a->config.arg, r->reply.version);
    if (r->outcome == ANSWERED && ping_read(r->reply.value, r->reply.value_len, &p) &&
        strcmp(p.name, contact->member.name) == 0)
        on_answer(a, contact, &p);
    else
        on_failure(a, contact);
    request_free(&a->links, r);
}

/* asking */

static void ping(struct agent *a, struct contact *contact, const struct view *v)
{
    const uint64_t seen = contact->answered != 0 ? contact->seen : UINT64_MAX;
    struct frame f = { .op = FRAME_PING };
    struct request *r;
    struct ping p;
    char *value;

    if (contact->asked || (r = request_new(&a->links)) == NULL)
        return;
    tell(a, v, &p);
    contact->asked_ms = now_ms(a);
    if ((a->config.role & PING_SHARD) != 0 && p.number != 0 && (p.marks & PING_GOODBYE) == 0)
        p.marks |= PING_ASKS;
    p.go = is_leader(a) ? leader_go(a->config.leader) : 0;
    value = malloc(ping_room(v, seen));
    if (value == NULL) {
        request_free(&a->links, r);
        return;
    }
    f.version = a->config.clock != NULL ? a->config.clock(a->config.arg) : 0;
    f.value = value;
    f.value_len = write_ping(value, &p, v, seen);
    r->owner = contact;
    r->answer_op = FRAME_DONE;
    r->done = on_ping_done;
    contact->asked = true;
    link_send(contact->link, r, &f, NULL);
    free(value);
}

/* whom */

static void drop(struct contact *contact)
{
    link_free(contact->link);
    free(contact);
}

static void want(struct agent *a, const char *name, const char *address)
{
    struct contact *contact = find(a, name, address);
    struct member m = { .number = 0 };

    if (strcmp(name, cluster_self(a->config.cluster)) == 0 || address[0] == '\0')
        return;
    snprintf(m.name, sizeof(m.name), "%s", name);
    snprintf(m.address, sizeof(m.address), "%s", address);
    if (contact != NULL) {
        contact->wanted = true;
        return;
    }
    contact = calloc(1, sizeof(*contact));
    if (contact == NULL)
        return;                 /* at the next map, or the next look */
    contact->agent = a;
    contact->member = m;
    contact->heard_ms = -1;
    contact->wanted = true;
    contact->next = a->contacts;
    a->contacts = contact;
    contact->link = link_new(&a->links, &contact->member);
    if (contact->link == NULL) {
        a->contacts = contact->next;
        free(contact);
    }
}

static void want_members(struct agent *a, const struct map *map)
{
    const bool all = is_leader(a)
                  || ((a->config.role & PING_SHARD) != 0 && map->phase != MAP_STABLE);

    for (size_t i = 0; i < map->n; i++) {
        const struct member *m = &map->members[i];

        if (is_leader(a) || m->voter || (all && m->state != MEMBER_EJECTED))
            want(a, m->name, m->address);
    }
}

static void log_map(const struct agent *a, const struct map *map)
{
    static const char *const phases[] = { "stable", "joint", "switched" };
    size_t n[MEMBER_STATES] = { 0 }, filling = 0;

    for (size_t i = 0; i < map->n; i++) {
        n[map->members[i].state]++;
        filling += map->members[i].filling;
    }
    if (is_leader(a))
        log_info("cluster", "new map epoch=%llu phase=%s up=%zu filling=%zu suspended=%zu "
                 "ejected=%zu", (unsigned long long)map->epoch, phases[map->phase],
                 n[MEMBER_UP] - filling, filling, n[MEMBER_SUSPENDED], n[MEMBER_EJECTED]);
    else
        log_debug("cluster", "goes by map epoch=%llu phase=%s",
                  (unsigned long long)map->epoch, phases[map->phase]);
}

/* Whom the map names, or who is known before there is one. */
static void choose_contacts(struct agent *a, const struct view *v)
{
    struct contact **at = &a->contacts, *contact;

    for (contact = a->contacts; contact != NULL; contact = contact->next)
        contact->wanted = false;
    if (!is_leader(a))
        want(a, a->config.coordinator, a->config.coordinator_address);
    if (v != NULL)
        want_members(a, v->map);
    else
        for (size_t i = 0; i < a->config.n_members; i++)
            want(a, a->config.members[i].name, a->config.members[i].address);
    while ((contact = *at) != NULL) {
        if (contact->wanted) {
            at = &contact->next;
            continue;
        }
        *at = contact->next;
        drop(contact);
    }
}

static void take_view(struct agent *a, const struct view *v)
{
    choose_contacts(a, v);
    if (v == NULL || v->map->epoch == a->epoch)
        return;
    a->epoch = v->map->epoch;
    log_map(a, v->map);
    if (a->goodbye && a->let_go_epoch == 0 &&
        (v->self < 0 || v->map->members[v->self].state == MEMBER_EJECTED))
        a->let_go_epoch = a->epoch;
}

/* the leader */

/* A map is on disk before anybody hears of it. */
static bool save(struct agent *a)
{
    bool saved = false;
    size_t len;
    char *bytes;

    if (a->config.save == NULL)
        return true;
    bytes = leader_save(a->config.leader, &len);
    if (bytes != NULL)
        saved = a->config.save(a->config.arg, bytes, len);
    free(bytes);
    return saved;
}

static void publish(struct agent *a)
{
    const struct map *map = leader_map(a->config.leader);
    struct map *copy;

    if (map == NULL || map->epoch <= cluster_epoch(a->config.cluster))
        return;
    copy = map_copy(map, 0);
    if (copy != NULL)
        (void)cluster_adopt(a->config.cluster, copy);
}

/* What it has seen of this process, which may be a shard as well. */
static void hear_self(struct agent *a)
{
    struct view *v = cluster_view(a->config.cluster);
    struct ping p;

    tell(a, v, &p);
    p.go = leader_go(a->config.leader);
    hear(a, &p);
    view_unref(v);
}

static void lead(struct agent *a)
{
    struct leader *l = a->config.leader;
    bool saved = true;

    a->step = false;
    hear_self(a);
    /* a save takes time: what is waited for begins after it */
    while (saved && leader_step(l, mono_ms(a)) != NULL) {
        saved = save(a);
        leader_commit(l, saved);
        publish(a);             /* this process votes by it from here on */
        if (!saved)
            log_error("cluster", "the map cannot be saved, no change is made: make room in "
                      "--state-dir and let this user write there");
    }
    if (saved && leader_is_unsaved(l))
        (void)save(a);
    a->step = false;
    publish(a);
}

/* turns */

static bool is_settled(const struct agent *a)
{
    const struct cluster *c = a->config.cluster;

    if (cluster_adopted(c) != cluster_epoch(c) || (a->goodbye && a->let_go_ms < 0))
        return false;
    return !is_leader(a) || leader_map(a->config.leader) == NULL
        || leader_in_effect(a->config.leader);
}

/* Sooner while somebody waits for what others say. */
static void ask_all(struct agent *a)
{
    struct view *v = cluster_view(a->config.cluster);

    if (v == NULL || v->map->epoch != a->epoch || a->contacts == NULL)
        take_view(a, v);
    for (struct contact *contact = a->contacts; contact != NULL; contact = contact->next)
        ping(a, contact, v);
    renew_lease(a, v);
    view_unref(v);
    links_flush(&a->links);
}

/* Have those who are up, and asked from here, seen the map that lets it go? */
static bool others_know(const struct agent *a)
{
    struct view *v = cluster_view(a->config.cluster);
    bool all = true;

    for (const struct contact *c = a->contacts; c != NULL && v != NULL; c = c->next) {
        const int i = map_find(v->map, c->member.name);

        if (i >= 0 && i != v->self && v->map->members[i].state == MEMBER_UP)
            all = all && c->seen >= a->let_go_epoch;
    }
    view_unref(v);
    return all;
}

static bool is_quiet(const struct agent *a, uint64_t epoch)
{
    return a->config.is_quiet == NULL || a->config.is_quiet(a->config.arg, epoch);
}

/* Whose copies are told of all that it has executed may go, or has waited enough; and
 * is gone when nobody asks it for anything any more. */
static void look_at_goodbye(struct agent *a)
{
    if (!a->goodbye)
        return;
    if (!a->leaves && (is_quiet(a, 0) || mono_ms(a) - a->goodbye_ms >= QUIET_MS))
        __atomic_store_n(&a->leaves, true, __ATOMIC_RELEASE);
    if (a->let_go_epoch != 0 && a->let_go_ms < 0 && others_know(a) &&
        is_quiet(a, a->let_go_epoch))
        a->let_go_ms = mono_ms(a);
}

static void on_timer(void *arg)
{
    struct agent *a = arg;

    look_at_goodbye(a);
    for (struct contact *contact = a->contacts; contact != NULL; contact = contact->next)
        link_tick(contact->link);
    a->step = true;
    set_timer(a, is_settled(a) ? PING_MS : AGAIN_MS);
    ask_all(a);
}

void agent_turn_end(struct agent *a)
{
    const uint64_t before = a->epoch;

    if (is_leader(a) && a->step)
        lead(a);
    if (cluster_epoch(a->config.cluster) != before)
        ask_all(a);
    links_flush(&a->links);
}

static void on_poke(struct worker *w, struct mail *m)
{
    struct agent *a = (struct agent *)((char *)m - offsetof(struct agent, mail));

    (void)w;
    __atomic_store_n(&a->poked, false, __ATOMIC_RELEASE);
    a->step = true;
    ask_all(a);
}

void agent_poke(struct agent *a)
{
    if (!__atomic_exchange_n(&a->poked, true, __ATOMIC_ACQ_REL))
        worker_post(a->config.worker, &a->mail);
}

void agent_dead(struct agent *a, const char *name)
{
    if (!is_leader(a))
        return;
    leader_lost(a->config.leader, name, 0, LOST_DEAD, now_ms(a));
    a->step = true;
}

void agent_goodbye(struct agent *a)
{
    cluster_give_up(a->config.cluster);
    a->goodbye_ms = mono_ms(a);
    a->goodbye = true;
    set_timer(a, 0);
}

/* Is there somebody to take over what this process has? */
static bool has_heir(const struct agent *a)
{
    struct view *v = cluster_view(a->config.cluster);
    bool found = false;

    for (size_t i = 0; v != NULL && i < v->map->n; i++)
        found |= (int)i != v->self && v->map->members[i].state == MEMBER_UP;
    view_unref(v);
    return found;
}

/* A leader lets itself go as it does others; not if nobody is left. */
bool agent_is_let_go(const struct agent *a)
{
    const int64_t now = mono_ms(a);

    return now - a->goodbye_ms >= GOODBYE_MS
        || (a->let_go_ms >= 0 && now - a->let_go_ms >= LINGER_MS)
        || (is_leader(a) && !has_heir(a));
}

int64_t agent_silence_ms(const struct agent *a, const char *name)
{
    const struct contact *contact = find(a, name, NULL);

    return contact != NULL && contact->heard_ms >= 0 ? now_ms(a) - contact->heard_ms : -1;
}

/* Who was well and is lost is tried at once, not when it is next due. */
static void on_links_changed(struct links *ls)
{
    struct agent *a = ls->owner;

    for (struct contact *contact = a->contacts; contact != NULL; contact = contact->next)
        if (contact->failures == 0 && contact->heard_ms >= 0 && contact->link != NULL &&
            !link_is_open(contact->link))
            set_timer(a, 0);
}

/* its life */

struct agent *agent_new(const struct agent_config *config)
{
    struct agent *a = calloc(1, sizeof(*a));
    struct worker *w = config->worker;

    if (a == NULL)
        return NULL;
    a->config = *config;
    a->links_config = (struct links_config){
        .role = HELLO_AGENT,
        .timeout_ms = SILENCE_MS,
        .queue_bytes = QUEUE_BYTES,
        .request_bytes = sizeof(struct request),
        .changed = on_links_changed,
    };
    a->mail.read = on_poke;
    a->let_go_ms = -1;
    links_init(&a->links, &a->links_config, w, config->cluster);
    a->links.owner = a;
    voter_init(&a->voter, cluster_self(config->cluster), cluster_incarnation(config->cluster),
               config->fresh, worker_now(w));
    a->timer = w->world->ops->timer_new(w->loop, on_timer, a);
    if (a->timer == NULL) {
        free(a);
        return NULL;
    }
    set_timer(a, 0);
    return a;
}

void agent_free(struct agent *a)
{
    struct contact *contact;

    if (a == NULL)
        return;
    while ((contact = a->contacts) != NULL) {
        a->contacts = contact->next;
        drop(contact);
    }
    links_fini(&a->links);
    a->config.worker->world->ops->timer_free(a->timer);
    free(a);
}

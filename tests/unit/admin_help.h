/*
 * admin_help - an admin address on a leader that is made up
 *
 * The test is client and server in one thread: it sends a request, then turns
 * the loop until the answer is there.
 */
#ifndef ADMIN_HELP_H
#define ADMIN_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/world_loop.h"
#include "wire/listing.h"

#define TURNS_MAX 10000

struct fake {
    struct world *world;
    struct loop *loop;
    struct admin *admin;
    struct sockaddr_in at;
    int client;                 /* -1: none */
    const char *headers;        /* of the next request */

    /* what the made-up process says */
    struct map *map;            /* owned; copied for each view; NULL: none yet */
    bool leads;
    bool later;                 /* members answer when answer_now() is called */
    struct admin_answer answers[8];
    const char *held[8];        /* keys of each member, a letter each: "abc" */
    size_t page;                /* keys that a page has */
    struct admin_hotkey hot[2];
    size_t n_hot;
    const char *why;            /* changes are refused */
    struct job jobs[4];
    size_t n_jobs;

    /* what it was asked */
    admin_told *told;           /* waits for answer_now() */
    void *told_arg;
    char asked_key[300];
    size_t asked_key_len;
    char asked[300];            /* the last change: "add n /x z 2", "abort 3" */

    char head[65536];           /* of the last answer */
    json_t *body;               /* of the last answer, owned */
    int status;
};

static inline const char *fake_name(void *arg)
{
    (void)arg;
    return "demo";
}

static inline struct view *fake_view(void *arg)
{
    struct fake *f = arg;

    return f->map != NULL ? view_new(map_copy(f->map, 0), "front") : NULL;
}

static inline void answer_now(struct fake *f)
{
    admin_told *told = f->told;

    f->told = NULL;
    if (told != NULL)
        told(f->told_arg, f->answers);
}

static inline void fake_ask(void *arg, struct view *v, const char *key, size_t key_len,
                            admin_told *told, void *told_arg)
{
    struct fake *f = arg;

    (void)v;
    memcpy(f->asked_key, key != NULL ? key : "", key_len);
    f->asked_key_len = key_len;
    f->told = told;
    f->told_arg = told_arg;
    if (!f->later)
        answer_now(f);
}

/* Keys in capitals have another version than the small ones. */
static inline void fake_walk(void *arg, struct view *v, unsigned member, uint64_t cursor,
                             admin_walked *walked, void *walked_arg)
{
    struct fake *f = arg;
    const char *keys = f->held[member];
    char page[4096], *end = page, letter;
    size_t n = 0;

    (void)v;
    if (keys == NULL) {
        walked(walked_arg, NULL, 0, 0, "connection refused");
        return;
    }
    for (; n < f->page && keys[cursor + n] != '\0'; n++) {
        const bool other = keys[cursor + n] < 'a';

        letter = (char)(other ? keys[cursor + n] + 'a' - 'A' : keys[cursor + n]);
        end = listing_put(end, &(struct listed){ .key = &letter, .key_len = 1,
                                                 .token = other ? 8 : 7 });
    }
    cursor = keys[cursor + n] != '\0' ? cursor + n : 0;
    walked(walked_arg, page, (size_t)(end - page), cursor, NULL);
}

static inline const char *fake_hotkeys(void *arg, admin_hot_told *told, void *told_arg)
{
    struct fake *f = arg;

    if (f->why == NULL)
        told(told_arg, f->hot, f->n_hot, 100);
    return f->why;
}

static inline bool fake_leads(void *arg)
{
    return ((struct fake *)arg)->leads;
}

static inline uint64_t fake_change(void *arg, const struct admin_change *c, const char **why)
{
    static const char *const kinds[JOB_KINDS] = { "add", "remove", "drain", "weight" };
    struct fake *f = arg;

    snprintf(f->asked, sizeof(f->asked), "%s %s %s %s %u%s", kinds[c->kind], c->name,
             c->address != NULL ? c->address : "-", c->zone != NULL ? c->zone : "-", c->weight,
             c->force ? " force" : "");
    *why = f->why;
    return f->why != NULL ? 0 : 7;
}

static inline bool fake_abort(void *arg, uint64_t id, const char **why)
{
    struct fake *f = arg;

    snprintf(f->asked, sizeof(f->asked), "abort %llu", (unsigned long long)id);
    *why = f->why;
    if (f->why == NULL)
        f->jobs[id - 1].status = JOB_ABORTED;
    return f->why == NULL;
}

static inline const struct job *fake_jobs(void *arg, size_t *n)
{
    struct fake *f = arg;

    *n = f->n_jobs;
    return f->jobs;
}

/* It serves no clients. */
static inline void fake_count(void *arg, struct admin_counts *out)
{
    (void)arg;
    memset(out, 0, sizeof(*out));
}

static inline void fake_fini(void *arg)
{
    answer_now(arg);
}

static const struct admin_ops fake_ops = {
    .cluster_name = fake_name,
    .view = fake_view,
    .ask = fake_ask,
    .walk = fake_walk,
    .hotkeys = fake_hotkeys,
    .leads = fake_leads,
    .change = fake_change,
    .abort = fake_abort,
    .jobs = fake_jobs,
    .count = fake_count,
    .fini = fake_fini,
};

/* Members a, b, c of weight 1, two copies; all are well. */
static inline struct map *three_members(void)
{
    struct map *map = map_new(3);

    map->epoch = 5;
    map->phase_since = 5;
    map->replicas = 2;
    snprintf(map->leader, sizeof(map->leader), "front");
    snprintf(map->leader_address, sizeof(map->leader_address), "10.0.0.9:11301");
    for (size_t i = 0; i < 3; i++) {
        struct member *m = &map->members[i];

        m->number = (uint16_t)(i + 1);
        m->weight = m->next_weight = m->wanted_weight = 1;
        m->state = MEMBER_UP;
        m->since = 1;
        m->name[0] = (char)('a' + i);
        snprintf(m->address, sizeof(m->address), "/s/%c", m->name[0]);
    }
    assert_true(map_is_sound(map));
    return map;
}

/* With a token, or without (NULL). */
static inline int fake_setup_with(void **state, const char *token, bool loopback)
{
    struct fake *f = calloc(1, sizeof(*f));
    socklen_t len = sizeof(f->at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    f->at.sin_family = AF_INET;
    f->at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&f->at, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&f->at, &len), 0);
    f->world = world_os();
    f->loop = f->world->ops->loop_new(f->world, false);
    f->admin = admin_new(world_loop_base(f->loop),
                         &(struct admin_config){ .fd = fd, .max_item_bytes = 1 << 20,
                                                 .cas = true, .token = token,
                                                 .loopback = loopback },
                         &fake_ops, f);
    assert_non_null(f->admin);
    f->client = -1;
    f->headers = "Host: localhost\r\nContent-Type: application/json\r\n";
    f->map = three_members();
    f->leads = true;
    for (size_t i = 0; i < 3; i++)
        f->answers[i] = (struct admin_answer){ .known = true, .usage = {
            [USAGE_curr_items] = 100, [USAGE_bytes] = 1000, [USAGE_limit_maxbytes] = 1 << 20 } };
    *state = f;
    return 0;
}

static inline int fake_setup(void **state)
{
    return fake_setup_with(state, NULL, true);
}

static inline int fake_teardown(void **state)
{
    struct fake *f = *state;

    if (f->client >= 0)
        close(f->client);
    admin_free(f->admin);
    f->world->ops->loop_free(f->loop);
    json_decref(f->body);
    free(f->map);
    free(f);
    return 0;
}

static inline void turn(struct fake *f)
{
    f->world->ops->loop_turn(f->loop, true);
}

/* On a connection of its own. */
static inline void send_request(struct fake *f, const char *line, const char *body)
{
    char text[4096];
    int len = snprintf(text, sizeof(text), "%s HTTP/1.1\r\n%sConnection: close\r\n"
                       "Content-Length: %zu\r\n\r\n%s", line, f->headers, strlen(body), body);

    f->client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(f->client, (struct sockaddr *)&f->at, sizeof(f->at)), 0);
    assert_int_equal(send(f->client, text, (size_t)len, 0), len);
}

/* The whole answer, up to the close. */
static inline void read_answer(struct fake *f)
{
    char *const text = f->head;
    size_t len = 0;
    ssize_t n = -1;
    char *body;

    for (int i = 0; i < TURNS_MAX && n != 0; i++) {
        turn(f);
        n = recv(f->client, text + len, sizeof(f->head) - 1 - len, MSG_DONTWAIT);
        len += n > 0 ? (size_t)n : 0;
        if (n < 0)
            usleep(100);
    }
    assert_int_equal(n, 0);
    close(f->client);
    f->client = -1;
    text[len] = '\0';
    body = strstr(text, "\r\n\r\n");
    assert_non_null(body);
    assert_int_equal(sscanf(text, "HTTP/1.1 %d", &f->status), 1);
    json_decref(f->body);
    f->body = json_loads(body, 0, NULL);
    body[2] = '\0';
}

/* Sends it, and gives the answer's status. */
static inline int request(struct fake *f, const char *line, const char *body)
{
    send_request(f, line, body);
    read_answer(f);
    return f->status;
}

/* A text of the answer at "a.b.0.c"; "" where there is none. */
static inline const json_t *at(struct fake *f, const char *path)
{
    const json_t *o = f->body;
    char copy[100], *state, *word;

    snprintf(copy, sizeof(copy), "%s", path);
    for (word = strtok_r(copy, ".", &state); word != NULL; word = strtok_r(NULL, ".", &state))
        o = json_is_array(o) ? json_array_get(o, strtoul(word, NULL, 10))
                             : json_object_get(o, word);
    return o;
}

static inline const char *text_at(struct fake *f, const char *path)
{
    const char *text = json_string_value(at(f, path));

    return text != NULL ? text : "";
}

static inline long long number_at(struct fake *f, const char *path)
{
    assert_true(json_is_integer(at(f, path)));
    return json_integer_value(at(f, path));
}

#endif

#include "net/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "wire/binary.h"
#include "wire/packet.h"
#include "wire/text.h"

/* lists of the worker */

void session_join_flush(struct session *s)
{
    struct session_list *list = &s->worker->flush;

    if (s->in_flush || s->closed)
        return;
    s->in_flush = true;
    s->flush_next = NULL;
    if (list->last != NULL)
        list->last->flush_next = s;
    else
        list->first = s;
    list->last = s;
}

static void join_run(struct session *s)
{
    struct session_list *list = &s->worker->run;

    if (s->in_run || s->closed)
        return;
    s->in_run = true;
    s->run_next = NULL;
    if (list->last != NULL)
        list->last->run_next = s;
    else
        list->first = s;
    list->last = s;
}

/* the machine
 *
 *   READ_LINE --storage--> READ_VALUE --block whole--> READ_LINE
 *   READ_LINE --get of many--> READ_KEYS --end of line--> READ_LINE
 *   READ_LINE --storage in error--> SWALLOW --block gone--> READ_LINE
 *   READ_KEYS --bad key beyond what was judged--> SWALLOW_LINE --> READ_LINE
 *   READ_LINE --watch--> DEAF
 *   any --quit, hopeless bytes, a drain--> FINISH
 */

/* All that went by what is over has been answered. */
static bool in_order(struct session *s)
{
    if (s->order == s->worker->order)
        return true;
    if (s->first != NULL)
        return false;
    s->order = s->worker->order;
    return true;
}

static bool may_execute(struct session *s)
{
    return in_order(s) && !s->barrier && s->n_again == 0 && s->n_slots < SESSION_SLOTS_MAX &&
           s->out.bytes < SESSION_OUTPUT_PAUSE && s->held_bytes < SESSION_OUTPUT_PAUSE;
}

/* It is left as it is, for another program to go on with. */
static bool rests(const struct session *s)
{
    return s->worker->leaving && (s->state == READ_LINE || s->state == READ_VALUE);
}

/* May the next command be handled in this turn?  Notes why not. */
static bool next_allowed(struct session *s)
{
    if (s->closed || s->broken || rests(s))
        return false;
    if (!may_execute(s)) {
        s->blocked = true;
        return false;
    }
    if (worker_is_over(s->worker)) {    /* its end makes room */
        join_run(s);
        return false;
    }
    if (s->turn_commands >= s->worker->config->max_requests) {
        STAT_ADD(&s->worker->stats, conn_yields, 1);
        join_run(s);
        return false;
    }
    return true;
}

static void execute(struct session *s, struct cmd *cmd)
{
    s->turn_commands++;
    s->begun_ms = 0;
    cmd_settle_times(cmd, worker_wall(s->worker));
    s->worker->handler->handle(s, cmd);
    slots_settle(s);
}

static void say_error(struct session *s, enum cmd_error error)
{
    const struct form *form = &s->cmd.form;
    const char *text = cmd_error_text(error);
    char packet[PACKET_ANSWER_MAX];

    STAT_ADD(&s->worker->stats, protocol_errors, 1);
    if (form->protocol == PROTOCOL_BINARY) {
        const enum packet_status status = packet_status_of(error);

        text = packet_words(status);
        session_say(s, packet, (size_t)(packet_put(packet, form, status, NULL, 0, text,
                                                   strlen(text)) - packet));
    } else if (!form->quiet || form->protocol == PROTOCOL_META) {
        session_say(s, text, strlen(text));
    }
}

/* The line is done with; the next byte begins another. */
static enum session_state next_line(struct session *s)
{
    recvq_consume(&s->in, s->line_len);
    parse_init(&s->parse);
    s->begun_ms = 0;
    return s->state == FINISH || s->state == DEAF ? s->state : READ_LINE;   /* quit, watch */
}

/* No byte of a block that is refused may be taken for a command. */
static enum session_state begin_swallow(struct session *s)
{
    recvq_consume(&s->in, s->line_len);
    s->left = s->cmd.value_len + s->parse.block_end;
    return SWALLOW;
}

static enum session_state line_in_error(struct session *s)
{
    s->line_len = s->parse.len;
    say_error(s, s->cmd.error);
    if (s->parse.close) {
        s->faulty = true;
        return FINISH;
    }
    return s->parse.swallow ? begin_swallow(s) : next_line(s);
}

static enum session_state too_large(struct session *s)
{
    execute(s, &s->cmd);        /* the store refuses it and removes the old value */
    return begin_swallow(s);
}

/* `at`: where the keys start; `left`: bytes of them, 0: not known yet. */
static enum session_state begin_keys(struct session *s, size_t at, size_t left)
{
    s->left = left;
    s->whole_line = left > 0;
    s->cmd.form.more = true;
    s->keys_began_ns = worker_now_ns(s->worker);
    recvq_consume(&s->in, at);
    return READ_KEYS;
}

/* The first byte of a connection says what it speaks. */
static enum parse_status parse(struct session *s, const char *data, size_t len, struct cmd *cmd)
{
    if (s->dialect == DIALECT_UNKNOWN)
        s->dialect = (unsigned char)data[0] == BINARY_MAGIC && s->worker->config->binary
                   ? DIALECT_BINARY : DIALECT_TEXT;
    if (s->dialect == DIALECT_BINARY)
        return binary_parse(&s->parse, data, len, cmd);
    return text_parse(&s->parse, data, len, cmd);
}

static bool ends_block(const struct parse *p, const char *end)
{
    return p->block_end == 0 || (end[0] == '\r' && end[1] == '\n');
}

/* The block behind the line that was parsed at `data`: is it there, and good? */
static bool take_block(const struct session *s, struct cmd *cmd, const char *data, size_t len)
{
    const struct parse *p = &s->parse;

    if (cmd->value_len > s->worker->config->max_item_bytes ||
        p->len + cmd->value_len + p->block_end > len)
        return false;
    cmd->value = data + p->len;
    return ends_block(p, cmd->value + cmd->value_len);
}

/*
 * The length of the keyed command that was parsed at `data`, if nothing but to
 * execute it is left; else 0.  A key in `parse` does not outlast the next one.
 */
static size_t whole_command(const struct session *s, struct cmd *cmd, const char *data, size_t len)
{
    const struct parse *p = &s->parse;

    if (cmd->error != CMD_OK || !verb_is_keyed(cmd->verb) || cmd->key == NULL ||
        cmd->key == p->key)
        return 0;
    if (!verb_has_value(cmd->verb))
        return p->len;
    return take_block(s, cmd, data, len) ? p->len + cmd->value_len + p->block_end : 0;
}

/* How many the batch may have: it is full, or this turn is over. */
static unsigned batch_limit(const struct session *s, const struct batch *b)
{
    unsigned left = s->worker->config->max_requests - s->turn_commands;

    return left < BATCH_MAX - b->n ? b->n + left : BATCH_MAX;
}

/*
 * Adds to the batch the commands that need nothing more.  When there is none
 * (s->batch_n is 0) the first is in s->cmd and s->parse, as far as it was
 * understood.
 */
static enum parse_status read_ahead(struct session *s, struct batch *b)
{
    const unsigned limit = batch_limit(s, b);
    const char *data = recvq_data(&s->in);
    size_t at = 0, took, len = recvq_len(&s->in);
    enum parse_status status = PARSE_DONE;

    assert(b->n < limit);
    s->batch = b;
    s->batch_at = b->n;
    for (; b->n < limit && at < len; at += took) {
        struct cmd *cmd = &b->cmds[b->n];

        status = parse(s, data + at, len - at, cmd);
        took = status == PARSE_DONE ? whole_command(s, cmd, data + at, len - at) : 0;
        if (took == 0)
            break;
        batch_add(b, cmd->key, cmd->key_len, at + took);
        parse_init(&s->parse);
    }
    s->batch_n = b->n - s->batch_at;
    if (s->batch_n > 0)
        parse_init(&s->parse);
    else if (status != PARSE_MORE)
        s->cmd = b->cmds[b->n];
    return s->batch_n > 0 ? PARSE_DONE : status;
}

void session_look_ahead(struct session *s)
{
    s->turn_commands = 0;
    s->looked = s->state == READ_LINE && recvq_len(&s->in) > s->parse.pos;
    if (s->looked)
        s->found = read_ahead(s, &s->worker->ahead);
}

/* Nothing that was seen ahead lasts beyond the turn. */
static void forget_ahead(struct session *s)
{
    if (s->looked)
        parse_init(&s->parse);
    s->looked = false;
}

/* What comes next: it was looked for already, or is now. */
static enum parse_status understand(struct session *s)
{
    struct worker *w = s->worker;
    enum parse_status status;

    if (s->looked) {
        s->looked = false;
        return s->found;
    }
    w->batch.n = 0;
    status = read_ahead(s, &w->batch);
    worker_foresee(w, &w->batch);
    return status;
}

/* How many of them were executed at once; of the others, if any, the first is next. */
static unsigned execute_gets(struct session *s, struct gets *gets)
{
    unsigned n = 0;

    if (gets->n > 1)
        n = s->worker->handler->handle_gets(s, gets);
    if (n > 0)
        s->begun_ms = 0;
    s->turn_commands += n;
    gets->keys += n > 0 ? n : 1;
    gets->n -= n > 0 ? n : gets->n > 0;
    return n;
}

static bool is_plain_get(const struct cmd *cmd, enum verb verb)
{
    return cmd->verb == verb && cmd->verb <= VERB_GETS && cmd->options == 0 &&
           cmd->form.protocol == PROTOCOL_TEXT;
}

/* Those that begin at `i`, if it is of use to know. */
static struct gets gets_at(const struct session *s, unsigned i, unsigned end)
{
    const struct batch *b = s->batch;
    const enum verb verb = b->cmds[i].verb;
    struct gets gets = { .verb = verb, .keys = &b->keys[i] };

    while (s->worker->gathers_gets && i + gets.n < end && is_plain_get(&b->cmds[i + gets.n], verb))
        gets.n++;
    return gets;
}

static void execute_one(struct session *s, const struct batch *b, struct cmd *cmd, unsigned i)
{
    cmd->hash = b->keys[i].hash;
    if (verb_has_value(cmd->verb))
        STAT_ADD(&s->worker->stats, cmd_set, 1);
    execute(s, cmd);
}

static enum session_state execute_batch(struct session *s)
{
    struct batch *b = s->batch;
    const unsigned end = s->batch_at + s->batch_n;
    struct gets gets = { .n = 0 };
    size_t done = 0;

    for (unsigned i = s->batch_at; i < end && s->state == READ_LINE;) {
        unsigned n;

        if (i > s->batch_at && !next_allowed(s))
            return YIELD;
        if (gets.n == 0)
            gets = gets_at(s, i, end);
        n = execute_gets(s, &gets);
        if (n == 0) {
            execute_one(s, b, &b->cmds[i], i);
            n = 1;
        }
        i += n;
        recvq_consume(&s->in, b->end[i - 1] - done);
        done = b->end[i - 1];
    }
    return s->state;
}

static enum session_state read_line(struct session *s)
{
    size_t len = recvq_len(&s->in), keys_at;
    const char *data = recvq_data(&s->in);
    enum parse_status status = PARSE_MORE;

    if (s->looked || len > s->parse.pos) {
        if (!next_allowed(s))
            return YIELD;
        status = understand(s);
    }
    if (status == PARSE_MORE)
        return s->worker->stopping ? FINISH : YIELD;
    s->last_cmd_ms = worker_now(s->worker);
    if (s->batch_n > 0)
        return execute_batch(s);
    if (status == PARSE_KEYS)
        return begin_keys(s, s->parse.len, 0);
    if (s->cmd.error != CMD_OK)
        return line_in_error(s);
    s->line_len = s->parse.len;
    if (verb_has_value(s->cmd.verb)) {
        STAT_ADD(&s->worker->stats, cmd_set, 1);
        s->key_at = s->cmd.key != s->parse.key ? (size_t)(s->cmd.key - data) : KEY_DECODED;
        return s->cmd.value_len > s->worker->config->max_item_bytes ? too_large(s) : READ_VALUE;
    }
    if (verb_is_get(s->cmd.verb) && s->cmd.key == NULL) {     /* of text: many keys */
        keys_at = (size_t)(s->cmd.args - data);
        return begin_keys(s, keys_at, s->parse.len - keys_at);
    }
    execute(s, &s->cmd);
    return next_line(s);
}

/* How much must be there before the machine can step on; 0: not known. */
static size_t wanted(const struct session *s)
{
    return s->state == READ_VALUE ? s->line_len + s->cmd.value_len + s->parse.block_end : 0;
}

static enum session_state read_value(struct session *s)
{
    const char *line = recvq_data(&s->in), *end;

    if (recvq_len(&s->in) < wanted(s) || rests(s))
        return YIELD;
    if (s->key_at != KEY_DECODED)
        s->cmd.key = line + s->key_at;  /* the buffer may have moved */
    s->cmd.value = line + s->line_len;
    end = s->cmd.value + s->cmd.value_len;
    s->line_len += s->cmd.value_len + s->parse.block_end;
    if (ends_block(&s->parse, end))
        execute(s, &s->cmd);
    else
        say_error(s, CMD_BAD_CHUNK);
    return next_line(s);
}

static void take_keys(struct session *s, size_t len)
{
    recvq_consume(&s->in, len);
    if (s->whole_line)
        s->left -= len;
}

/* Fills the batch with the next keys; *rest: what to take behind the last. */
static enum keys_status read_keys_ahead(struct session *s, size_t *rest)
{
    struct batch *b = &s->worker->batch;
    const size_t len = s->whole_line ? s->left : recvq_len(&s->in);
    enum keys_status status = KEYS_KEY;
    size_t at = 0, end = 0, key_len;
    const char *key;
    unsigned limit;

    b->n = 0;
    limit = batch_limit(s, b);
    for (; b->n < limit; batch_add(b, key, key_len, at)) {
        end = at;
        status = text_keys_next(recvq_data(&s->in), len, &at, s->whole_line, &key, &key_len);
        if (status != KEYS_KEY)
            break;
    }
    if (status == KEYS_END && s->whole_line)
        at = len;
    *rest = status != KEYS_KEY ? at - end : 0;
    worker_foresee(s->worker, b);
    return status;
}

static void execute_key(struct session *s, const struct lookup *key)
{
    s->cmd.key = key->key;
    s->cmd.key_len = key->key_len;
    s->cmd.hash = key->hash;
    execute(s, &s->cmd);
}

/* False: stopped on the way. */
static bool execute_keys(struct session *s)
{
    const struct batch *b = &s->worker->batch;
    const bool plain = s->worker->gathers_gets && s->cmd.verb <= VERB_GETS;
    struct gets gets = { s->cmd.verb, true, plain ? b->n : 0, b->keys };
    size_t done = 0;

    for (unsigned i = 0; i < b->n;) {
        unsigned n;

        if (i > 0 && !next_allowed(s))
            return false;
        n = execute_gets(s, &gets);
        if (n == 0) {
            execute_key(s, &b->keys[i]);
            n = 1;
        }
        i += n;
        take_keys(s, b->end[i - 1] - done);
        done = b->end[i - 1];
    }
    return true;
}

static enum session_state read_keys(struct session *s)
{
    enum keys_status status;
    size_t rest;

    if (!next_allowed(s))
        return YIELD;
    status = read_keys_ahead(s, &rest);
    if (!execute_keys(s))
        return YIELD;
    take_keys(s, rest);
    switch (status) {
    case KEYS_KEY:
        return READ_KEYS;
    case KEYS_MORE:
        return YIELD;
    case KEYS_BAD:
        say_error(s, CMD_BAD_FORMAT);
        return SWALLOW_LINE;
    case KEYS_END:
        break;
    }
    session_say_end(s, latency_of_many(s->cmd.verb), s->keys_began_ns);
    s->line_len = 0;
    return next_line(s);
}

static enum session_state swallow(struct session *s)
{
    size_t have = recvq_len(&s->in), take = have < s->left ? have : s->left;

    recvq_consume(&s->in, take);
    s->left -= take;
    if (s->left > 0)
        return YIELD;
    s->line_len = 0;
    return next_line(s);
}

static enum session_state swallow_line(struct session *s)
{
    size_t len = recvq_len(&s->in);
    const char *data = recvq_data(&s->in);
    const char *end = len > 0 ? memchr(data, '\n', len) : NULL;

    recvq_consume(&s->in, end != NULL ? (size_t)(end + 1 - data) : len);
    if (end == NULL)
        return YIELD;
    s->line_len = 0;
    return next_line(s);
}

static enum session_state deaf(struct session *s)
{
    recvq_consume(&s->in, recvq_len(&s->in));
    return s->worker->stopping ? FINISH : YIELD;
}

static enum session_state finish(struct session *s)
{
    recvq_consume(&s->in, recvq_len(&s->in));
    return YIELD;
}

static enum session_state (*const steps[N_SESSION_STATES])(struct session *) = {
    [READ_LINE] = read_line,
    [READ_VALUE] = read_value,
    [READ_KEYS] = read_keys,
    [SWALLOW] = swallow,
    [SWALLOW_LINE] = swallow_line,
    [DEAF] = deaf,
    [FINISH] = finish,
};

static void drive(struct session *s)
{
    enum session_state next;

    while ((next = steps[s->state](s)) != YIELD)
        s->state = next;
    forget_ahead(s);
    recvq_settle(&s->in);
    if (s->begun_ms == 0 && s->state != FINISH && s->state != DEAF &&
        (recvq_len(&s->in) > 0 || s->state != READ_LINE))
        s->begun_ms = worker_now(s->worker);
}

/* sockets */

#define DISCARD_READS 1024
#define LINGER_MS 1000          /* for a client to see that we have ended */
#define STREAM_STALL_MS 10000   /* so long a stream may stand still */

static void set_watch(struct session *s)
{
    int what = 0;

    if (s->lingers || (s->state != FINISH && !s->blocked && !rests(s)))
        what |= WATCH_READ;
    if (s->output_full)
        what |= WATCH_WRITE;
    s->worker->world->ops->watch_set(s->watch, what);
}

/* What is there is thrown away.  False: there will be no more; *some: there was some. */
static bool discard_input(struct session *s, bool *some)
{
    struct world *w = s->worker->world;
    enum io io = IO_OK;
    char rest[4096];
    size_t got;

    for (int i = 0; i < DISCARD_READS && io == IO_OK; i++) {
        io = w->ops->recv(w, s->fd, rest, sizeof(rest), &got);
        *some |= io == IO_OK;
    }
    return io == IO_OK || io == IO_AGAIN;
}

/*
 * A close with bytes unread makes the kernel reset the connection, and throw away
 * answers that are still on their way.  So a client that goes on sending is told that
 * nothing more comes, and is listened to until it ends, too, or for a moment.
 */
static void part(struct session *s)
{
    bool some = s->lingers;

    if (!discard_input(s, &some) || !some) {
        session_close(s);
        return;
    }
    if (!s->lingers) {
        s->lingers = true;
        s->moved_ms = worker_now(s->worker);
        s->worker->world->ops->shut(s->worker->world, s->fd);
    }
    set_watch(s);
}

/* After anything happened: what is left to do, and for what to wait. */
static void settle(struct session *s)
{
    if (s->closed)
        return;
    if (s->broken) {
        session_close(s);
    } else if (s->state == FINISH && s->first == NULL && s->out.bytes == 0) {
        part(s);
    } else {
        set_watch(s);
    }
}

void session_run(struct session *s)
{
    s->turn_commands = 0;
    drive(s);
    worker_add_unsent(s->worker, s->out.bytes);
}

void session_send(struct session *s)
{
    if (s->first == NULL) {     /* all answered: out with it while it is in the cache */
        session_flush(s);
        return;
    }
    if (s->out.bytes > 0 || s->first->ready || s->lease)
        session_join_flush(s);
    settle(s);
}

/* The time that we did not read was not the client's. */
static void unblock(struct session *s)
{
    s->blocked = false;
    if (s->begun_ms != 0)
        s->begun_ms = worker_now(s->worker);
    join_run(s);
}

/* The lease is there still, so it was when all that is done by now was executed: that
 * may be answered, however late. */
static bool was_under_lease(struct session *s)
{
    const bool was = !s->lease || s->worker->handler->serves(s->worker);

    s->lease = false;
    return was;
}

void session_flush(struct session *s)
{
    struct worker *w = s->worker;
    enum io io = IO_AGAIN;
    uint64_t sent = 0;

    slots_emit(s);
    /* what came after a gap must not be sent */
    if (s->broken || !was_under_lease(s)) {
        session_close(s);
        return;
    }
    if (!s->output_full)
        io = sendq_flush(&s->out, w->world, s->fd, &sent);
    STAT_ADD(&w->stats, bytes_written, sent);
    if (io == IO_FAILED) {
        session_close(s);
        return;
    }
    s->output_full = io == IO_AGAIN;
    if (sent > 0)
        s->moved_ms = worker_now(w);
    if (!s->output_full && s->first != NULL && s->first->ready)
        session_join_flush(s);          /* more than one helping was ready */
    if (s->blocked && may_execute(s))
        unblock(s);
    settle(s);
}

/* A stream that nobody reads ends: its client would get it too late anyway. */
static bool is_stalled(const struct session *s)
{
    return s->streams && s->output_full && worker_now(s->worker) - s->moved_ms > STREAM_STALL_MS;
}

void session_look(struct session *s)
{
    static const char text[] = "CLIENT_ERROR the command took too long to arrive\r\n";
    int64_t limit_ms = s->worker->config->request_timeout_ms;

    if (s->lingers && worker_now(s->worker) - s->moved_ms > LINGER_MS)
        session_close(s);
    if (is_stalled(s)) {
        STAT_ADD(&s->worker->stats, idle_kicks, 1);
        session_close(s);
    }
    if (limit_ms == 0 || s->begun_ms == 0 || s->blocked || s->in_run || s->closed ||
        s->state == FINISH || worker_now(s->worker) - s->begun_ms < limit_ms)
        return;
    if (s->dialect != DIALECT_BINARY)
        session_say(s, text, sizeof(text) - 1);
    session_finish(s);
    session_join_flush(s);
}

static void on_readable(struct session *s)
{
    struct worker *w = s->worker;
    size_t before = recvq_len(&s->in);
    enum io io;

    if (s->lingers) {
        part(s);
        return;
    }
    if (s->in_run || s->blocked || rests(s))
        return;                 /* has enough to do with what it has */
    io = recvq_fill(&s->in, w->world, s->fd, wanted(s));
    if (io == IO_AGAIN) {
        recvq_settle(&s->in);
        return;
    }
    if (io == IO_EOF) {         /* it may have closed one way only: nc */
        s->state = FINISH;
        session_run(s);
        session_send(s);
        return;
    }
    if (io == IO_FAILED) {
        session_close(s);
        return;
    }
    STAT_ADD(&w->stats, bytes_read, recvq_len(&s->in) - before);
    s->in_run = true;
    worker_add_ready(w, s);
}

static void on_event(void *arg, int what)
{
    struct session *s = arg;

    if (s->closed)
        return;
    if (what & WATCH_WRITE) {
        s->output_full = false;
        session_flush(s);
    } else {
        on_readable(s);
    }
}

/* its life */

static struct session *begin(struct worker *w, int fd)
{
    struct session *s = calloc(1, sizeof(*s));

    if (s != NULL)
        s->watch = w->world->ops->watch_new(w->loop, fd, on_event, s);
    if (s == NULL || s->watch == NULL) {
        free(s);
        w->world->ops->close(w->world, fd);
        __atomic_sub_fetch(w->config->n_clients, 1, __ATOMIC_RELAXED);
        return NULL;
    }
    s->worker = w;
    s->fd = fd;
    s->order = w->order;
    s->last = &s->first;
    s->answer_bytes = w->config->first_answer_bytes;
    recvq_init(&s->in, &w->pool);
    sendq_init(&s->out, &w->pool);
    parse_init(&s->parse);
    s->last_cmd_ms = worker_now(w);
    s->next = w->sessions;
    if (s->next != NULL)
        s->next->prev = s;
    w->sessions = s;
    STAT_ADD(&w->stats, curr_connections, 1);
    STAT_ADD(&w->stats, total_connections, 1);
    set_watch(s);
    if (w->handler->opened != NULL)
        w->handler->opened(s);
    if (w->stopping)
        session_drain(s);
    return s;
}

void session_open(struct worker *w, int fd)
{
    (void)begin(w, fd);
}

void session_open_moved(struct worker *w, int fd, const char *in, size_t in_len,
                        const char *out, size_t out_len)
{
    struct session *s = begin(w, fd);

    if (s == NULL)
        return;
    if (!recvq_put(&s->in, in, in_len) || (out_len > 0 && !sendq_add(&s->out, out, out_len))) {
        session_close(s);
        return;
    }
    s->blocked = true;          /* the handler's turn ends before the first command */
    session_join_flush(s);
}

void session_leave(struct session *s)
{
    if (s->state == DEAF)
        session_close(s);
    else
        session_join_flush(s);
}

void session_stay(struct session *s)
{
    if (s->closed)
        return;
    set_watch(s);
    session_drain(s);
}

bool session_can_move(const struct session *s)
{
    return rests(s) && s->first == NULL && !s->closed && !s->broken && !s->barrier && !s->lease;
}

void session_hold(struct session *s)
{
    s->barrier = true;
}

void session_resume(struct session *s)
{
    s->barrier = false;
    unblock(s);
    session_join_flush(s);
}

void session_finish(struct session *s)
{
    s->state = FINISH;
}

void session_stream(struct session *s)
{
    s->streams = true;
    s->moved_ms = worker_now(s->worker);
}

void session_deafen(struct session *s)
{
    s->state = DEAF;
    session_stream(s);
}

void session_drain(struct session *s)
{
    if (s->blocked || s->closed)
        return;
    if (!s->in_run && s->state != FINISH) {     /* it may have come and not be read yet */
        const size_t before = recvq_len(&s->in);
        const enum io io = recvq_fill(&s->in, s->worker->world, s->fd, wanted(s));

        STAT_ADD(&s->worker->stats, bytes_read, recvq_len(&s->in) - before);
        if (io == IO_FAILED)
            session_close(s);
    }
    join_run(s);
}

void session_close(struct session *s)
{
    struct worker *w = s->worker;

    if (s->closed)
        return;
    s->closed = true;
    w->world->ops->watch_set(s->watch, 0);
    s->closed_next = w->closed;
    w->closed = s;
}

void session_free(struct session *s)
{
    struct worker *w = s->worker;

    if (w->handler->closed != NULL)
        w->handler->closed(s);
    slots_drop(s);
    if (s->prev != NULL)
        s->prev->next = s->next;
    else
        w->sessions = s->next;
    if (s->next != NULL)
        s->next->prev = s->prev;
    STAT_SUB(&w->stats, curr_connections, 1);
    w->world->ops->watch_free(s->watch);
    w->world->ops->close(w->world, s->fd);
    __atomic_sub_fetch(w->config->n_clients, 1, __ATOMIC_RELAXED);
    recvq_fini(&s->in);
    sendq_fini(&s->out);
    free(s);
}

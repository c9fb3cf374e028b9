#include "store_state.h"

/* ---- loans ---- */

void steps_give_back(struct loan *loan)
{
    if (loan->chunk == NULL)
        return;
    CHECK(memcmp(loan->value, loan->copy, loan->len) == 0);
    chunk_unref(loan->chunk);
    free(loan->copy);
    loan->chunk = NULL;
}

static void borrow(struct steps *t, const struct answer *a)
{
    struct loan *loan = &t->loans[t->n_steps % LOANS];

    if (loan->chunk != NULL || (loan->chunk = store_lend(a, &t->pool)) == NULL)
        return;
    CHECK(a->value_len >= LEND_BYTES);
    loan->value = a->value;
    loan->len = a->value_len;
    loan->copy = malloc(loan->len);
    CHECK(loan->copy != NULL);
    memcpy(loan->copy, a->value, loan->len);
}

/* ---- a command ---- */

static void read_hit(void *arg, const struct answer *a)
{
    struct steps *t = arg;

    t->n_shown++;
    t->value = realloc(t->value, a->value_len + 1);
    CHECK(t->value != NULL);
    if (a->value_len > 0)
        memcpy(t->value, a->value, a->value_len);
    if (t->borrows)
        borrow(t, a);
}

static void execute(struct steps *t, const struct cmd *cmd, struct answer *a)
{
    const uint64_t hash = store_hash(t->store, cmd->key, cmd->key_len);
    const struct store_reader reader = steps_reader(t, read_hit);

    t->n_shown = 0;
    store_prefetch(t->store, hash);
    store_execute(t->store, cmd, hash, t->now_ms, a, &reader);
    CHECK(t->n_shown == (a->status == STATUS_HIT));
    steps_second_learns(t, cmd, a);
}

void steps_look_for(struct steps *t, unsigned key)
{
    const struct known *k = &t->keys[key];
    struct model_item *it = model_find(&t->m, key);
    const struct cmd cmd = { .verb = VERB_GET, .key = k->name, .key_len = k->len,
                             .options = OPTION_NO_VALUE | OPTION_NO_USE };
    struct answer a;

    if (it == NULL || k->seen == t->losses)
        return;
    execute(t, &cmd, &a);
    if (a.status == STATUS_NOT_FOUND) {
        steps_forget(t, key);
        return;
    }
    CHECK(a.status == STATUS_HEAD && a.number == it->len && a.version == k->version);
    t->keys[key].seen = t->losses;
}

static bool chose(struct steps *t, unsigned option)
{
    if (!one_in(t, 4))
        return false;
    t->cmd.options |= option;
    return true;
}

static void draw_token(struct steps *t)
{
    if (chose(t, OPTION_TOKEN))
        t->cmd.token = t->op.token = 1 + pick(t, 7);
}

static void draw_compare(struct steps *t)
{
    if (chose(t, OPTION_COMPARE)) {
        t->op.has_cas = true;
        t->cmd.cas = t->op.cas = steps_cas(t, t->op.key);
    }
}

static void draw_exptime(struct steps *t)
{
    t->cmd.exptime = t->op.exptime = steps_exptime(t);
}

static void draw_vivify(struct steps *t)
{
    if (chose(t, OPTION_VIVIFY)) {
        t->op.has_vivify = true;
        t->cmd.vivify_exptime = t->op.vivify_exptime = steps_exptime(t);
    }
}

static void draw_encoded(struct steps *t)
{
    t->op.encoded = chose(t, OPTION_KEY_ENCODED);
}

/* With both, the time of a T that follows the N is what counts. */
static void draw_order(struct steps *t)
{
    t->cmd.ttl_is_last = t->op.ttl_after_vivify =
        t->op.has_vivify && t->op.has_ttl && one_in(t, 2);
}

static void draw_get(struct steps *t)
{
    static const enum verb verbs[] = { VERB_GET, VERB_GET, VERB_GETS, VERB_GAT, VERB_GATS };

    t->cmd.verb = verbs[pick(t, N_OF(verbs))];
    t->op.verb = OP_GET;
    t->op.has_ttl = t->cmd.verb == VERB_GAT || t->cmd.verb == VERB_GATS;
    if (t->op.has_ttl)
        draw_exptime(t);
    t->borrows = one_in(t, 2);
    if (one_in(t, 2))
        return;
    t->op.may_win = chose(t, OPTION_WIN);
    t->op.no_use = chose(t, OPTION_NO_USE);
    chose(t, OPTION_NO_VALUE);
    draw_compare(t);
    draw_vivify(t);
    draw_order(t);
    if (t->op.has_vivify) {
        draw_token(t);
        draw_encoded(t);
    }
    if (chose(t, OPTION_RECACHE)) {
        t->op.has_recache = true;
        t->cmd.recache_exptime = t->op.recache_exptime = steps_exptime(t);
        t->op.ttl_before_recache = t->op.has_ttl && chose(t, OPTION_TTL_FIRST);
    }
}

static void draw_store(struct steps *t)
{
    static const struct { enum verb verb; enum verb_of_op op; } verbs[] = {
        { VERB_SET, OP_SET }, { VERB_SET, OP_SET }, { VERB_SET, OP_SET }, { VERB_ADD, OP_ADD },
        { VERB_REPLACE, OP_REPLACE }, { VERB_APPEND, OP_APPEND }, { VERB_PREPEND, OP_PREPEND },
        { VERB_CAS, OP_SET },
    };
    const unsigned choice = pick(t, N_OF(verbs));

    t->cmd.verb = verbs[choice].verb;
    t->op.verb = verbs[choice].op;
    t->cmd.client_flags = t->op.flags = one_in(t, 2) ? (uint32_t)steps_number(t) : 0;
    steps_value(t);
    t->op.value = t->cmd.value;
    t->op.len = t->cmd.value_len;
    draw_exptime(t);
    draw_token(t);
    draw_encoded(t);
    if (t->cmd.verb == VERB_CAS) {
        t->op.cas_is_another_verb = true;
        t->cmd.cas = t->op.cas = steps_cas(t, t->op.key);
        t->op.invalidate = chose(t, OPTION_INVALIDATE);
    } else if (t->cmd.verb == VERB_APPEND || t->cmd.verb == VERB_PREPEND) {
        draw_compare(t);
        draw_vivify(t);
    }
}

static void draw_time(struct steps *t)
{
    t->op.has_ttl = chose(t, OPTION_TTL);
    if (t->op.has_ttl)
        draw_exptime(t);
}

static void draw_delete(struct steps *t)
{
    t->cmd.verb = VERB_DELETE;
    t->op.verb = OP_DELETE;
    t->op.zero_is_a_token = true;
    t->cmd.client_flags = t->op.flags = (uint32_t)steps_number(t);
    draw_compare(t);
    draw_token(t);
    draw_time(t);
    t->op.invalidate = chose(t, OPTION_INVALIDATE);
    t->op.remove_value = chose(t, OPTION_REMOVE_VALUE);
}

static void draw_count(struct steps *t)
{
    t->cmd.verb = one_in(t, 2) ? VERB_INCR : VERB_DECR;
    t->op.verb = t->cmd.verb == VERB_INCR ? OP_INCR : OP_DECR;
    t->cmd.delta = t->op.delta = steps_number(t);
    t->cmd.initial = t->op.initial = steps_number(t);
    draw_compare(t);
    draw_token(t);
    draw_time(t);
    draw_vivify(t);
    draw_order(t);
    draw_encoded(t);
}

static void draw_touch(struct steps *t)
{
    t->cmd.verb = VERB_TOUCH;
    t->op.verb = OP_TOUCH;
    draw_exptime(t);
}

static void draw(struct steps *t, unsigned key)
{
    const unsigned choice = pick(t, 16);

    cmd_clear(&t->cmd);
    t->cmd.form.protocol = PROTOCOL_META;
    t->cmd.key = t->keys[key].name;
    t->cmd.key_len = t->keys[key].len;
    t->cmd.copies = t->config.copies;
    t->cmd.pending = one_in(t, 8);
    t->op = (struct op){ .key = key, .key_len = t->keys[key].len };
    t->borrows = false;
    if (choice < 6)
        draw_get(t);
    else if (choice < 12)
        draw_store(t);
    else if (choice == 12)
        draw_delete(t);
    else if (choice < 15)
        draw_count(t);
    else
        draw_touch(t);
    cmd_settle_times(&t->cmd, t->m.wall_ms);
}

/* ---- its answer ---- */

static enum status expected_status(const struct steps *t)
{
    switch (t->outcome.status) {
    case SAYS_HIT:
        return t->outcome.same_token || (t->cmd.options & OPTION_NO_VALUE) != 0 ? STATUS_HEAD
                                                                                : STATUS_HIT;
    case SAYS_MISS:
        return STATUS_NOT_FOUND;
    case SAYS_STORED:
        return STATUS_STORED;
    case SAYS_NOT_STORED:
        return STATUS_NOT_STORED;
    case SAYS_EXISTS:
        return STATUS_EXISTS;
    case SAYS_DONE:
        return t->cmd.verb == VERB_TOUCH ? STATUS_TOUCHED : STATUS_DELETED;
    case SAYS_NUMBER:
        return STATUS_NUMBER;
    case SAYS_NO_NUMBER:
        return STATUS_NON_NUMERIC;
    case SAYS_TOO_LARGE:
        return STATUS_TOO_LARGE;
    }
    return N_STATUSES;
}

/* Did the command give the item a new version? */
static bool is_written(const struct steps *t)
{
    const struct outcome *o = &t->outcome;

    return o->status == SAYS_STORED || o->status == SAYS_NUMBER || o->created
        || (o->status == SAYS_DONE && t->cmd.verb == VERB_DELETE
            && (t->op.invalidate || t->op.remove_value));
}

static void check_version(struct steps *t)
{
    const struct outcome *o = &t->outcome;
    const struct answer *a = &t->answer;
    struct known *k = &t->keys[t->op.key];

    if (is_written(t)) {
        CHECK(a->version > k->version && a->version > t->floor && a->version <= VERSION_MAX);
        CHECK((a->version & VERSION_NUMBER_MAX) == t->number);
        k->version = a->version;
    } else if (o->status == SAYS_HIT || (a->status == STATUS_TOUCHED && t->cmd.ttl_ms >= 0)) {
        CHECK(a->version == k->version);
    }
    if (o->cell != NULL && (is_written(t) || o->status == SAYS_HIT)) {
        if (o->cell->token == 0)
            o->cell->token = a->version;
        CHECK(answer_token(a) == o->cell->token);
    }
}

static void check_answer(struct steps *t)
{
    static const unsigned not_compared = MARK_TOKEN | MARK_OPEN;
    const struct outcome *o = &t->outcome;
    const struct answer *a = &t->answer;
    unsigned marks = (o->fetched ? MARK_FETCHED : 0u) | (o->stale ? MARK_STALE : 0u)
                   | (o->won ? MARK_WON : 0u) | (o->encoded ? MARK_KEY_ENCODED : 0u)
                   | (o->win ? MARK_WIN : 0u) | (o->created ? MARK_CREATED : 0u);

    CHECK(a->status == expected_status(t));
    check_version(t);
    switch (o->status) {
    case SAYS_HIT:
        CHECK(a->client_flags == o->flags && a->ttl_ms == o->left_ms);
        CHECK(o->created || steps_is_idle_for(a->idle_s, o->idle_ms));
        CHECK((a->marks & ~not_compared) == marks);
        if (a->status == STATUS_HEAD) {
            CHECK(a->number == o->len);
            return;
        }
        CHECK(a->value_len == o->len && memcmp(t->value, o->value, o->len) == 0);
        return;
    case SAYS_STORED:
        CHECK(a->number == o->len);
        CHECK((a->marks & ~not_compared) == (o->created ? MARK_CREATED : 0u));
        return;
    case SAYS_NUMBER:
        CHECK(a->number == o->number && a->ttl_ms == o->left_ms);
        CHECK((a->marks & ~not_compared) == (o->created ? MARK_CREATED : 0u));
        return;
    case SAYS_MISS: case SAYS_NOT_STORED: case SAYS_EXISTS: case SAYS_DONE: case SAYS_NO_NUMBER:
    case SAYS_TOO_LARGE:
        return;
    }
}

/* Memory was refused: the model must not do it either. */
static bool is_refused(struct steps *t)
{
    const struct answer *a = &t->answer;
    struct model_item *it = model_find(&t->m, t->op.key);
    const bool vivifies = verb_is_get(t->cmd.verb) && t->op.has_vivify && it == NULL;
    const bool touches = verb_is_get(t->cmd.verb) && t->op.has_ttl && it != NULL;
    size_t len = t->cmd.value_len;

    if (a->status != STATUS_NO_MEMORY
        && !((vivifies || touches) && a->status == STATUS_NOT_FOUND))
        return false;
    CHECK(!t->config.is_ample);
    if (it != NULL && (t->op.verb == OP_APPEND || t->op.verb == OP_PREPEND
                       || t->op.verb == OP_DELETE || t->op.verb == OP_INCR
                       || t->op.verb == OP_DECR || t->op.verb == OP_GET
                       || t->op.verb == OP_TOUCH))
        len += it->len;
    CHECK(!t->config.evict || len > SURE_BYTES);
    if (t->cmd.verb == VERB_SET && it != NULL)
        it->there = false;
    return true;
}

void steps_command(struct steps *t)
{
    const unsigned key = pick(t, t->config.n_keys);
    bool had;

    steps_look_for(t, key);
    had = model_find(&t->m, key) != NULL;
    draw(t, key);
    execute(t, &t->cmd, &t->answer);
    steps_look_at_usage(t, t->config.evict);
    if (!is_refused(t)) {
        model_do(&t->m, &t->op, &t->outcome);
        check_answer(t);
        t->keys[key].seen = t->losses;
    }
    steps_bury(t, key, had);
}

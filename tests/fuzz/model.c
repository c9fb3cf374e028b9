#include "model.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER 64               /* what an item counts beside key and value */
#define MONTH (30 * 24 * 3600)

void model_init(struct model *m)
{
    memset(m, 0, sizeof(*m));
}

static struct cell *cell_of(struct model *m, uint64_t token)
{
    struct cell *cell = &m->cells[m->n_cells++];

    if (m->n_cells > MODEL_CELLS)
        abort();
    cell->token = token;
    return cell;
}

int64_t model_left_ms(const struct model *m, int64_t exptime)
{
    if (exptime <= 0)
        return exptime;
    if (exptime <= MONTH)
        return exptime * 1000;
    return exptime * 1000 > m->wall_ms ? exptime * 1000 - m->wall_ms : -1;
}

static struct model_item *find(struct model *m, unsigned key)
{
    struct model_item *it = &m->items[key];

    if (it->there && it->gone_at_ms != 0 && it->gone_at_ms <= m->now_ms)
        it->there = false;
    return it->there ? it : NULL;
}

uint64_t model_token(struct model *m, unsigned key)
{
    struct model_item *it = find(m, key);

    return it != NULL ? it->cell->token : 0;
}

void model_flush(struct model *m)
{
    for (unsigned i = 0; i < MODEL_KEYS; i++)
        m->items[i].there = false;
}

static void live(struct model *m, struct model_item *it, int64_t exptime)
{
    const int64_t left = model_left_ms(m, exptime);

    it->gone_at_ms = left > 0 ? m->now_ms + left : 0;
    if (left < 0)
        it->there = false;
}

/* A change: what clients saw as its token is no longer it. */
static void renew(struct model *m, struct model_item *it, const struct op *op, struct outcome *o)
{
    if (it->cell != NULL && it->cell->token != 0)
        it->last_token = it->cell->token;
    it->cell = o->cell = cell_of(m, op->token);
}

static bool fits(const struct op *op, size_t len)
{
    return op->key_len + len + HEADER <= MODEL_VALUE_MAX;
}

/* A token that was never seen is none of those that a client can send. */
static bool matches(const struct op *op, const struct model_item *it)
{
    return op->cas != 0 && it->cell->token == op->cas;
}

static bool is_older(const struct op *op, const struct model_item *it)
{
    return op->cas != 0 && (it->cell->token == 0 || op->cas < it->cell->token);
}

static void tell(const struct model *m, const struct model_item *it, struct outcome *o)
{
    memcpy(o->value, it->value, it->len);
    o->len = it->len;
    o->flags = it->flags;
    o->stale = it->stale;
    o->won = it->won;
    o->encoded = it->encoded;
    o->left_ms = it->gone_at_ms != 0 ? it->gone_at_ms - m->now_ms : 0;
    o->cell = it->cell;
}

/* The item's value is new, and its story begins again. */
static void put(struct model *m, const struct op *op, struct outcome *o, const char *value,
                size_t len, uint32_t flags, int64_t exptime)
{
    struct model_item *it = &m->items[op->key];

    it->there = true;
    it->stale = it->won = false;
    it->encoded = op->encoded;
    memcpy(it->value, value, len);
    it->len = o->len = len;
    it->flags = flags;
    renew(m, it, op, o);
    live(m, it, exptime);
}

/* ---- each command ---- */

static int64_t vivified(const struct op *op)
{
    return op->ttl_after_vivify ? op->exptime : op->vivify_exptime;
}

static int64_t seconds(int64_t left_ms)
{
    return left_ms < 0 ? 0 : (left_ms + 999) / 1000;
}

static bool goes_soon(const struct model *m, const struct op *op, const struct outcome *o)
{
    const int64_t left = op->ttl_before_recache ? model_left_ms(m, op->exptime) : o->left_ms;
    const int64_t limit = model_left_ms(m, op->recache_exptime);

    return op->has_recache && left != 0 && limit != 0 && seconds(left) < seconds(limit);
}

static void get(struct model *m, const struct op *op, struct outcome *o, struct model_item *it)
{
    o->status = SAYS_HIT;
    if (it == NULL && !op->has_vivify) {
        o->status = SAYS_MISS;
        return;
    }
    if (it == NULL) {
        put(m, op, o, "", 0, 0, vivified(op));
        m->items[op->key].won = true;
        o->encoded = op->encoded;
        o->created = o->win = true;
        return;
    }
    tell(m, it, o);
    o->same_token = op->has_cas && matches(op, it);
    if (op->may_win && !it->won && (it->stale || goes_soon(m, op, o)))
        o->win = it->won = true;
    if (op->has_ttl)
        live(m, it, op->exptime);
}

/* Those that store only over a token: NOT_FOUND is said as a miss. */
static void store_over(struct model *m, const struct op *op, struct outcome *o,
                       struct model_item *it)
{
    const int64_t gone_at_ms = it != NULL ? it->gone_at_ms : 0;
    const bool won = it != NULL && it->won;

    if (it == NULL) {
        o->status = SAYS_MISS;
    } else if (matches(op, it)) {
        put(m, op, o, op->value, op->len, op->flags, op->exptime);
    } else if (op->invalidate && is_older(op, it)) {
        put(m, op, o, op->value, op->len, op->flags, 0);
        it->gone_at_ms = gone_at_ms;
        it->stale = true;
        it->won = won;
    } else {
        o->status = SAYS_EXISTS;
    }
}

static void set(struct model *m, const struct op *op, struct outcome *o, struct model_item *it)
{
    o->status = SAYS_STORED;
    if (!fits(op, op->len)) {
        o->status = SAYS_TOO_LARGE;
        if (op->verb == OP_SET && !op->cas_is_another_verb)
            m->items[op->key].there = false;
    } else if (op->cas_is_another_verb) {
        store_over(m, op, o, it);
    } else if ((op->verb == OP_ADD && it != NULL) || (op->verb == OP_REPLACE && it == NULL)) {
        o->status = SAYS_NOT_STORED;
    } else {
        put(m, op, o, op->value, op->len, op->flags, op->exptime);
    }
}

static void join(struct model *m, const struct op *op, struct outcome *o, struct model_item *it)
{
    o->status = SAYS_STORED;
    if (!fits(op, op->len)) {
        o->status = SAYS_TOO_LARGE;
    } else if (it == NULL && op->has_vivify) {
        put(m, op, o, op->value, op->len, op->flags, op->vivify_exptime);
    } else if (it == NULL) {
        o->status = SAYS_NOT_STORED;
    } else if (op->has_cas && op->cas != 0 && !matches(op, it)) {
        o->status = SAYS_EXISTS;
    } else if (!fits(op, it->len + op->len)) {
        o->status = SAYS_NOT_STORED;
    } else {
        if (op->verb == OP_PREPEND)
            memmove(it->value + op->len, it->value, it->len);
        memcpy(op->verb == OP_PREPEND ? it->value : it->value + it->len, op->value, op->len);
        o->len = it->len += op->len;
        it->stale = it->won = false;
        renew(m, it, op, o);
    }
}

static void delete(struct model *m, const struct op *op, struct outcome *o,
                   struct model_item *it)
{
    o->status = SAYS_DONE;
    if (it == NULL) {
        o->status = SAYS_MISS;
        return;
    }
    if (op->has_cas && (op->cas != 0 || op->zero_is_a_token) && !matches(op, it)) {
        o->status = SAYS_EXISTS;
        return;
    }
    if (op->remove_value) {
        it->len = 0;
        it->flags = op->flags;
        it->stale = it->won = false;
    }
    if (op->invalidate) {
        it->stale = true;
        it->won = false;
    }
    if (op->invalidate || op->token != 0)
        renew(m, it, op, o);
    if (op->remove_value || (op->invalidate && op->has_ttl))
        live(m, it, op->has_ttl ? op->exptime : 0);
    if (!op->invalidate && !op->remove_value)
        it->there = false;
}

/* As the C library reads a number; a blank must follow, or nothing. */
static bool number_of(const struct model_item *it, uint64_t *n)
{
    char text[MODEL_VALUE_MAX + 1], *end;
    const char *sign = text;

    memcpy(text, it->value, it->len);
    text[it->len] = '\0';
    while (isspace((unsigned char)*sign))
        sign++;
    errno = 0;
    *n = strtoull(text, &end, 10);
    return errno == 0 && end != text && (*end == '\0' || isspace((unsigned char)*end))
        && (*sign != '-' || *n <= INT64_MAX);
}

static void count(struct model *m, const struct op *op, struct outcome *o, struct model_item *it)
{
    char digits[24];
    uint64_t n;
    size_t len;

    o->status = SAYS_NUMBER;
    if (it == NULL && op->has_vivify) {
        len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, op->initial);
        put(m, op, o, digits, len, 0, vivified(op));
        o->number = op->initial;
        o->created = true;
        return;
    }
    if (it == NULL) {
        o->status = SAYS_MISS;
        return;
    }
    if (it->len == 0) {
        o->status = SAYS_NO_NUMBER;
        return;
    }
    if (op->has_cas && op->cas != 0 && !matches(op, it)) {
        o->status = SAYS_EXISTS;
        return;
    }
    if (!number_of(it, &n)) {
        o->status = SAYS_NO_NUMBER;
        return;
    }
    tell(m, it, o);
    n = op->verb == OP_INCR ? n + op->delta : n > op->delta ? n - op->delta : 0;
    o->number = n;
    len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, n);
    if (len > it->len) {
        it->len = len;
        it->stale = it->won = false;
    }
    memset(it->value, ' ', it->len);
    memcpy(it->value, digits, len);
    renew(m, it, op, o);
    if (op->has_ttl)
        live(m, it, op->exptime);
}

static void touch(struct model *m, const struct op *op, struct outcome *o, struct model_item *it)
{
    o->status = it != NULL ? SAYS_DONE : SAYS_MISS;
    if (it != NULL)
        live(m, it, op->exptime);
}

void model_do(struct model *m, const struct op *op, struct outcome *o)
{
    struct model_item *it = find(m, op->key);

    o->win = o->won = o->stale = o->encoded = o->created = o->same_token = false;
    o->len = 0;
    o->flags = 0;
    o->left_ms = 0;
    o->number = 0;
    o->cell = NULL;
    switch (op->verb) {
    case OP_GET:
        get(m, op, o, it);
        break;
    case OP_SET: case OP_ADD: case OP_REPLACE:
        set(m, op, o, it);
        break;
    case OP_APPEND: case OP_PREPEND:
        join(m, op, o, it);
        break;
    case OP_DELETE:
        delete(m, op, o, it);
        break;
    case OP_INCR: case OP_DECR:
        count(m, op, o, it);
        break;
    case OP_TOUCH:
        touch(m, op, o, it);
        break;
    }
}

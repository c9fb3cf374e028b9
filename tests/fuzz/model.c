#include "model.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER 64               /* what an item counts beside key and value */
#define MONTH (30 * 24 * 3600)

static void *memory_of(void *old, size_t size)
{
    void *p = realloc(old, size);

    if (p == NULL)
        abort();
    return p;
}

void model_init(struct model *m, size_t n_items, size_t max_item_bytes)
{
    memset(m, 0, sizeof(*m));
    m->max_item_bytes = max_item_bytes;
    m->n_items = n_items;
    m->items = memory_of(NULL, n_items * sizeof(m->items[0]));
    memset(m->items, 0, n_items * sizeof(m->items[0]));
    m->cells = memory_of(NULL, (n_items + MODEL_CELLS) * sizeof(m->cells[0]));
}

void model_fini(struct model *m)
{
    for (size_t i = 0; i < m->n_items; i++)
        free(m->items[i].value);
    free(m->items);
    free(m->cells);
}

static struct cell *cell_of(struct model *m, uint64_t token)
{
    struct cell *cell = &m->cells[m->n_cells++];

    if (m->n_cells > m->n_items + MODEL_CELLS)
        abort();
    cell->token = token;
    return cell;
}

static int by_cell(const void *a, const void *b)
{
    const struct model_item *const *x = a, *const *y = b;

    return ((*x)->cell > (*y)->cell) - ((*x)->cell < (*y)->cell);
}

void model_settle(struct model *m)
{
    struct model_item **live = memory_of(NULL, m->n_items * sizeof(*live));
    size_t n = 0;

    for (size_t i = 0; i < m->n_items; i++) {
        if (m->items[i].there)
            live[n++] = &m->items[i];
        else
            m->items[i].cell = NULL;
    }
    qsort(live, n, sizeof(*live), by_cell);     /* none is written over before it is moved */
    for (size_t i = 0; i < n; i++) {
        m->cells[i] = *live[i]->cell;
        live[i]->cell = &m->cells[i];
    }
    m->n_cells = n;
    free(live);
}

int64_t model_left_ms(const struct model *m, int64_t exptime)
{
    if (exptime <= 0)
        return exptime;
    if (exptime <= MONTH)
        return exptime * 1000;
    return exptime * 1000 > m->wall_ms ? exptime * 1000 - m->wall_ms : -1;
}

struct model_item *model_find(struct model *m, unsigned key)
{
    struct model_item *it = &m->items[key];

    if (it->there && it->gone_at_ms != 0 && it->gone_at_ms <= m->now_ms)
        it->there = false;
    return it->there ? it : NULL;
}

uint64_t model_token(struct model *m, unsigned key)
{
    struct model_item *it = model_find(m, key);

    return it != NULL ? it->cell->token : 0;
}

void model_flush(struct model *m)
{
    for (size_t i = 0; i < m->n_items; i++)
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
    it->used_at_ms = m->now_ms;
}

static bool fits(const struct model *m, const struct op *op, size_t len)
{
    return op->key_len + len + HEADER <= m->max_item_bytes;
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
    o->value = it->len > 0 ? it->value : "";
    o->len = it->len;
    o->flags = it->flags;
    o->stale = it->stale;
    o->won = it->won;
    o->encoded = it->encoded;
    o->fetched = it->fetched;
    o->idle_ms = m->now_ms - it->used_at_ms;
    o->left_ms = it->gone_at_ms != 0 ? it->gone_at_ms - m->now_ms : 0;
    o->cell = it->cell;
}

static void use(const struct model *m, const struct op *op, struct model_item *it)
{
    if (op->no_use)
        return;
    it->fetched = true;
    it->used_at_ms = m->now_ms;
}

/* Room for `len` bytes; those that are there stay. */
static void widen(struct model_item *it, size_t len)
{
    if (len <= it->room)
        return;
    it->room = len;
    it->value = memory_of(it->value, len);
}

/* The item's value is new, and its story begins again. */
static void put(struct model *m, const struct op *op, struct outcome *o, const char *value,
                size_t len, uint32_t flags, int64_t exptime)
{
    struct model_item *it = &m->items[op->key];

    it->there = true;
    it->stale = it->won = it->fetched = false;
    it->encoded = op->encoded;
    widen(it, len);
    if (len > 0)
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
        use(m, op, &m->items[op->key]);
        o->encoded = op->encoded;
        o->created = o->win = true;
        o->same_token = op->has_cas && op->cas != 0 && op->cas == op->token;
        return;
    }
    tell(m, it, o);
    o->same_token = op->has_cas && matches(op, it);
    if (op->may_win && !it->won && (it->stale || goes_soon(m, op, o)))
        o->win = it->won = true;
    use(m, op, it);
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
    if (!fits(m, op, op->len)) {
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
    if (!fits(m, op, op->len)) {
        o->status = SAYS_TOO_LARGE;
    } else if (it == NULL && op->has_vivify) {
        put(m, op, o, op->value, op->len, op->flags, op->vivify_exptime);
        o->created = true;
    } else if (it == NULL) {
        o->status = SAYS_NOT_STORED;
    } else if (op->has_cas && op->cas != 0 && !matches(op, it)) {
        o->status = SAYS_EXISTS;
    } else if (!fits(m, op, it->len + op->len)) {
        o->status = SAYS_NOT_STORED;
    } else {
        widen(it, it->len + op->len);
        if (op->verb == OP_PREPEND && it->len > 0)
            memmove(it->value + op->len, it->value, it->len);
        if (op->len > 0)
            memcpy(op->verb == OP_PREPEND ? it->value : it->value + it->len, op->value, op->len);
        o->len = it->len += op->len;
        it->stale = it->won = it->fetched = false;
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
        it->stale = it->won = it->fetched = false;
        it->used_at_ms = m->now_ms;
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
static bool number_of(struct model_item *it, uint64_t *n)
{
    const char *sign;
    char *end;

    widen(it, it->len + 1);
    it->value[it->len] = '\0';
    sign = it->value;
    while (isspace((unsigned char)*sign))
        sign++;
    errno = 0;
    *n = strtoull(it->value, &end, 10);
    return errno == 0 && end != it->value && (*end == '\0' || isspace((unsigned char)*end))
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
        widen(it, len);
        it->len = len;
        it->stale = it->won = it->fetched = false;
    }
    memset(it->value, ' ', it->len);
    memcpy(it->value, digits, len);
    renew(m, it, op, o);
    if (op->has_ttl)
        live(m, it, op->exptime);
}

static void touch(struct model *m, const struct op *op, struct outcome *o, struct model_item *it)
{
    o->status = SAYS_MISS;
    if (it == NULL)
        return;
    o->status = SAYS_DONE;
    tell(m, it, o);
    use(m, op, it);
    live(m, it, op->exptime);
}

void model_put(struct model *m, unsigned key, const char *value, size_t len, uint64_t token)
{
    const struct op op = { .key = key, .token = token };
    struct outcome o;

    put(m, &op, &o, value, len, 0, 0);
}

void model_do(struct model *m, const struct op *op, struct outcome *o)
{
    struct model_item *it = model_find(m, op->key);

    *o = (struct outcome){ .status = SAYS_MISS, .value = "" };
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

#include <inttypes.h>
#include <stdio.h>

#include "shard_fuzz.h"

struct flags {
    char letters[16], opaque[8];
    unsigned n;
    bool quiet, value;
    char mode;
};

static bool has_letter(const struct flags *fl, char letter)
{
    return memchr(fl->letters, letter, fl->n) != NULL;
}

/* What flag `letter` asks for, and how it is written behind it. */
static void take_flag(struct fuzz *f, struct op *op, struct flags *fl, char letter)
{
    switch (letter) {
    case 'O':
        fl->opaque[0] = (char)('!' + pick(&f->in, 90));
        fuzz_print(&f->out, "%.1s", fl->opaque);
        break;
    case 'T':
        op->has_ttl = true;
        op->ttl_after_vivify = has_letter(fl, 'N');
        op->exptime = fuzz_exptime(&f->in, &f->m);
        fuzz_print(&f->out, "%" PRId64, op->exptime);
        break;
    case 'N':
        op->has_vivify = true;
        op->vivify_exptime = fuzz_exptime(&f->in, &f->m);
        fuzz_print(&f->out, "%" PRId64, op->vivify_exptime);
        break;
    case 'R':
        op->has_recache = true;
        op->ttl_before_recache = has_letter(fl, 'T');
        op->recache_exptime = fuzz_exptime(&f->in, &f->m);
        fuzz_print(&f->out, "%" PRId64, op->recache_exptime);
        break;
    case 'C':
        op->has_cas = true;
        op->cas = fuzz_cas(&f->in, &f->m, op->key);
        fuzz_print(&f->out, "%" PRIu64, op->cas);
        break;
    case 'E':
        op->token = pick(&f->in, 8);
        fuzz_print(&f->out, "%" PRIu64, op->token);
        break;
    case 'F':
        op->flags = (uint32_t)fuzz_number(&f->in);
        fuzz_print(&f->out, "%u", op->flags);
        break;
    case 'J':
        op->initial = fuzz_number(&f->in);
        fuzz_print(&f->out, "%" PRIu64, op->initial);
        break;
    case 'D':
        op->delta = fuzz_number(&f->in);
        fuzz_print(&f->out, "%" PRIu64, op->delta);
        break;
    case 'M':
        fuzz_print(&f->out, "%c", fl->mode);
        break;
    case 'I':
        op->invalidate = true;
        break;
    case 'x':
        op->remove_value = true;
        break;
    case 'q':
        fl->quiet = true;
        break;
    case 'v':
        fl->value = true;
        break;
    }
}

static void take_flags(struct fuzz *f, struct op *op, struct flags *fl, const char *which)
{
    const unsigned n = pick(&f->in, 9);

    for (unsigned i = 0; i < n; i++) {
        const char letter = which[pick(&f->in, strlen(which))];

        if (has_letter(fl, letter))
            continue;
        fuzz_print(&f->out, " %c", letter);
        take_flag(f, op, fl, letter);
        fl->letters[fl->n++] = letter;
    }
    if (op->encoded)
        fuzz_print(&f->out, " b");
}

static void meta_begin(struct fuzz *f, const struct op *op, const char *verb)
{
    const struct fuzz_key *key = &fuzz_keys[op->key];

    fuzz_print(&f->out, "%s %s", verb, op->encoded ? key->base64 : key->raw);
}

void fuzz_seconds(struct fuzz *f, int64_t left_ms)
{
    if (left_ms == 0)
        fuzz_print(&f->expected, " t-1");
    else
        fuzz_print(&f->expected, " t%" PRId64, left_ms < 0 ? 0 : (left_ms + 999) / 1000);
}

/* `shown`: the letters that say something of an item; O and k always do. */
static void meta_flags(struct fuzz *f, const struct op *op, const struct flags *fl,
                       const struct outcome *o, const char *shown, bool encoded, size_t len)
{
    int64_t left_ms = o->left_ms;

    for (unsigned i = 0; i < fl->n; i++) {
        const char letter = fl->letters[i];

        if (letter == 'T')
            left_ms = model_left_ms(&f->m, op->exptime);
        if (letter == 'N' && o->created)
            left_ms = model_left_ms(&f->m, op->vivify_exptime);
        if (letter == 'O')
            fuzz_print(&f->expected, " O%.1s", fl->opaque);
        if (letter == 'k')
            fuzz_print(&f->expected, encoded ? " k%s b" : " k%s",
                       encoded ? fuzz_keys[op->key].base64 : fuzz_keys[op->key].raw);
        if (strchr(shown, letter) == NULL)
            continue;
        if (letter == 'c') {
            fuzz_print(&f->expected, " c%s", o->cell == NULL ? "0" : "");
            if (o->cell != NULL)
                fuzz_add_token(f, o->cell);
        }
        if (letter == 's')
            fuzz_print(&f->expected, " s%zu", len);
        if (letter == 'f')
            fuzz_print(&f->expected, " f%u", o->flags);
        if (letter == 't')
            fuzz_seconds(f, left_ms);
    }
}

static void meta_line(struct fuzz *f, const struct op *op, const struct flags *fl,
                      const struct outcome *o, const char *status, const char *shown, size_t len)
{
    fuzz_print(&f->expected, "%s", status);
    meta_flags(f, op, fl, o, shown, op->encoded, len);
    fuzz_print(&f->expected, "\r\n");
}

static void meta_get(struct fuzz *f, struct op *op, struct flags *fl)
{
    static struct outcome o;
    bool value;

    meta_begin(f, op, "mg");
    op->may_win = true;
    take_flags(f, op, fl, "vvkOcstfqNNTRCEuILP");
    op->invalidate = false;     /* an I means nothing here */
    fuzz_print(&f->out, "\r\n");
    model_do(&f->m, op, &o);
    if (o.status == SAYS_MISS) {
        if (!fl->quiet)
            meta_line(f, op, fl, &o, "EN", "", 0);
        return;
    }
    value = fl->value && !o.same_token;
    if (value)
        fuzz_print(&f->expected, "VA %zu", o.len);
    else
        fuzz_print(&f->expected, "HD");
    meta_flags(f, op, fl, &o, "cstf", o.encoded, o.len);
    fuzz_print(&f->expected, "%s%s%s\r\n", o.won ? " Z" : "", o.stale ? " X" : "",
               o.win ? " W" : "");
    if (value) {
        fuzz_add(&f->expected, o.value, o.len);
        fuzz_print(&f->expected, "\r\n");
    }
}

static const char *meta_status(enum status_of_op status)
{
    switch (status) {
    case SAYS_NOT_STORED:
        return "NS";
    case SAYS_EXISTS:
        return "EX";
    case SAYS_HIT: case SAYS_MISS:
        return "NF";
    case SAYS_STORED: case SAYS_DONE: case SAYS_NUMBER: case SAYS_NO_NUMBER: case SAYS_TOO_LARGE:
        break;
    }
    return "HD";
}

static void meta_set(struct fuzz *f, struct op *op, struct flags *fl)
{
    static const char modes[] = "SERAP";
    static const enum verb_of_op verbs[] = { OP_SET, OP_ADD, OP_REPLACE, OP_APPEND, OP_PREPEND };
    const unsigned mode = pick(&f->in, 5);
    static struct outcome o;

    fl->mode = modes[mode];
    fuzz_value(&f->in, op);
    meta_begin(f, op, "ms");
    fuzz_print(&f->out, " %zu", op->len);
    take_flags(f, op, fl, "MMkOcsqTFECCINtfvx");
    op->verb = has_letter(fl, 'M') ? verbs[mode] : OP_SET;
    op->cas_is_another_verb = op->has_cas && (op->verb == OP_SET || op->verb == OP_REPLACE);
    fuzz_print(&f->out, "\r\n");
    fuzz_add(&f->out, op->value, op->len);
    fuzz_print(&f->out, "\r\n");
    model_do(&f->m, op, &o);
    if (o.status == SAYS_TOO_LARGE)
        fuzz_print(&f->expected, TOO_LARGE);
    else if (o.status == SAYS_STORED && !fl->quiet)
        meta_line(f, op, fl, &o, "HD", "cs", o.len);
    else if (o.status != SAYS_STORED)
        meta_line(f, op, fl, &o, meta_status(o.status), "cs", op->len);
}

static void meta_delete(struct fuzz *f, struct op *op, struct flags *fl)
{
    static struct outcome o;

    op->verb = OP_DELETE;
    op->zero_is_a_token = true;
    meta_begin(f, op, "md");
    take_flags(f, op, fl, "kOqCEIITxFvs");
    fuzz_print(&f->out, "\r\n");
    model_do(&f->m, op, &o);
    if (o.status != SAYS_DONE || !fl->quiet)
        meta_line(f, op, fl, &o, meta_status(o.status), "", 0);
}

static void meta_count(struct fuzz *f, struct op *op, struct flags *fl)
{
    static const char modes[] = "I+D-";
    const unsigned mode = pick(&f->in, 4);
    static struct outcome o;
    char digits[24];
    int len;

    fl->mode = modes[mode];
    op->delta = 1;
    meta_begin(f, op, "ma");
    take_flags(f, op, fl, "MMkOctvvqNNJDTECsf");
    op->verb = has_letter(fl, 'M') && mode >= 2 ? OP_DECR : OP_INCR;
    fuzz_print(&f->out, "\r\n");
    model_do(&f->m, op, &o);
    if (o.status == SAYS_NO_NUMBER) {
        fuzz_print(&f->expected, NO_NUMBER);
    } else if (o.status != SAYS_NUMBER) {
        meta_line(f, op, fl, &o, meta_status(o.status), "", 0);
    } else if (!fl->quiet) {
        if (o.created)
            o.left_ms = 0;
        len = sprintf(digits, "%" PRIu64, o.number);
        if (fl->value)
            fuzz_print(&f->expected, "VA %d", len);
        meta_line(f, op, fl, &o, fl->value ? "" : "HD", "ct", 0);
        if (fl->value)
            fuzz_print(&f->expected, "%s\r\n", digits);
    }
}

void fuzz_meta(struct fuzz *f, struct op *op)
{
    struct flags fl = { .n = 0 };

    op->encoded = take(&f->in) % 4 == 0;
    switch (pick(&f->in, 8)) {
    case 0: case 1: case 2:
        meta_get(f, op, &fl);
        break;
    case 3: case 4:
        meta_set(f, op, &fl);
        break;
    case 5:
        meta_delete(f, op, &fl);
        break;
    case 6:
        meta_count(f, op, &fl);
        break;
    default:
        fuzz_print(&f->out, "mn\r\n");
        fuzz_print(&f->expected, "MN\r\n");
        break;
    }
}

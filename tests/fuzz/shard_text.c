#include <inttypes.h>
#include <stdio.h>

#include "shard_fuzz.h"

static void text_values(struct fuzz *f, struct op *op, const char *verb, bool with_ttl,
                        bool with_token)
{
    static struct outcome o;
    const unsigned n = 1 + pick(&f->in, 3);

    fuzz_print(&f->out, "%s", verb);
    if (with_ttl) {
        op->has_ttl = true;
        op->exptime = fuzz_exptime(&f->in, &f->m);
        fuzz_print(&f->out, " %" PRId64, op->exptime);
    }
    for (unsigned i = 0; i < n; i++) {
        fuzz_print(&f->out, " %s", fuzz_keys[op->key].raw);
        op->key_len = strlen(fuzz_keys[op->key].raw);
        model_do(&f->m, op, &o);
        if (o.status == SAYS_HIT) {
            fuzz_print(&f->expected, "VALUE %s %u %zu%s", fuzz_keys[op->key].raw, o.flags, o.len,
                       with_token ? " " : "");
            if (with_token)
                fuzz_add_token(f, o.cell);
            fuzz_print(&f->expected, "\r\n");
            fuzz_add(&f->expected, o.value, o.len);
            fuzz_print(&f->expected, "\r\n");
        }
        op->key = pick(&f->in, MODEL_KEYS);
    }
    fuzz_print(&f->out, "\r\n");
    fuzz_print(&f->expected, "END\r\n");
}

static const char *text_line(const struct op *op, const struct outcome *o, char *room)
{
    switch (o->status) {
    case SAYS_STORED:
        return "STORED\r\n";
    case SAYS_NOT_STORED:
        return "NOT_STORED\r\n";
    case SAYS_EXISTS:
        return "EXISTS\r\n";
    case SAYS_HIT: case SAYS_MISS:
        return "NOT_FOUND\r\n";
    case SAYS_DONE:
        return op->verb == OP_TOUCH ? "TOUCHED\r\n" : "DELETED\r\n";
    case SAYS_NUMBER:
        sprintf(room, "%" PRIu64 "\r\n", o->number);
        return room;
    case SAYS_NO_NUMBER:
        return NO_NUMBER;
    case SAYS_TOO_LARGE:
        return TOO_LARGE;
    }
    return "";
}

static void text_store(struct fuzz *f, struct op *op)
{
    static const char *const words[] = { "set", "add", "replace", "append", "prepend", "cas" };
    const unsigned choice = pick(&f->in, N_OF(words));

    op->verb = choice == 5 ? OP_SET : (enum verb_of_op)(OP_SET + choice);
    op->has_cas = op->cas_is_another_verb = choice == 5;
    op->cas = op->has_cas ? fuzz_cas(&f->in, &f->m, op->key) : 0;
    op->flags = (uint32_t)fuzz_number(&f->in);
    op->exptime = fuzz_exptime(&f->in, &f->m);
    fuzz_value(&f->in, op);
    fuzz_print(&f->out, "%s %s %u %" PRId64 " %zu", words[choice], fuzz_keys[op->key].raw,
               op->flags, op->exptime, op->len);
    if (op->has_cas)
        fuzz_print(&f->out, " %" PRIu64, op->cas);
}

static void text_change(struct fuzz *f, struct op *op)
{
    switch (pick(&f->in, 4)) {
    case 0:
        op->verb = OP_DELETE;
        fuzz_print(&f->out, "delete %s", fuzz_keys[op->key].raw);
        break;
    case 1:
        op->verb = OP_TOUCH;
        op->exptime = fuzz_exptime(&f->in, &f->m);
        fuzz_print(&f->out, "touch %s %" PRId64, fuzz_keys[op->key].raw, op->exptime);
        break;
    default:
        op->verb = take(&f->in) % 2 == 0 ? OP_INCR : OP_DECR;
        op->delta = fuzz_number(&f->in);
        fuzz_print(&f->out, "%s %s %" PRIu64, op->verb == OP_INCR ? "incr" : "decr",
                   fuzz_keys[op->key].raw, op->delta);
        break;
    }
}

void fuzz_text(struct fuzz *f, struct op *op)
{
    static const char *const gets[] = { "get", "gets", "gat", "gats" };
    const unsigned choice = pick(&f->in, 12);
    static struct outcome o;
    char room[32];
    bool quiet;

    if (choice < 4) {
        text_values(f, op, gets[choice], choice >= 2, choice % 2 == 1);
        return;
    }
    if (choice < 8)
        text_store(f, op);
    else
        text_change(f, op);
    quiet = take(&f->in) % 4 == 0;
    fuzz_print(&f->out, quiet ? " noreply\r\n" : "\r\n");
    if (op->value != NULL) {
        fuzz_add(&f->out, op->value, op->len);
        fuzz_print(&f->out, "\r\n");
    }
    model_do(&f->m, op, &o);
    if (!quiet)
        fuzz_print(&f->expected, "%s", text_line(op, &o, room));
}

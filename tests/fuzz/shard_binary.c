#include "shard_fuzz.h"

static void put_be(struct text *t, uint64_t n, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0; )
        fuzz_add(t, &(char){ (char)(n >> 8 * i) }, 1);
}

static void packet_begin(struct text *t, uint8_t magic, uint8_t opcode, size_t key_len,
                         size_t extras_len, unsigned status, size_t body_len, uint32_t opaque)
{
    put_be(t, magic, 1);
    put_be(t, opcode, 1);
    put_be(t, key_len, 2);
    put_be(t, extras_len, 1);
    put_be(t, 0, 1);
    put_be(t, status, 2);
    put_be(t, body_len, 4);
    put_be(t, opaque, 4);
}

static void binary_says(struct fuzz *f, uint8_t opcode, unsigned status, const char *words,
                        struct cell *cell)
{
    packet_begin(&f->expected, 0x81, opcode, 0, 0, status, strlen(words), f->opaque);
    if (cell != NULL)
        fuzz_add_token(f, cell);
    else
        put_be(&f->expected, 0, 8);
    fuzz_print(&f->expected, "%s", words);
}

static void binary_ask(struct fuzz *f, const struct op *op, uint8_t opcode, size_t extras_len)
{
    packet_begin(&f->out, 0x80, opcode, op->key_len, extras_len, 0,
                 extras_len + op->key_len + op->len, ++f->opaque);
    put_be(&f->out, op->cas, 8);
}

void fuzz_binary_plain(struct fuzz *f, uint8_t opcode)
{
    binary_ask(f, &(struct op){ .key_len = 0 }, opcode, 0);
    binary_says(f, opcode, 0, "", NULL);
}

static void binary_get(struct fuzz *f, struct op *op)
{
    /* opcode, silent when missed, tells the key, touches, and no value */
    static const struct { uint8_t opcode; bool quiet, key, touches, empty; } kinds[] = {
        { 0x00, 0, 0, 0, 0 }, { 0x09, 1, 0, 0, 0 }, { 0x0c, 0, 1, 0, 0 }, { 0x0d, 1, 1, 0, 0 },
        { 0x1d, 0, 0, 1, 0 }, { 0x1e, 1, 0, 1, 0 }, { 0x23, 0, 1, 1, 0 }, { 0x24, 1, 1, 1, 0 },
        { 0x1c, 0, 0, 1, 1 },
    };
    const unsigned kind = pick(&f->in, N_OF(kinds));
    const size_t key_len = kinds[kind].key ? op->key_len : 0;
    static struct outcome o;
    size_t len;

    op->has_ttl = kinds[kind].touches;
    op->exptime = op->has_ttl ? fuzz_exptime(&f->in, &f->m) & UINT32_MAX : 0;
    binary_ask(f, op, kinds[kind].opcode, op->has_ttl ? 4 : 0);
    if (op->has_ttl)
        put_be(&f->out, (uint64_t)op->exptime, 4);
    fuzz_add(&f->out, fuzz_keys[op->key].raw, op->key_len);
    model_do(&f->m, op, &o);
    if (o.status == SAYS_MISS && kinds[kind].quiet)
        return;
    if (o.status == SAYS_MISS) {
        binary_says(f, kinds[kind].opcode, 0x01, key_len > 0 ? "" : "Not found", NULL);
        if (key_len > 0) {      /* its length in the head, twice, and itself */
            f->expected.data[f->expected.len - 24 + 3] = (char)key_len;
            f->expected.data[f->expected.len - 24 + 11] = (char)key_len;
            fuzz_add(&f->expected, fuzz_keys[op->key].raw, key_len);
        }
        return;
    }
    len = kinds[kind].empty ? 0 : o.len;
    packet_begin(&f->expected, 0x81, kinds[kind].opcode, key_len, 4, 0, 4 + key_len + len,
                 f->opaque);
    fuzz_add_token(f, o.cell);
    put_be(&f->expected, o.flags, 4);
    fuzz_add(&f->expected, fuzz_keys[op->key].raw, key_len);
    fuzz_add(&f->expected, o.value, len);
}

static void binary_verdict(struct fuzz *f, const struct op *op, uint8_t opcode, bool quiet,
                           const struct outcome *o)
{
    static const char exists[] = "Data exists for key.";

    switch (o->status) {
    case SAYS_STORED: case SAYS_DONE:
        if (!quiet)
            binary_says(f, opcode, 0, "", o->status == SAYS_STORED ? o->cell : NULL);
        break;
    case SAYS_NUMBER:
        if (quiet)
            break;
        packet_begin(&f->expected, 0x81, opcode, 0, 0, 0, 8, f->opaque);
        fuzz_add_token(f, o->cell);
        put_be(&f->expected, o->number, 8);
        break;
    case SAYS_NOT_STORED:
        if (op->verb == OP_ADD)
            binary_says(f, opcode, 0x02, exists, NULL);
        else if (op->verb == OP_REPLACE)
            binary_says(f, opcode, 0x01, "Not found", NULL);
        else
            binary_says(f, opcode, 0x05, "Not stored.", NULL);
        break;
    case SAYS_EXISTS:
        binary_says(f, opcode, 0x02, exists, NULL);
        break;
    case SAYS_HIT: case SAYS_MISS:
        binary_says(f, opcode, 0x01, "Not found", NULL);
        break;
    case SAYS_NO_NUMBER:
        binary_says(f, opcode, 0x06, "Non-numeric server-side value for incr or decr", NULL);
        break;
    case SAYS_TOO_LARGE:
        binary_says(f, opcode, 0x03, "Too large.", NULL);
        break;
    }
}

static void binary_store(struct fuzz *f, struct op *op, bool quiet)
{
    static const uint8_t opcodes[5] = { 0x01, 0x02, 0x03, 0x0e, 0x0f };
    static const uint8_t quiet_ones[5] = { 0x11, 0x12, 0x13, 0x19, 0x1a };
    const unsigned choice = pick(&f->in, 5);
    const uint8_t opcode = quiet ? quiet_ones[choice] : opcodes[choice];
    static struct outcome o;

    op->verb = (enum verb_of_op)(OP_SET + choice);
    op->cas_is_another_verb = op->has_cas && choice < 3;
    fuzz_value(&f->in, op);
    binary_ask(f, op, opcode, choice < 3 ? 8 : 0);
    if (choice < 3) {
        op->flags = (uint32_t)fuzz_number(&f->in);
        op->exptime = fuzz_exptime(&f->in, &f->m) & UINT32_MAX;
        put_be(&f->out, op->flags, 4);
        put_be(&f->out, (uint64_t)op->exptime, 4);
    }
    fuzz_add(&f->out, fuzz_keys[op->key].raw, op->key_len);
    fuzz_add(&f->out, op->value, op->len);
    model_do(&f->m, op, &o);
    binary_verdict(f, op, opcode, quiet, &o);
}

static void binary_change(struct fuzz *f, struct op *op, bool quiet)
{
    static const uint8_t opcodes[3] = { 0x04, 0x05, 0x06 };
    const unsigned choice = pick(&f->in, 3);
    const uint8_t opcode = (uint8_t)(opcodes[choice] + (quiet ? 0x10 : 0));
    static struct outcome o;

    op->verb = choice == 0 ? OP_DELETE : choice == 1 ? OP_INCR : OP_DECR;
    binary_ask(f, op, opcode, choice == 0 ? 0 : 20);
    if (choice > 0) {
        op->delta = fuzz_number(&f->in);
        op->initial = fuzz_number(&f->in);
        op->vivify_exptime = fuzz_exptime(&f->in, &f->m) & UINT32_MAX;
        op->has_vivify = op->vivify_exptime != UINT32_MAX;
        put_be(&f->out, op->delta, 8);
        put_be(&f->out, op->initial, 8);
        put_be(&f->out, (uint64_t)op->vivify_exptime, 4);
    }
    fuzz_add(&f->out, fuzz_keys[op->key].raw, op->key_len);
    model_do(&f->m, op, &o);
    binary_verdict(f, op, opcode, quiet, &o);
}

void fuzz_binary(struct fuzz *f, struct op *op)
{
    const unsigned choice = pick(&f->in, 10);
    const bool quiet = choice % 2 == 0;

    if (take(&f->in) % 4 == 0)
        op->cas = fuzz_cas(&f->in, &f->m, op->key);
    op->has_cas = op->cas != 0;
    if (choice < 4) {
        binary_get(f, op);
    } else if (choice < 7) {
        binary_store(f, op, quiet);
    } else if (choice < 9) {
        binary_change(f, op, quiet);
    } else {
        fuzz_binary_plain(f, 0x0a);
    }
}

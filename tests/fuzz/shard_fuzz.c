/*
 * shard_fuzz - a whole server of one process, beside a dictionary
 *
 *      input --> operations --> as text, meta or binary --> front, store
 *                     '-------> model (see model.h) ------> the answer it must be
 *
 * Bytes choose commands, keys, flags, times and how the requests are cut: all
 * of them are valid, what counts is what they do.  Beside the sanitizers: each
 * answer is the model's, byte for byte, and all memory comes back.
 */
#include "shard_fuzz.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/bytes.h"

#define OPS_MAX 100             /* of one input */
#define BATCH_BYTES 40000       /* of requests that are sent together */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the input ---- */

const struct fuzz_key fuzz_keys[MODEL_KEYS] = {
    { "a", "YQ==" }, { "bb", "YmI=" }, { "key", "a2V5" },
    { "Key-of-16-bytes!", "S2V5LW9mLTE2LWJ5dGVzIQ==" },
};

static const char *const numbers[] = {
    "1", "9", "10", "99", "007", "18446744073709551615", "18446744073709551616", " 7", "7 ",
    "-1", "-0", "+5", "5x", "x", "\r\n", "", "99999999999999999999", "1\t", "-",
};

static const size_t sizes[] = { 0, 1, 2, 21, 300, 3000, 4000, 8100, 8111, 8112, 8127, 8128,
                                8192, 8193, 8300 };

void fuzz_value(struct input *in, struct op *op)
{
    static char filled[8300];
    const unsigned choice = pick(in, N_OF(numbers) + N_OF(sizes));

    if (choice < N_OF(numbers)) {
        op->value = numbers[choice];
        op->len = strlen(op->value);
    } else {
        memset(filled, 'z', sizeof(filled));
        op->value = filled;
        op->len = sizes[choice - N_OF(numbers)];
    }
}

int64_t fuzz_exptime(struct input *in, const struct model *m)
{
    static const int64_t times[] = { 0, 0, 1, 2, 3, 5, 100, -1, 2592000, 2592001 };
    const unsigned choice = pick(in, N_OF(times) + 1);

    return choice < N_OF(times) ? times[choice] : m->wall_ms / 1000 + 2;
}

uint64_t fuzz_number(struct input *in)
{
    static const uint64_t choices[] = { 0, 1, 2, 7, 10, 99, UINT64_C(1) << 63, UINT64_MAX };

    return choices[pick(in, N_OF(choices))];
}

uint64_t fuzz_cas(struct input *in, struct model *m, unsigned key)
{
    const unsigned choice = pick(in, 12);

    if (choice >= 8)
        return model_token(m, key);
    return choice == 0 ? m->items[key].last_token : choice;
}

/* ---- what is sent, and what must come ---- */

void fuzz_add(struct text *t, const void *data, size_t len)
{
    check(t->len + len <= sizeof(t->data));
    memcpy(t->data + t->len, data, len);
    t->len += len;
}

void fuzz_print(struct text *t, const char *format, ...)
{
    char line[400];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    check(len >= 0 && (size_t)len < sizeof(line));
    fuzz_add(t, line, (size_t)len);
}

void fuzz_add_token(struct fuzz *f, struct cell *cell)
{
    check(f->n_holes < HOLES_MAX);
    f->holes[f->n_holes++] = (struct hole){ f->expected.len, cell };
}

/* ---- what comes ---- */

static const char *read_token(struct fuzz *f, const char *p, const char *end, struct cell *cell)
{
    uint64_t token = 0;

    if (f->binary) {
        check(end - p >= 8);
        token = bytes_get_be64(p);
        p += 8;
    } else {
        check(p < end && *p >= '1' && *p <= '9');
        for (; p < end && *p >= '0' && *p <= '9'; p++)
            token = token * 10 + (uint64_t)(*p - '0');
    }
    if (cell->token == 0) {
        check(token > 1000);    /* no token that E may give: it is of the store's clock */
        cell->token = token;
    }
    check(token == cell->token);
    return p;
}

static void check_answer(struct fuzz *f)
{
    size_t len, at = 0;
    const char *p = fake_take(f->st.world, f->clients[f->binary], &len), *end = p + len;

    for (size_t i = 0; i <= f->n_holes; i++) {
        const size_t to = i < f->n_holes ? f->holes[i].at : f->expected.len;

        check((size_t)(end - p) >= to - at);
        check(memcmp(p, f->expected.data + at, to - at) == 0);
        p += to - at;
        at = to;
        if (i < f->n_holes)
            p = read_token(f, p, end, f->holes[i].cell);
    }
    check(p == end);
}

/* Sends what is pending, in pieces, and compares. */
static void settle(struct fuzz *f)
{
    const unsigned choice = take(&f->in);
    const size_t piece = choice < 128 || f->out.len > 4000 ? f->out.len : 1 + choice % 32;
    const int client = f->clients[f->binary];

    if (f->out.len == 0)
        return;
    for (size_t at = 0; at < f->out.len; at += piece) {
        fake_write(f->st.world, client, f->out.data + at,
                   f->out.len - at < piece ? f->out.len - at : piece);
        stage_run(&f->st, 0);
    }
    check_answer(f);
    f->out.len = f->expected.len = f->n_holes = 0;
}

static void speak(struct fuzz *f, bool binary)
{
    if (f->binary != binary || f->out.len > BATCH_BYTES || f->n_holes > HOLES_MAX - 8)
        settle(f);
    f->binary = binary;
    f->m.now_ms = fake_now_ms(f->st.world);
    f->m.wall_ms = f->st.world->ops->wall_ms(f->st.world);
}

/* ---- all of it ---- */

static void let_pass(struct fuzz *f)
{
    static const int64_t times[] = { 1, 999, 1000, 1001, 2000 };

    settle(f);
    stage_run(&f->st, times[pick(&f->in, N_OF(times))]);
}

static void flush(struct fuzz *f)
{
    speak(f, take(&f->in) % 2 == 0);
    if (f->binary) {
        fuzz_binary_plain(f, 0x08);
    } else {
        fuzz_print(&f->out, "flush_all\r\n");
        fuzz_print(&f->expected, "OK\r\n");
    }
    model_flush(&f->m);
}

static void step(struct fuzz *f)
{
    const unsigned choice = pick(&f->in, 16);
    const unsigned key = pick(&f->in, MODEL_KEYS);
    struct op op = { .verb = OP_GET, .key = key, .key_len = strlen(fuzz_keys[key].raw) };

    if (choice == 0) {
        let_pass(f);
    } else if (choice == 1) {
        flush(f);
    } else if (choice < 12) {
        speak(f, false);
        if (choice < 5)
            fuzz_text(f, &op);
        else
            fuzz_meta(f, &op);
    } else {
        speak(f, true);
        fuzz_binary(f, &op);
    }
    if (take(&f->in) % 2 == 0)
        settle(f);
}

/* What quiet commands did shows at the end. */
static void look_at_all(struct fuzz *f)
{
    static struct outcome o;

    settle(f);
    speak(f, false);
    for (unsigned i = 0; i < MODEL_KEYS; i++) {
        const struct op op = { .verb = OP_GET, .key = i, .may_win = true };

        fuzz_print(&f->out, "mg %s v c f s t\r\n", fuzz_keys[i].raw);
        model_do(&f->m, &op, &o);
        if (o.status == SAYS_MISS) {
            fuzz_print(&f->expected, "EN\r\n");
            continue;
        }
        fuzz_print(&f->expected, "VA %zu c", o.len);
        fuzz_add_token(f, o.cell);
        fuzz_print(&f->expected, " f%u s%zu", o.flags, o.len);
        fuzz_seconds(f, o.left_ms);
        fuzz_print(&f->expected, "%s%s%s\r\n", o.won ? " Z" : "", o.stale ? " X" : "",
                   o.win ? " W" : "");
        fuzz_add(&f->expected, o.value, o.len);
        fuzz_print(&f->expected, "\r\n");
    }
    settle(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz f;

    f.in = (struct input){ data, data + size };
    model_init(&f.m, MODEL_KEYS, MAX_ITEM_BYTES);
    f.out.len = f.expected.len = f.n_holes = 0;
    f.opaque = 0;
    f.binary = false;
    stage_init(&f.st, &front_handler);
    f.st.config.max_item_bytes = MAX_ITEM_BYTES;
    stage_add_both(&f.st);
    f.clients[0] = stage_client(&f.st);
    f.clients[1] = stage_client(&f.st);
    for (unsigned i = 0; i < OPS_MAX && f.in.at < f.in.end; i++)
        step(&f);
    look_at_all(&f);
    stage_fini(&f.st);
    model_fini(&f.m);
    return 0;
}

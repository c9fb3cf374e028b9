/*
 * frame_fuzz - frames, hellos, maps and events, whatever a member sends
 *
 * Beside the sanitizers: what is read as whole is written as the same bytes;
 * a frame that is cut is never judged otherwise than the whole one.  Every
 * piece is read in a block of just its size.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cluster/map.h"
#include "wire/events.h"
#include "wire/frame.h"
#include "wire/hello.h"

/* In st of a command, and what then stands before its value: see frame.c. */
#define ARGUMENTS_FOLLOW 0x80
#define ARGUMENTS_LEN 36

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static char *block_of(const char *data, size_t len)
{
    char *block = malloc(len > 0 ? len : 1);

    check(block != NULL);
    block[0] = 0;
    if (len > 0)
        memcpy(block, data, len);
    return block;
}

static void try_hello(const char *data, size_t len)
{
    char *block = block_of(data, len), out[HELLO_LEN_MAX];
    struct hello h;

    if (hello_read(block, len, &h)) {
        check(len <= HELLO_LEN_MAX && hello_put(out, &h) == len);
        check(memcmp(out, block, len) == 0);
    }
    free(block);
}

static void try_map(const char *data, size_t len)
{
    char *block = block_of(data, len), *out;
    struct map *map = map_read(block, len);

    if (map != NULL) {
        check(map_is_sound(map) && map_len(map) == len);
        out = malloc(len);
        check(out != NULL);
        map_put(out, map);
        check(memcmp(out, block, len) == 0);
        for (size_t i = 0; i < map->n; i++)
            check(map_find(map, map->members[i].name) == (int)i);
        (void)map_digest(map);
        free(out);
        free(map);
    }
    free(block);
}

static void try_events(const char *data, size_t len)
{
    char *block = block_of(data, len);
    struct event e;
    size_t pos = 0;

    while (events_next(block, len, &pos, &e)) {
        check(pos <= len && e.len > 0 && e.line + e.len == block + pos);
        check((STREAMS_OF_FRONTS >> e.stream & 1) != 0);
        for (size_t i = 0; i < e.len; i++)
            check(i == e.len - 1 ? e.line[i] == '\n' : e.line[i] >= ' ' && e.line[i] <= '~');
    }
    check(pos <= len);
    free(block);
}

static void check_command(const struct frame *f)
{
    struct frame again;
    struct cmd cmd;

    frame_to_cmd(f, &cmd);
    check(verb_is_keyed(cmd.verb) && cmd.error == CMD_OK);
    check(cmd.key_len >= 1 && cmd.key_len <= KEY_MAX);
    frame_from_cmd(&again, &cmd);
    check(again.op == f->op && again.value_len == f->value_len && again.ttl_ms == f->ttl_ms);
}

static void check_copy(const struct frame *f)
{
    struct frame again;
    struct copy copy;

    frame_to_copy(f, &copy);
    check(copy.kind <= COPY_TOUCHED && copy.key_len <= KEY_MAX);
    check((copy.key_len == 0) == (f->op == FRAME_TOLD));
    check((copy.marks & ~MARKS_OF_COPY) == 0);
    frame_from_copy(&again, (enum frame_op)f->op, &copy);
    check(again.st == f->st && again.marks == f->marks && again.value_len == f->value_len);
    check(again.idle_s == f->idle_s && again.token == f->token && again.ttl_ms == f->ttl_ms);
}

static void check_answer(const struct frame *f)
{
    struct frame again;
    struct answer a;

    if (!frame_to_answer(f, &a))
        return;
    check(a.status < N_STATUSES);
    frame_from_answer(&again, &a);
    check(again.st == f->st && again.value_len == f->value_len && again.number == f->number);
}

/* Options that nobody here knows are passed over: those are not written again. */
static bool has_unknown_options(const char *block, const struct frame *f)
{
    uint32_t options;

    if (f->op < FRAME_COMMAND || f->op >= FRAME_APPLY || (f->st & ARGUMENTS_FOLLOW) == 0)
        return false;
    check(f->value - ARGUMENTS_LEN >= block + FRAME_HEAD);
    options = bytes_get_u32(f->value - ARGUMENTS_LEN);
    return f->options >> 8 != options || options == 0;
}

static void check_same(const char *block, const struct frame *f)
{
    size_t head = frame_head_len(f);
    char *out = malloc(head);

    check(out != NULL && head + f->value_len == f->len);
    check(frame_put(out, f) == out + head);
    check(memcmp(out, block, head) == 0);
    check(f->value_len == 0 || f->value == block + head);
    free(out);
}

static void check_whole(const char *block, const struct frame *f)
{
    if (!has_unknown_options(block, f))
        check_same(block, f);
    if (f->op >= FRAME_COMMAND && f->op < FRAME_APPLY)
        check_command(f);
    else if (f->op == FRAME_APPLY || f->op == FRAME_TOLD)
        check_copy(f);
    else
        check_answer(f);
    try_hello(f->value, f->value_len);
    try_map(f->value, f->value_len);
    try_events(f->value, f->value_len);
}

/* A beginning of `cut` bytes is judged as all of it was, as far as it shows. */
static void check_cut(const char *data, size_t cut, enum frame_status whole, size_t need)
{
    char *block = block_of(data, cut);
    struct frame f;
    enum frame_status status = frame_read(block, cut, &f);

    if (cut < FRAME_HEAD)
        check(status == FRAME_MORE && f.len == FRAME_HEAD);
    else if (whole == FRAME_BAD)
        check(status == FRAME_BAD);
    else
        check(f.len == need && status == (cut < need ? FRAME_MORE : FRAME_WHOLE));
    free(block);
}

/* The frame at the start of data; its length, 0 when there is none. */
static size_t one_frame(const char *data, size_t len)
{
    char *block = block_of(data, len);
    struct frame f;
    enum frame_status status = frame_read(block, len, &f);
    size_t end = status == FRAME_WHOLE ? f.len : len;

    if (status == FRAME_WHOLE)
        check_whole(block, &f);
    for (size_t cut = 0; cut < end && cut < 40; cut++)
        check_cut(data, cut, status, f.len);
    if (end > 0)
        check_cut(data, end - 1, status, f.len);
    check_cut(data, end / 2, status, f.len);
    free(block);
    return status == FRAME_WHOLE ? f.len : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data;
    size_t len;

    try_hello(at, size);
    try_map(at, size);
    try_events(at, size);
    while (size > 0 && (len = one_frame(at, size)) > 0) {
        at += len;
        size -= len;
    }
    return 0;
}

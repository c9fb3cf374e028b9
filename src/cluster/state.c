#include "cluster/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"

static const char magic[8] = "chcmap1\n";

/* Against accidents, not against somebody who writes the file. */
static uint64_t checksum(const char *data, size_t len)
{
    static const uint64_t key[2] = { 0x6d61707374617465, 1 };

    return hash_sip13(key, data, len);
}

/* ---- writing --------------------------------------------------------------- */

static char *put_text(char *out, const char *text)
{
    *out++ = (char)strlen(text);
    return bytes_put_text(out, text);
}

#define JOB_LEN_MAX (8 + 1 + 1 + 2 + 2 + 7 * 8 + 4 + 2 * MAP_NAME_MAX + ADDRESS_MAX + \
                     JOB_WORDS_MAX)

static char *put_job(char *out, const struct job *job)
{
    out = bytes_put_u64(out, job->id);
    *out++ = (char)job->kind;
    *out++ = (char)job->status;
    out = bytes_put_u16(out, job->weight);
    out = bytes_put_u16(out, job->old_weight);
    out = bytes_put_u64(out, (uint64_t)job->asked_ms);
    out = bytes_put_u64(out, (uint64_t)job->began_ms);
    out = bytes_put_u64(out, (uint64_t)job->ended_ms);
    out = bytes_put_u64(out, job->items_done);
    out = bytes_put_u64(out, job->items_left);
    out = bytes_put_u64(out, job->bytes_done);
    out = bytes_put_u64(out, job->bytes_left);
    out = put_text(out, job->member);
    out = put_text(out, job->zone);
    out = put_text(out, job->address);
    return put_text(out, job->words);
}

char *state_put(const struct state *s, size_t *len)
{
    size_t of_map = s->map != NULL ? map_len(s->map) : 0;
    char *data = xmalloc(STATE_HEAD + 4 + of_map + 8 + 2 + s->n_jobs * JOB_LEN_MAX +
                        sizeof(s->numbers));
    char *at;

    at = bytes_put_u32(data + STATE_HEAD, (uint32_t)of_map);
    if (s->map != NULL)
        map_put(at, s->map);
    at = bytes_put_u64(at + of_map, s->next_job);
    at = bytes_put_u16(at, (uint16_t)s->n_jobs);
    for (size_t i = 0; i < s->n_jobs; i++)
        at = put_job(at, &s->jobs[i]);
    for (size_t i = 0; i < sizeof(s->numbers) / sizeof(s->numbers[0]); i++)
        at = bytes_put_u64(at, s->numbers[i]);
    *len = (size_t)(at - data);
    state_seal(data, *len);
    return data;
}

void state_seal(char *data, size_t len)
{
    memcpy(data, magic, sizeof(magic));
    bytes_put_u64(data + 8, len);
    bytes_put_u64(data + 16, checksum(data + STATE_HEAD, len - STATE_HEAD));
}

/* ---- reading --------------------------------------------------------------- */

/* What is left; ok turns false at the first thing that is not there. */
struct reader {
    const char *at, *end;
    bool ok;
};

static const char *take(struct reader *r, size_t len)
{
    const char *at = r->at;

    if (!r->ok || (size_t)(r->end - at) < len) {
        r->ok = false;
        return NULL;
    }
    r->at += len;
    return at;
}

static uint64_t take_number(struct reader *r, size_t len)
{
    const char *at = take(r, len);

    if (at == NULL)
        return 0;
    switch (len) {
    case 1: return (uint8_t)*at;
    case 2: return bytes_get_u16(at);
    case 4: return bytes_get_u32(at);
    default: return bytes_get_u64(at);
    }
}

/* Of characters from `least` on. */
static void take_text(struct reader *r, char *to, size_t size, char least)
{
    size_t len = take_number(r, 1);
    const char *at = take(r, len);

    if (at == NULL)
        return;
    r->ok = len < size;
    for (size_t i = 0; i < len; i++)
        r->ok = r->ok && at[i] >= least && at[i] <= '~';
    if (r->ok)
        memcpy(to, at, len);
}

static void take_job(struct reader *r, struct job *job)
{
    job->id = take_number(r, 8);
    job->kind = (enum job_kind)take_number(r, 1);
    job->status = (enum job_status)take_number(r, 1);
    job->weight = (uint16_t)take_number(r, 2);
    job->old_weight = (uint16_t)take_number(r, 2);
    job->asked_ms = (int64_t)take_number(r, 8);
    job->began_ms = (int64_t)take_number(r, 8);
    job->ended_ms = (int64_t)take_number(r, 8);
    job->items_done = take_number(r, 8);
    job->items_left = take_number(r, 8);
    job->bytes_done = take_number(r, 8);
    job->bytes_left = take_number(r, 8);
    take_text(r, job->member, sizeof(job->member), '!');
    take_text(r, job->zone, sizeof(job->zone), '!');
    take_text(r, job->address, sizeof(job->address), ' ');
    take_text(r, job->words, sizeof(job->words), ' ');
    job->eta_ms = -1;
    r->ok = r->ok && job->kind < JOB_KINDS && job->status < JOB_STATUSES &&
            job->weight <= MAP_MAX_WEIGHT && job->old_weight <= MAP_MAX_WEIGHT &&
            job->member[0] != '\0' &&
            (job->weight == 0 || job->kind == JOB_ADD || job->kind == JOB_WEIGHT);
}

/* False where the bytes behind the head are none, checksum or not. */
static bool read_body(struct reader *r, struct state *s)
{
    size_t of_map = take_number(r, 4);
    const char *map = take(r, of_map);

    if (map != NULL && of_map > 0) {
        s->map = map_read(map, of_map);
        r->ok = s->map != NULL;
    }
    s->next_job = take_number(r, 8);
    s->n_jobs = take_number(r, 2);
    r->ok = r->ok && s->n_jobs <= STATE_MAX_JOBS;
    for (size_t i = 0; r->ok && i < s->n_jobs; i++) {
        take_job(r, &s->jobs[i]);
        r->ok = r->ok && s->jobs[i].id < s->next_job &&
                (i == 0 || s->jobs[i - 1].id < s->jobs[i].id);
    }
    for (size_t i = 0; i < sizeof(s->numbers) / sizeof(s->numbers[0]); i++)
        s->numbers[i] = take_number(r, 8);
    return r->ok && r->at == r->end;
}

bool state_read(const char *data, size_t len, struct state *s, const char **why)
{
    struct reader r = { data + STATE_HEAD, data + len, true };

    memset(s, 0, sizeof(*s));
    if (len < STATE_HEAD || memcmp(data, magic, sizeof(magic)) != 0) {
        *why = "it does not begin as a state file of this version does";
    } else if (bytes_get_u64(data + 8) != len) {
        *why = "it is shorter or longer than what was written";
    } else if (bytes_get_u64(data + 16) != checksum(data + STATE_HEAD, len - STATE_HEAD)) {
        *why = "its checksum differs: bytes have changed since it was written";
    } else if (!read_body(&r, s)) {
        free(s->map);
        s->map = NULL;
        *why = "its checksum is right, but it holds no map that can be";
    } else {
        return true;
    }
    return false;
}

/*
 * cluster_fuzz - what members and the disk say of the cluster: pings, states
 *
 * Beside the sanitizers: what is read is written as the same bytes; a leader that
 * loads a state, or hears a ping, makes only maps that can be.  Every piece is
 * read in a block of just its size.
 */
#include <stdlib.h>
#include <string.h>

#include "cluster/leader.h"
#include "cluster/times.h"

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

static struct leader *new_leader(void)
{
    return leader_new(&(struct leader_config){ .name = "l", .address = "l:1", .replicas = 2,
                                               .hold_down_ms = HOLD_DOWN_MS });
}

/* Some seconds of it, during which nobody says anything more. */
static void lead(struct leader *l, int64_t *now_ms)
{
    for (unsigned i = 0; i < 40; i++) {
        const struct map *map = leader_step(l, *now_ms += PING_MS);

        if (map == NULL)
            continue;
        check(map_is_sound(map));
        leader_commit(l, true);
    }
}

static void try_state(const char *data, size_t len)
{
    char *block = block_of(data, len), *again;
    struct leader *l = new_leader();
    const char *why = NULL;
    size_t again_len;
    int64_t now_ms = 0;

    if (leader_load(l, block, len, &why)) {
        again = leader_save(l, &again_len);
        check(again_len == len);
        lead(l, &now_ms);
        free(again);
    } else {
        check(why != NULL);
    }
    leader_free(l);
    free(block);
}

/* The same with the checksum that it would have. */
static void try_sealed(const char *data, size_t len)
{
    char *sealed = block_of(data, len);

    if (len >= STATE_HEAD) {
        state_seal(sealed, len);
        try_state(sealed, len);
    }
    free(sealed);
}

static void hear(const struct ping *p)
{
    struct leader *l = new_leader();
    struct leader_member members[2] = { { p->name, "", "a:1", 1 }, { "other", "", "b:1", 1 } };
    struct ping other = { .role = PING_SHARD, .incarnation = 1, .name = "other" };
    int64_t now_ms = 0;

    if (leader_start_members(l, members, 2)) {
        for (unsigned i = 0; i < 3; i++) {
            (void)leader_hear(l, p, now_ms);
            (void)leader_hear(l, &other, now_ms);
            lead(l, &now_ms);
        }
    }
    leader_free(l);
}

static void try_ping(const char *data, size_t len)
{
    char *block = block_of(data, len), out[PING_LEN_MAX];
    struct ping p;

    if (ping_read(block, len, &p)) {
        check(p.map_len <= len && (p.map != NULL) == (p.map_len > 0));
        check(ping_put(out, &p) == len - p.map_len);
        check(memcmp(out, block, len - p.map_len) == 0);
        hear(&p);
    }
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_ping((const char *)data, size);
    try_state((const char *)data, size);
    try_sealed((const char *)data, size);
    return 0;
}

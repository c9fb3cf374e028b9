#include "store/version.h"

#include <assert.h>

#include "store/store.h"

#define MS_MAX ((INT64_C(1) << VERSION_MS_BITS) - 1)
#define TICK_MAX (VERSION_MAX >> VERSION_NUMBER_BITS)
#define MS_SHIFT (VERSION_COUNTER_BITS + VERSION_NUMBER_BITS)

static_assert(VERSION_MS_BITS + MS_SHIFT == 63, "a version is below 2^63");

/* Before 2025 the clock stands at 1 ms, so that no version is 0. */
static uint64_t tick_of_wall(int64_t wall_ms)
{
    int64_t ms = wall_ms <= VERSION_EPOCH_MS ? 1 : wall_ms - VERSION_EPOCH_MS;

    return (uint64_t)(ms > MS_MAX ? MS_MAX : ms) << VERSION_COUNTER_BITS;
}

uint64_t version_next(struct version_clock *c, int64_t wall_ms)
{
    const uint64_t wall = tick_of_wall(wall_ms);
    const uint64_t lanes = c->n_lanes - 1;
    uint64_t tick = wall > c->tick ? wall : c->tick + 1;

    tick += (c->lane - tick) & lanes;           /* up to the next of our lane */
    if (tick > TICK_MAX)
        tick = (TICK_MAX & ~lanes) | c->lane;
    c->tick = tick > c->tick ? tick : c->tick;
    return tick << VERSION_NUMBER_BITS | c->number;
}

void version_see(struct version_clock *c, uint64_t version)
{
    uint64_t tick = version >> VERSION_NUMBER_BITS;

    if (tick > TICK_MAX)
        tick = TICK_MAX;
    if (tick > c->tick)
        c->tick = tick;
}

uint64_t version_latest(const struct version_clock *c)
{
    return c->tick << VERSION_NUMBER_BITS | VERSION_NUMBER_MAX;
}

int64_t version_wall_ms(uint64_t version)
{
    return VERSION_EPOCH_MS + (int64_t)((version & VERSION_MAX) >> MS_SHIFT);
}

uint64_t version_after(uint64_t version, int64_t ms)
{
    const uint64_t below = version & ((UINT64_C(1) << MS_SHIFT) - 1);
    const int64_t at = (int64_t)((version & VERSION_MAX) >> MS_SHIFT);

    if (ms <= 0)
        return version;
    if (ms > MS_MAX - at)
        return VERSION_MAX;
    return (uint64_t)(at + ms) << MS_SHIFT | below;
}

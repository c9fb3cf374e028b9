#include "store_state.h"

#define NOISE_BYTES ((1 << 20) + 70000)

/* What values are cut from: no two places are alike. */
static char noise[NOISE_BYTES];

void steps_make_noise(void)
{
    static bool made;
    uint64_t chance = 1;

    for (size_t i = 0; !made && i < NOISE_BYTES; i++) {
        chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        noise[i] = (char)(chance >> 56);
    }
    made = true;
}

/* The lengths around which something changes, and what lies between. */
static size_t some_len(struct steps *t, size_t key_len)
{
    const size_t max = t->config.max_item_bytes;
    const size_t edges[] = { 0, 250, LEND_BYTES, 65536 - key_len, max - ITEM_OVERHEAD - key_len };
    const unsigned choice = pick(t, 16);
    size_t edge;

    if (choice < 7)
        return pick(t, 64);
    if (choice < 10)
        return pick(t, 300);
    if (choice < 14)
        return pick(t, 3000);
    if (choice == 14 && one_in(t, 64))
        return pick(t, max + 100);
    edge = edges[pick(t, one_in(t, 16) ? N_OF(edges) : 3)] + pick(t, 80);
    return edge > 40 ? edge - 40 : edge;
}

void steps_value(struct steps *t)
{
    static const char *const numbers[] = {
        "0", "1", "9", "10", "99", "007", "18446744073709551615", "18446744073709551616", " 7",
        "7 ", "-1", "-0", "+5", "5x", "99999999999999999999", "1\t", "-",
    };

    if (one_in(t, 4)) {
        t->cmd.value = numbers[pick(t, N_OF(numbers))];
        t->cmd.value_len = strlen(t->cmd.value);
        return;
    }
    t->cmd.value_len = some_len(t, t->cmd.key_len);
    t->cmd.value = noise + pick(t, NOISE_BYTES - t->cmd.value_len);
}

int64_t steps_exptime(struct steps *t)
{
    static const int64_t times[] = { 1, 1, 2, 3, 5, 8, 30, 60, 100, 1000, 3600, 86400,
                                     -1, 2592000, 2592001, INT64_C(1) << 33 };
    const unsigned choice = pick(t, 2 * N_OF(times));

    if (choice > N_OF(times))
        return 0;
    return choice < N_OF(times) ? times[choice] : t->m.wall_ms / 1000 + pick(t, 20);
}

uint64_t steps_number(struct steps *t)
{
    static const uint64_t numbers[] = { 0, 1, 2, 7, 10, 99, UINT64_C(1) << 63, UINT64_MAX };

    return numbers[pick(t, N_OF(numbers))];
}

uint64_t steps_cas(struct steps *t, unsigned key)
{
    const unsigned choice = pick(t, 12);

    if (choice >= 6)
        return model_token(&t->m, key);
    if (choice == 5)
        return model_token(&t->m, key) + 1;
    return choice == 0 ? t->m.items[key].last_token : choice;
}

#include "cluster/confirms.h"

#include <stdlib.h>

#define CAP_FIRST 64

enum state { OPEN, CONFIRMED, GIVEN_UP };

void confirms_fini(struct confirms *c)
{
    free(c->states);
    c->states = NULL;
    c->cap = 0;
}

static uint8_t *state_of(const struct confirms *c, uint64_t number)
{
    return &c->states[number & (c->cap - 1)];
}

static bool grow(struct confirms *c)
{
    struct confirms more = { c->first, c->end, NULL, c->cap == 0 ? CAP_FIRST : 2 * c->cap };

    more.states = malloc(more.cap);
    if (more.states == NULL)
        return false;
    for (uint64_t i = c->first; i < c->end; i++)
        *state_of(&more, i) = *state_of(c, i);
    free(c->states);
    *c = more;
    return true;
}

uint64_t confirms_add(struct confirms *c)
{
    if (c->end == 0)
        c->first = c->end = 1;
    if (c->end - c->first == c->cap && !grow(c))
        return 0;
    *state_of(c, c->end) = OPEN;
    return c->end++;
}

bool confirms_settle(struct confirms *c, uint64_t number, bool given_up)
{
    if (number < c->first || number >= c->end)
        return false;
    *state_of(c, number) = given_up ? GIVEN_UP : CONFIRMED;
    return number == c->first;
}

uint64_t confirms_take(struct confirms *c, bool *given_up)
{
    const uint64_t first = c->first;
    uint8_t state;

    if (first == c->end || (state = *state_of(c, first)) == OPEN)
        return 0;
    while (c->first < c->end && *state_of(c, c->first) == state)
        c->first++;
    *given_up = state == GIVEN_UP;
    return c->first - first;
}

void confirms_forget(struct confirms *c)
{
    c->first = c->end;
}

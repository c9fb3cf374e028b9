#include "admin/coverage.h"

#define PLACES 4096

double coverage_missing(const struct view *v)
{
    unsigned n = 0;
    struct placing p;

    if (v == NULL)
        return 1;
    for (uint32_t i = 0; i < PLACES; i++) {
        view_place(v, i * (UINT32_MAX / PLACES), &p);
        n += p.owner < 0 || p.n_copies + 1 < v->map->replicas;
    }
    return (double)n / PLACES;
}

static bool has(const struct placing *p, size_t member)
{
    for (unsigned i = 0; i < p->n_copies; i++)
        if (p->copies[i] == (int)member)
            return true;
    return p->owner == (int)member;
}

unsigned coverage_copies(const struct view *v, size_t member)
{
    unsigned least = 0;
    struct placing p;

    for (uint32_t i = 0; i < PLACES; i++) {
        view_place(v, i * (UINT32_MAX / PLACES), &p);
        if (has(&p, member) && (least == 0 || p.n_copies + 1 < least))
            least = p.n_copies + 1;
    }
    return least;
}

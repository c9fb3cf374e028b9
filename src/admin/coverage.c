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

#include "base/stats.h"

void stats_add(struct stats *sum, const struct stats *from)
{
#define STAT(name, kind, help, metric) sum->name += __atomic_load_n(&from->name, __ATOMIC_RELAXED);
#define USAGE(name, field, help, metric)
#include "stats.def"
#undef STAT
#undef USAGE
}

void stats_since(struct stats *sum, const struct stats *from)
{
    enum kind { COUNTER, GAUGE };

#define STAT(name, kind, help, metric) sum->name -= (kind) == COUNTER ? from->name : 0;
#define USAGE(name, field, help, metric)
#include "stats.def"
#undef STAT
#undef USAGE
}

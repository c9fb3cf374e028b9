#include "admin/verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *verdict_word(enum verdict_kind kind)
{
    static const char *const words[] = {
        [VERDICT_OK] = "ok", [VERDICT_DEGRADED] = "degraded", [VERDICT_DOWN] = "down",
    };

    return words[kind];
}

/* Behind what is there; what has no room is left out. */
static void __attribute__((format(printf, 2, 3)))
say(struct verdict *out, const char *format, ...)
{
    const size_t used = strlen(out->words);
    va_list args;

    va_start(args, format);
    vsnprintf(out->words + used, sizeof(out->words) - used, format, args);
    va_end(args);
}

const char *verdict_trouble(const struct member *m, const struct admin_answer *a)
{
    if (m->state == MEMBER_EJECTED)
        return "is ejected";
    if (m->state == MEMBER_SUSPENDED)
        return "is suspended";
    if (!a->known)
        return "does not answer";
    return m->filling ? "is being filled" : NULL;
}

static bool is_to_hold_items(const struct member *m)
{
    return m->weight > 0 || m->next_weight > 0 || m->wanted_weight > 0;
}

void verdict_of(const struct view *v, const struct admin_answer *answers, struct verdict *out)
{
    memset(out, 0, sizeof(*out));
    out->kind = VERDICT_DOWN;
    if (v == NULL) {
        say(out, "no map yet");
        return;
    }
    for (size_t i = 0; i < v->map->n; i++) {
        const struct member *m = &v->map->members[i];

        out->items += answers[i].usage[USAGE_curr_items];
        out->bytes += answers[i].usage[USAGE_bytes];
        out->limit_bytes += answers[i].usage[USAGE_limit_maxbytes];
        if (is_to_hold_items(m)) {
            out->n++;
            out->n_up += verdict_trouble(m, &answers[i]) == NULL;
        }
    }
    if (out->n_up > 0)
        out->kind = out->n_up == out->n ? VERDICT_OK : VERDICT_DEGRADED;
    say(out, "%zu/%zu shards up", out->n_up, out->n);
    for (size_t i = 0, told = 0; i < v->map->n; i++) {
        const struct member *m = &v->map->members[i];
        const char *words = is_to_hold_items(m) ? verdict_trouble(m, &answers[i]) : NULL;

        if (words != NULL)
            say(out, "%s %s %s", told++ == 0 ? ":" : ",", m->name, words);
    }
    if (v->map->phase != MAP_STABLE)
        say(out, "%s", "; members change");
}

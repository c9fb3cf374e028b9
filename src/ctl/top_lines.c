#include "ctl/top_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "ctl/ask.h"
#include "ctl/table.h"

#define ROW "%-12.12s %-9.9s %11s %17s %9s %8s %7s"

/* What is not known is a dash. */
static const char *count(char *out, const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    return json_is_number(v) ? human_count(out, (long long)json_number_value(v)) : "-";
}

static const char *ms(char *out, const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    return json_is_number(v) ? table_ms(out, json_number_value(v)) : "-";
}

static const char *memory(char *out, const json_t *o)
{
    char used[HUMAN_MAX], limit[HUMAN_MAX];

    if (!json_is_integer(json_object_get(o, "bytes")))
        return "-";
    snprintf(out, 2 * HUMAN_MAX + 4, "%s / %s", human_bytes(used, ask_number(o, "bytes")),
             human_bytes(limit, ask_number(o, "limit_bytes")));
    return out;
}

static void clean(char *line)
{
    char *copy = table_clean(line);

    strcpy(line, copy);
    free(copy);
}

void top_lines_verdict(char *out, const json_t *view)
{
    const char *verdict = ask_text(view, "verdict"), *copies = ask_text(view, "copies");

    snprintf(out, TOP_LINE_MAX, "%s  %s%s%s",
             strcmp(verdict, "ok") == 0 ? "OK" : strcmp(verdict, "degraded") == 0 ? "DEGRADED"
                                                                                  : "DOWN",
             ask_text(view, "words"), *copies != '\0' ? "; " : "", copies);
    clean(out);
}

void top_lines_totals(char *out, const json_t *view)
{
    char rate[HUMAN_MAX], hits[HUMAN_MAX], p99[HUMAN_MAX], items[HUMAN_MAX];
    const json_t *ratio = json_object_get(view, "hit_ratio");
    const long long clients = ask_number(view, "connections");
    const bool always = json_is_null(json_object_get(view, "p99_seconds"))
                        && json_is_number(json_object_get(view, "p99_ms"));

    snprintf(out, TOP_LINE_MAX, "%s requests/s  hits %s  %sp99 %s ms%s  %s items  %lld client%s",
             count(rate, view, "requests_per_second"),
             json_is_number(ratio) ? human_share(hits, json_number_value(ratio)) : "-",
             always ? "get " : "", ms(p99, view, "p99_ms"), always ? " since start" : "", count(items, view, "items"),
             clients, clients == 1 ? "" : "s");
}

void top_lines_titles(char *out)
{
    snprintf(out, TOP_LINE_MAX, ROW, "SHARD", "STATE", "ITEMS", "MEMORY", "SENT/S", "EVICT/S",
             "P99 MS");
}

void top_lines_shard(char *out, const json_t *shard)
{
    char items[HUMAN_MAX], used[2 * HUMAN_MAX + 4], sent[HUMAN_MAX];
    char evicted[HUMAN_MAX], p99[HUMAN_MAX];

    snprintf(out, TOP_LINE_MAX, ROW, ask_text(shard, "name"), ask_text(shard, "state"),
             count(items, shard, "items"), memory(used, shard),
             count(sent, shard, "sent_per_second"),
             count(evicted, shard, "evictions_per_second"), ms(p99, shard, "p99_ms"));
    clean(out);
}

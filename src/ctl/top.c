#include "ctl/top.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ask.h"
#include "ctl/top_lines.h"
#include "ctl/top_screen.h"
#include "ctl/top_view.h"

static int code_of(const char *verdict)
{
    return strcmp(verdict, "ok") == 0 ? YES : strcmp(verdict, "degraded") == 0 ? DEGRADED : NO;
}

static void print(const json_t *view)
{
    char line[TOP_LINE_MAX];
    const json_t *shard;
    size_t i;

    top_lines_verdict(line, view);
    puts(line);
    top_lines_totals(line, view);
    puts(line);
    if (json_array_size(json_object_get(view, "shards")) == 0)
        return;
    top_lines_titles(line);
    puts(line);
    json_array_foreach(json_object_get(view, "shards"), i, shard) {
        top_lines_shard(line, shard);
        puts(line);
    }
}

/* What it does in one second. */
static int print_once(const struct ctl *ctl, struct conn *c, const char *sort)
{
    struct top_sample before, now;
    json_t *view;
    int rc = top_sample_take(&before, ctl, c);

    if (rc != YES)
        return rc;
    sleep(1);
    if ((rc = top_sample_take(&now, ctl, c)) != YES) {
        top_sample_drop(&before);
        return rc;
    }
    view = top_view(&before, &now, ctl->server, sort);
    top_sample_drop(&before);
    top_sample_drop(&now);
    rc = code_of(ask_text(view, "verdict"));
    if (ctl->json)
        return say_json(rc, view);
    print(view);
    json_decref(view);
    return rc;
}

int top(const struct ctl *ctl, struct conn *c, char **argv)
{
    const char *sort = ctl->sort != NULL ? ctl->sort : "shard";

    (void)argv;
    if (!top_view_sorts(sort))
        return say(EX_USAGE, "read \"%s\" to sort by, expected shard, items, memory, sent, "
                   "evictions or p99", sort);
    if (ctl->once || ctl->json || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
        return print_once(ctl, c, sort);
    return top_screen_run(ctl, c, sort);
}

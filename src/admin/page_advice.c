#include <string.h>

#include "admin/html.h"
#include "admin/page.h"

/* A shard is called slow from this p99 on, if others are so many times as quick. */
#define SLOW_NS 10000000
#define SLOW_TIMES 5
#define SLOW_MIN_N 100

/* The list begins with its first entry. */
struct list { FILE *out; const struct page *page; bool begun; };

static void entry(struct list *l)
{
    if (!l->begun)
        fputs("<section class=\"advice\"><h2>What to do</h2><ul>", l->out);
    l->begun = true;
    fputs("<li>", l->out);
}

/* "<b>name</b> words": these are ours, and may have "&" and "<". */
static void about(struct list *l, const char *name, const char *words)
{
    entry(l);
    fputs("<b>", l->out);
    html_text(l->out, name);
    fprintf(l->out, "</b> %s ", words);
}

/* One that the leader takes; where another process's admin address is, is not known. */
static void command(struct list *l, const char *rest, const char *name, const char *more)
{
    struct page there = *l->page;

    if (!page_flag(there.cluster, "leads"))
        there.admin = NULL;
    fputs("<pre><code>", l->out);
    page_command(l->out, &there, rest, name, more);
    fputs("</code></pre>", l->out);
}

void page_command(FILE *out, const struct page *p, const char *rest, const char *name,
                  const char *more)
{
    fputs("chcachectl ", out);
    if (p->admin != NULL) {
        fputs("--admin ", out);
        html_text(out, p->admin);
        fputc(' ', out);
    }
    fputs(rest, out);
    html_text(out, name);
    fputs(more, out);
}

/* Only the leader takes changes. */
static void on_the_leader(struct list *l)
{
    const char *leader = page_text(l->page->cluster, "leader");

    if (page_flag(l->page->cluster, "leads") || leader[0] == '\0')
        return;
    fputs(" (on the host of ", l->out);
    html_text(l->out, leader);
    fputs(", which makes the maps)", l->out);
}

static void about_ejected(struct list *l, const json_t *node)
{
    const char *name = page_text(node, "name");
    const bool copies = page_number(l->page->cluster, "replicas") > 1;

    about(l, name, "is gone: it stopped answering, or was stopped.");
    fputs(copies ? "Its keys are served by the shards that have copies. "
                 : "There is one copy of each key, so its keys are misses. ", l->out);
    fputs("Start it again under its name, and it is filled by the others; shards of "
          "<code>--local-shards</code> are started again by their front. If it will not come "
          "back, have it forgotten", l->out);
    on_the_leader(l);
    fputs(":", l->out);
    command(l, "nodes remove ", name, " --force");
    fputs("</li>", l->out);
}

static void about_suspended(struct list *l, const json_t *node)
{
    about(l, page_text(node, "name"), "does not answer the coordinator. It is given two seconds, "
          "then others take its keys over. If it freezes again and again, look at its host: "
          "memory, swapping, network.</li>");
}

static void about_silent(struct list *l, const json_t *node)
{
    about(l, page_text(node, "name"), "does not answer this process");
    if (page_text(node, "reason")[0] != '\0') {
        fputs("(", l->out);
        html_text(l->out, page_text(node, "reason"));
        fputs(")", l->out);
    }
    fputs(". ", l->out);
    if (page_text(l->page->cluster, "leader")[0] != '\0')
        fputs("If that lasts for more than some seconds, others reach it and this one does not: "
              "look at the network between here and ", l->out);
    else
        fputs("Its keys are misses, and nobody takes its place, as this cluster has no "
              "coordinator. Start it again at ", l->out);
    fputs("<code>", l->out);
    html_text(l->out, page_text(node, "address"));
    fputs("</code>.</li>", l->out);
}

static void about_filling(struct list *l, const json_t *node)
{
    about(l, page_text(node, "name"), "is being filled by the others, and owns its keys when that "
          "is done. Nothing is to be done; how far it is");
    on_the_leader(l);
    fputs(":", l->out);
    command(l, "jobs", "", "");
    fputs("</li>", l->out);
}

/* The p99 of a shard, from here, lately; 0: too little was asked of it. */
static json_int_t p99_of(const struct page *p, const json_t *node)
{
    const json_t *of = json_object_get(json_object_get(p->recent, "shards"),
                                       page_text(node, "name"));

    return page_number(of, "n") >= SLOW_MIN_N ? page_number(of, "p99_ns") : 0;
}

/* It takes much longer than the quickest of the others. */
static void about_slow(struct list *l, const json_t *node)
{
    const json_int_t own = p99_of(l->page, node);
    json_int_t least = 0;
    const json_t *other;
    size_t i;

    json_array_foreach(l->page->nodes, i, other) {
        const json_int_t p99 = p99_of(l->page, other);

        if (other != node && p99 > 0 && (least == 0 || p99 < least))
            least = p99;
    }
    if (own < SLOW_NS || least == 0 || own < SLOW_TIMES * least)
        return;
    about(l, page_text(node, "name"), "is slow: of a hundred answers one takes");
    html_time(l->out, own);
    fputs(" or more, of another shard ", l->out);
    html_time(l->out, least);
    fputs(". Look at its host (processor, swapping, network), and whether a key on it is asked "
          "for much more than others.</li>", l->out);
}

static void about_node(struct list *l, const json_t *node)
{
    const char *state = page_text(node, "state");

    if (strcmp(state, "ejected") == 0)
        about_ejected(l, node);
    else if (strcmp(state, "suspended") == 0)
        about_suspended(l, node);
    else if (!page_flag(node, "answers"))
        about_silent(l, node);
    else if (page_flag(node, "filling"))
        about_filling(l, node);
    else
        about_slow(l, node);
}

static void about_no_map(struct list *l)
{
    entry(l);
    fputs("This process has heard of no map of the cluster yet, so it serves nobody. It waits for "
          "the coordinator, whom <code>--coordinator</code> names: is that running, and reached "
          "from here? The log of this process says what it has tried.</li>", l->out);
}

static void about_copies(struct list *l, json_int_t wanted, json_int_t shards)
{
    entry(l);
    fprintf(l->out, "%lld copies of each key are wanted, and there %s %lld %s. Start one more, "
            "then", (long long)wanted, shards == 1 ? "is" : "are", (long long)shards,
            shards == 1 ? "shard" : "shards");
    on_the_leader(l);
    fputs(":", l->out);
    command(l, "nodes add NAME=ADDRESS:PORT", "", "");
    fputs("</li>", l->out);
}

void page_advise(FILE *out, const struct page *p)
{
    const json_int_t wanted = page_number(p->cluster, "replicas");
    const json_int_t shards = page_number(p->cluster, "shards");
    struct list l = { out, p, false };
    const json_t *node;
    size_t i;

    if (page_number(p->cluster, "epoch") == 0)
        about_no_map(&l);
    json_array_foreach(p->nodes, i, node)
        if (page_is_shard(node))
            about_node(&l, node);
    if (shards > 0 && shards < wanted)
        about_copies(&l, wanted, shards);
    if (l.begun)
        fputs("</ul></section>", out);
}

#include "admin/page.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/html.h"

#define HOT_SHOWN 8
#define HOT_SHARE 0.001
#define JOBS_SHOWN 8            /* of those that ended */
#define OPEN_BYTES_SHOWN 65536  /* fewer wait all the time where there is a load */

/* ---- what was asked ------------------------------------------------------- */

const char *page_text(const json_t *o, const char *name)
{
    const char *text = json_string_value(json_object_get(o, name));

    return text != NULL ? text : "";
}

json_int_t page_number(const json_t *o, const char *name)
{
    return json_integer_value(json_object_get(o, name));
}

double page_real(const json_t *o, const char *name)
{
    return json_number_value(json_object_get(o, name));
}

bool page_flag(const json_t *o, const char *name)
{
    return json_is_true(json_object_get(o, name));
}

bool page_is_shard(const json_t *node)
{
    return page_number(node, "weight") > 0 || page_number(node, "next_weight") > 0
        || page_number(node, "wanted_weight") > 0;
}

/* ---- the verdict ---------------------------------------------------------- */

static const char *verdict_of(const struct page *p)
{
    const char *word = page_text(p->cluster, "verdict");

    return strcmp(word, "ok") == 0 ? "OK" : strcmp(word, "degraded") == 0 ? "DEGRADED" : "DOWN";
}

static void put_title(FILE *out, const struct page *p)
{
    fputs(verdict_of(p), out);
    fputs(" – ", out);
    html_text(out, page_text(p->cluster, "name"));
}

static void put_name(FILE *out, const struct page *p)
{
    html_text(out, page_text(p->cluster, "name"));
}

static void put_verdict(FILE *out, const struct page *p)
{
    fputs("<p class=\"verdict ", out);
    html_text(out, page_text(p->cluster, "verdict"));
    fprintf(out, "\" role=\"status\"><strong>%s</strong>", verdict_of(p));
    html_text(out, page_text(p->cluster, "words"));
    fputs("</p>", out);
}

/* ---- facts ---------------------------------------------------------------- */

static void begin_fact(FILE *out, const char *what)
{
    fprintf(out, "<div><dt>%s</dt><dd>", what);
}

/* What is less to the point; words are ours. */
static void end_fact(FILE *out, const char *words)
{
    if (words[0] != '\0')
        fprintf(out, " <small>%s</small>", words);
    fputs("</dd></div>\n", out);
}

static void put_copies(FILE *out, const struct page *p)
{
    const double missing = page_real(p->cluster, "copies_missing");

    begin_fact(out, "Copies of each key");
    html_count(out, page_number(p->cluster, "replicas"));
    if (missing <= 0) {
        end_fact(out, "all there");
        return;
    }
    fputs(" <small>", out);
    html_share(out, missing);
    fputs(" of keys have fewer</small></dd></div>\n", out);
}

static void put_memory(FILE *out, const struct page *p)
{
    const json_int_t used = page_number(p->cluster, "bytes");
    const json_int_t limit = page_number(p->cluster, "limit_bytes");

    begin_fact(out, "Memory");
    html_bytes(out, used);
    fputs(" <small>of ", out);
    html_bytes(out, limit);
    fputs("</small>", out);
    html_bar(out, limit > 0 ? (double)used / (double)limit : 0);
    end_fact(out, "");
}

static void put_leader(FILE *out, const struct page *p)
{
    begin_fact(out, "Coordinator");
    if (page_text(p->cluster, "leader")[0] == '\0') {
        end_fact(out, "none: members are those of the command line");
        return;
    }
    html_text(out, page_text(p->cluster, "leader"));
    end_fact(out, page_flag(p->cluster, "leads") ? "this process" : "");
}

static void put_hits(FILE *out, const struct page *p)
{
    const double hits = page_real(p->recent, "hits"), misses = page_real(p->recent, "misses");

    begin_fact(out, "Gets that hit");
    if (hits + misses > 0) {
        html_share(out, hits / (hits + misses));
        end_fact(out, "through here, lately");
    } else {
        end_fact(out, "none were asked here lately");
    }
}

static double seconds_of(const json_t *recent)
{
    return (double)(page_number(recent, "ms") + 1) / 1000;
}

/* Large values are slow: who wonders why commands are sees it here. */
static void put_traffic(FILE *out, const struct page *p)
{
    const double seconds = seconds_of(p->recent);

    begin_fact(out, "Sent to clients");
    html_bytes(out, (int64_t)(page_real(p->recent, "bytes_written") / seconds));
    fputs(" <small>a second, received ", out);
    html_bytes(out, (int64_t)(page_real(p->recent, "bytes_read") / seconds));
    fputs("</small>", out);
    end_fact(out, "");
}

static void put_facts(FILE *out, const struct page *p)
{
    fputs("<dl>\n", out);
    put_copies(out, p);
    begin_fact(out, "Items");
    html_count(out, page_number(p->cluster, "items"));
    end_fact(out, page_number(p->cluster, "replicas") > 1 ? "copies included" : "");
    put_memory(out, p);
    if (p->recent != NULL) {
        put_hits(out, p);
        put_traffic(out, p);
    }
    begin_fact(out, "Map");
    html_count(out, page_number(p->cluster, "epoch"));
    end_fact(out, strcmp(page_text(p->cluster, "phase"), "stable") == 0 ? "stable"
             : page_number(p->cluster, "epoch") == 0 ? "" : "members change");
    put_leader(out, p);
    fputs("</dl>", out);
}

/* ---- shards --------------------------------------------------------------- */

/* Its class, and its words. */
static const char *state_of(const json_t *node, const char **words)
{
    const char *state = page_text(node, "state");

    *words = state;
    if (strcmp(state, "ejected") == 0)
        return "gone";
    if (strcmp(state, "suspended") == 0)
        return "suspended";
    if (!page_flag(node, "answers")) {
        *words = "no answer";
        return "gone";
    }
    if (!page_flag(node, "filling"))
        return "up";
    *words = "filling";
    return "filling";
}

static void put_state(FILE *out, const json_t *node)
{
    const char *words, *class = state_of(node, &words), *reason = page_text(node, "reason");

    fprintf(out, "<td class=\"state %s\" data-label=\"State\"><b>", class);
    html_text(out, words);
    fputs("</b>", out);
    if (reason[0] != '\0') {
        fputs("<small>", out);
        html_text(out, reason);
        fputs("</small>", out);
    }
    fputs("</td>", out);
}

static void put_share(FILE *out, const json_t *node)
{
    const double share = page_real(node, "share"), next = page_real(node, "next_share");

    fputs("<td class=\"number\" data-label=\"Share of keys\">", out);
    html_share(out, share);
    if (page_number(node, "weight") != page_number(node, "next_weight")) {
        fputs(" → ", out);
        html_share(out, next);
    }
    html_bar(out, share);
    fputs("</td>", out);
}

static void put_usage(FILE *out, const json_t *node)
{
    const json_int_t used = page_number(node, "bytes"), limit = page_number(node, "limit_bytes");

    if (!page_flag(node, "answers")) {
        fputs("<td class=\"number\" data-label=\"Items\">–</td>"
              "<td class=\"number wide\" data-label=\"Memory\">–</td>", out);
        return;
    }
    fputs("<td class=\"number\" data-label=\"Items\">", out);
    html_count(out, page_number(node, "items"));
    fputs("</td><td class=\"number wide\" data-label=\"Memory\">", out);
    html_bytes(out, used);
    fputs(" of ", out);
    html_bytes(out, limit);
    html_bar(out, limit > 0 ? (double)used / (double)limit : 0);
    fputs("</td>", out);
}

static void put_shard_time(FILE *out, const struct page *p, const json_t *node)
{
    const json_t *of = json_object_get(json_object_get(p->recent, "shards"),
                                       page_text(node, "name"));

    fputs("<td class=\"number\" data-label=\"p99 here\">", out);
    if (page_number(of, "n") > 0)
        html_time(out, page_number(of, "p99_ns"));
    else
        fputs("–", out);
    if (page_number(of, "open_bytes") >= OPEN_BYTES_SHOWN) {
        fputs("<br><small>", out);
        html_bytes(out, page_number(of, "open_bytes"));
        fputs(" wait</small>", out);
    }
    fputs("</td>", out);
}

static void put_shard(FILE *out, const struct page *p, const json_t *node)
{
    fputs("<tr><th scope=\"row\">", out);
    html_text(out, page_text(node, "name"));
    if (page_text(node, "zone")[0] != '\0') {
        fputs(" <small>zone ", out);
        html_text(out, page_text(node, "zone"));
        fputs("</small>", out);
    }
    fputs("</th>", out);
    put_state(out, node);
    put_share(out, node);
    put_usage(out, node);
    if (p->recent != NULL)
        put_shard_time(out, p, node);
    fputs("<td class=\"whole\" data-label=\"Address\"><code>", out);
    html_text(out, page_text(node, "address"));
    fputs("</code></td></tr>\n", out);
}

static void put_shards(FILE *out, const struct page *p)
{
    const json_t *node;
    size_t i;

    fputs("<section><table id=\"shards\" class=\"cards\"><caption>Shards</caption>\n"
          "<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">State</th>"
          "<th scope=\"col\" class=\"number\">Share of keys</th>"
          "<th scope=\"col\" class=\"number\">Items</th>"
          "<th scope=\"col\" class=\"number\">Memory</th>", out);
    if (p->recent != NULL)
        fputs("<th scope=\"col\" class=\"number\">p99 here</th>", out);
    fputs("<th scope=\"col\">Address</th></tr></thead>\n<tbody>\n", out);
    json_array_foreach(p->nodes, i, node)
        put_shard(out, p, node);
    fputs("</tbody></table>", out);
    if (json_array_size(p->nodes) == 0)
        fputs("<p class=\"soft\">None are known yet.</p>", out);
    fputs("</section>", out);
}

/* ---- how long commands took ------------------------------------------------ */

static void put_command(FILE *out, const json_t *c, double seconds)
{
    static const char *const times[][2] = {
        { "p50_ns", "p50" }, { "p99_ns", "p99" }, { "max_ns", "max" },
    };

    fputs("<tr><th scope=\"row\">", out);
    html_text(out, page_text(c, "command"));
    fputs("</th><td class=\"number\" data-label=\"A second\">", out);
    html_count(out, (int64_t)((double)page_number(c, "n") / seconds + 0.5));
    fputs("</td>", out);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        fprintf(out, "<td class=\"number\" data-label=\"%s\">", times[i][1]);
        html_time(out, page_number(c, times[i][0]));
        fputs("</td>", out);
    }
    fputs("</tr>\n", out);
}

static bool any_command(const json_t *commands)
{
    const json_t *c;
    size_t i;

    json_array_foreach(commands, i, c)
        if (page_number(c, "n") > 0)
            return true;
    return false;
}

static void put_times(FILE *out, const struct page *p)
{
    const json_t *commands = json_object_get(p->recent, "commands"), *c;
    const double seconds = seconds_of(p->recent);
    size_t i;

    if (p->recent == NULL)
        return;
    fputs("<section><table id=\"times\" class=\"slim\"><caption>How long commands took here <small>", out);
    if (page_flag(p->recent, "since_start"))
        fputs("since the start", out);
    else
        fprintf(out, "in the last %.0f seconds", seconds);
    fputs("</small></caption>\n", out);
    if (any_command(commands))
        fputs("<thead><tr><th scope=\"col\">Command</th>"
              "<th scope=\"col\" class=\"number\">A second</th>"
              "<th scope=\"col\" class=\"number\">p50</th><th scope=\"col\" class=\"number\">p99</th>"
              "<th scope=\"col\" class=\"number\">max</th></tr></thead>\n", out);
    fputs("<tbody>\n", out);
    json_array_foreach(commands, i, c)
        if (page_number(c, "n") > 0)
            put_command(out, c, seconds);
    fputs("</tbody></table>", out);
    if (!any_command(commands))
        fputs("<p class=\"soft\">None came.</p>", out);
    fputs("</section>", out);
}

/* ---- keys that are asked for most ------------------------------------------ */

static void put_hot_key(FILE *out, const json_t *hot)
{
    const double share = page_real(hot, "share");

    fputs("<tr><th scope=\"row\"><code>", out);
    html_key(out, page_text(hot, "key"));
    fputs("</code></th><td class=\"number\" data-label=\"A second\">", out);
    html_count(out, (int64_t)(page_real(hot, "requests_per_second") + 0.5));
    fputs("</td><td class=\"number\" data-label=\"Of all requests\">", out);
    html_share(out, share);
    html_bar(out, share);
    fputs("</td><td class=\"number\" data-label=\"Writes\">", out);
    html_share(out, page_real(hot, "write_share"));
    fputs("</td><td data-label=\"Owner\">", out);
    html_text(out, page_text(hot, "owner"));
    fputs("</td></tr>\n", out);
}

/* How many of them are shown; the hottest stand first. */
static size_t n_hot(const json_t *keys)
{
    size_t n = 0;

    while (n < HOT_SHOWN && page_real(json_array_get(keys, n), "share") >= HOT_SHARE)
        n++;
    return n;
}

static void put_hot(FILE *out, const struct page *p)
{
    const json_t *keys = json_object_get(p->hot, "keys");
    const size_t n = n_hot(keys);

    fputs("<section><table id=\"hot\" class=\"cards\"><caption>Keys asked for most <small>here, in "
          "the last minute</small></caption>\n", out);
    if (n > 0)
        fputs("<thead><tr><th scope=\"col\">Key</th><th scope=\"col\" class=\"number\">A second</th>"
              "<th scope=\"col\" class=\"number\">Of all requests</th>"
              "<th scope=\"col\" class=\"number\">Writes</th><th scope=\"col\">Owner</th></tr>"
              "</thead>\n", out);
    fputs("<tbody>\n", out);
    for (size_t i = 0; i < n; i++)
        put_hot_key(out, json_array_get(keys, i));
    fputs("</tbody></table>", out);
    if (n == 0) {
        fputs("<p class=\"soft\">", out);
        html_text(out, keys != NULL ? "None has a thousandth of all requests."
                                    : page_text(p->hot, "error"));
        fputs("</p>", out);
    }
    fputs("</section>", out);
}

/* ---- jobs ----------------------------------------------------------------- */

static bool is_under_way(const json_t *job)
{
    return page_number(job, "began_ms") != 0 && page_number(job, "ended_ms") == 0;
}

static void put_clock(FILE *out, json_int_t wall_ms)
{
    const time_t s = (time_t)(wall_ms / 1000);
    struct tm tm;
    char text[32] = "";

    if (gmtime_r(&s, &tm) != NULL)
        (void)strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    fprintf(out, "%s UTC", text);
}

static void put_progress(FILE *out, const json_t *job)
{
    const json_int_t done = page_number(job, "items_done"), left = page_number(job, "items_left");

    html_count(out, done);
    if (!is_under_way(job)) {
        fputs(" items", out);
        return;
    }
    fputs(" of ", out);
    html_count(out, done + left);
    fputs(" items", out);
    if (page_number(job, "eta_ms") >= 0) {
        fputs(", ", out);
        html_count(out, (page_number(job, "eta_ms") + 999) / 1000);
        fputs("&nbsp;s left", out);
    }
    html_bar(out, done + left > 0 ? (double)done / (double)(done + left) : 0);
}

static void put_job(FILE *out, const json_t *job)
{
    const json_int_t ended = page_number(job, "ended_ms");

    fprintf(out, "<tr><th scope=\"row\">%lld: ", (long long)page_number(job, "id"));
    html_text(out, page_text(job, "kind"));
    fputc(' ', out);
    html_text(out, page_text(job, "node"));
    fputs("</th><td data-label=\"Status\">", out);
    html_text(out, page_text(job, "status"));
    if (page_text(job, "words")[0] != '\0') {
        fputs(": ", out);
        html_text(out, page_text(job, "words"));
    }
    fputs("</td><td class=\"wide\" data-label=\"Moved\">", out);
    put_progress(out, job);
    fprintf(out, "</td><td class=\"whole\" data-label=\"When\">%s ", ended != 0 ? "ended" : "asked");
    put_clock(out, ended != 0 ? ended : page_number(job, "asked_ms"));
    fputs("</td></tr>\n", out);
}

/* All that have not ended, and of those that have the last ones; the last first. */
static void put_jobs(FILE *out, const struct page *p)
{
    const size_t n = json_array_size(p->jobs);
    size_t n_ended = 0;

    fputs("<section><table id=\"jobs\" class=\"cards\"><caption>Changes of members <small>the last ones"
          "</small></caption>\n", out);
    if (n > 0)
        fputs("<thead><tr><th scope=\"col\">Job</th><th scope=\"col\">Status</th>"
              "<th scope=\"col\">Moved</th><th scope=\"col\">When</th></tr></thead>\n", out);
    fputs("<tbody>\n", out);
    for (size_t i = n; i-- > 0;) {
        const json_t *job = json_array_get(p->jobs, i);

        if (page_number(job, "ended_ms") == 0 || n_ended++ < JOBS_SHOWN)
            put_job(out, job);
    }
    fputs("</tbody></table>", out);
    if (n == 0 && p->jobs != NULL) {
        fputs("<p class=\"soft\">None so far.</p>", out);
    } else if (n == 0 && page_text(p->cluster, "leader")[0] == '\0') {
        fputs("<p class=\"soft\">This cluster has no coordinator, and so no changes.</p>", out);
    } else if (n == 0) {
        fputs("<p class=\"soft\">The coordinator knows them: ", out);
        html_text(out, page_text(p->cluster, "leader"));
        fputs("</p>", out);
    }
    fputs("</section>", out);
}

/* ---- the whole ------------------------------------------------------------ */

static void put_nonce(FILE *out, const struct page *p)
{
    html_text(out, p->nonce);
}

static void put_status(FILE *out, const struct page *p)
{
    page_command(out, p, "status", "", "");
}

static const struct place {
    const char *word;
    void (*put)(FILE *out, const struct page *p);
} places[] = {
    { "title", put_title }, { "nonce", put_nonce }, { "name", put_name },
    { "verdict", put_verdict }, { "advice", page_advise }, { "facts", put_facts },
    { "shards", put_shards }, { "times", put_times }, { "hot", put_hot },
    { "jobs", put_jobs }, { "status", put_status },
};

#define N_PLACES (sizeof(places) / sizeof(places[0]))

static void put_place(FILE *out, const struct page *p, const char *word, size_t len)
{
    size_t i = 0;

    while (i < N_PLACES && (strlen(places[i].word) != len
                            || memcmp(places[i].word, word, len) != 0))
        i++;
    if (i < N_PLACES)
        places[i].put(out, p);
}

char *page_make(const struct page *p, size_t *len)
{
    const char *at = page_template, *begin, *end;
    char *text = NULL;
    FILE *out = open_memstream(&text, len);

    if (out == NULL)
        return NULL;
    for (; (begin = strstr(at, "{{")) != NULL; at = end + 2) {
        end = strstr(begin, "}}");
        fwrite(at, 1, (size_t)(begin - at), out);
        put_place(out, p, begin + 2, (size_t)(end - begin - 2));
    }
    fputs(at, out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* GET /: asks everybody, and answers with the page. */
#include <event2/buffer.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

#include "admin/page.h"
#include "admin/parts.h"
#include "admin/recent.h"
#include "admin/report.h"
#include "base/mem.h"

#define NONCE_BYTES 16
#define ADMIN_DEFAULT "127.0.0.1:11280"

/* Styles and scripts of this very page, the server that it came from, and no more. */
static const char policy[] =
    "default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static void draw_nonce(char nonce[2 * NONCE_BYTES + 1])
{
    unsigned char bytes[NONCE_BYTES];

    evutil_secure_rng_get_bytes(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        nonce[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        nonce[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    nonce[2 * NONCE_BYTES] = '\0';
}

static void add_headers(struct http_call *call, const char *nonce)
{
    char *csp = xasprintf(policy, nonce, nonce);

    http_add_header(call, "Content-Security-Policy", csp);
    http_add_header(call, "Referrer-Policy", "no-referrer");
    http_add_header(call, "Cross-Origin-Resource-Policy", "same-origin");
    free(csp);
}

static void answer(struct http_call *call, const struct page *p)
{
    struct evbuffer *out = evbuffer_new();
    size_t len;
    char *text = page_make(p, &len);

    if (out != NULL && text != NULL && evbuffer_add(out, text, len) == 0) {
        add_headers(call, p->nonce);
        http_answer_text(call, "text/html; charset=utf-8", out);
    } else {
        http_refuse(call, 500, "out of memory");
    }
    free(text);
    if (out != NULL)
        evbuffer_free(out);
}

static json_t *jobs_of(struct admin *a)
{
    const struct job *jobs;
    size_t n;

    if (!a->ops->leads(a->arg))
        return NULL;
    jobs = a->ops->jobs(a->arg, &n);
    return report_jobs(jobs, n);
}

static void page_told(struct question *q, const struct admin_answer *answers)
{
    struct admin *a = q->admin;
    json_t *recent = recent_look(a->recent, q->view);
    json_t *nodes = report_nodes(q->view, answers, recent, a->ops->silence_ms, a->arg);
    json_t *jobs = jobs_of(a);
    json_t *cluster = report_cluster(a->ops->cluster_name(a->arg), a->ops->leads(a->arg),
                                     q->view, answers);
    char nonce[2 * NONCE_BYTES + 1];

    draw_nonce(nonce);
    answer(q->call, &(struct page){
        .cluster = cluster, .nodes = json_object_get(nodes, "nodes"),
        .jobs = json_object_get(jobs, "jobs"), .recent = recent, .hot = q->hot,
        .admin = strcmp(a->address, ADMIN_DEFAULT) != 0 ? a->address : NULL, .nonce = nonce });
    json_decref(cluster);
    json_decref(nodes);
    json_decref(jobs);
    json_decref(recent);
    json_decref(q->hot);
}

/* `hot` is taken over. */
static void ask_members(struct admin *a, struct http_call *call, json_t *hot)
{
    admin_ask(&(struct question){ .admin = a, .call = call, .view = a->ops->view(a->arg),
                                  .hot = hot, .told = page_told }, NULL, 0);
}

struct page_asked { struct admin *admin; struct http_call *call; };

static void hot_told(void *arg, const struct admin_hotkey *keys, size_t n, double rate)
{
    struct page_asked *asked = arg;

    ask_members(asked->admin, asked->call, hotkeys_json(asked->admin, keys, n, rate));
    free(asked);
}

void page_get(struct admin *a, struct http_call *call)
{
    struct page_asked *asked = xzalloc(sizeof(*asked));
    const char *why;

    *asked = (struct page_asked){ a, call };
    why = a->ops->hotkeys(a->arg, hot_told, asked);
    if (why == NULL)
        return;
    free(asked);
    ask_members(a, call, json_pack("{s:s}", "error", why));
}

#include "ctl/shares.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/human.h"
#include "ctl/ask.h"
#include "ctl/table.h"
#include "ring/ring.h"

#define BAR_WIDTH 40

/* ---- a table -------------------------------------------------------------- */

/* A bar of its own length, where there is a terminal. */
static void make_bar(char *bar, double share)
{
    const size_t width = share > 0 ? (size_t)(share * BAR_WIDTH + 0.5) : 0;

    memset(bar, 0, BAR_WIDTH + 1);
    if (isatty(STDOUT_FILENO))
        memset(bar, '#', width < BAR_WIDTH ? width : BAR_WIDTH);
}

static void add_arcs(struct table *t, const json_t *node, long long weights, long long items)
{
    const long long weight = ask_number(node, "weight");
    const double share = ask_real(node, "share");
    char bar[BAR_WIDTH + 1], number[HUMAN_MAX], points[HUMAN_MAX];
    char wanted[HUMAN_MAX], got[HUMAN_MAX], real[HUMAN_MAX];

    make_bar(bar, share);
    snprintf(number, sizeof(number), "%lld", weight);
    table_add(t, (const char *const[]){
        ask_text(node, "name"), number, human_count(points, weight * RING_POINTS),
        human_share(wanted, weights > 0 ? (double)weight / (double)weights : 0),
        human_share(got, share),
        items > 0 && ask_flag(node, "answers")
            ? human_share(real, (double)ask_number(node, "items") / (double)items) : "-",
        bar });
}

static void print(const json_t *nodes)
{
    static const char *const titles[] = { "SHARD", ">WEIGHT", ">POINTS", ">EXPECTED", ">SHARE",
                                          ">OF ITEMS", "" };
    struct table *t = table_new(titles, sizeof(titles) / sizeof(titles[0]));
    long long weights = 0, items = 0;
    const json_t *node;
    size_t i;

    json_array_foreach(nodes, i, node) {
        weights += ask_number(node, "weight");
        items += ask_number(node, "items");
    }
    json_array_foreach(nodes, i, node)
        add_arcs(t, node, weights, items);
    table_end(t);
}

/* ---- a picture ------------------------------------------------------------ */

#define ROW 24                  /* of the list beside the ring */
#define SIZE 260

static void print_escaped(const char *text)
{
    char *clean = table_clean(text);

    for (const char *p = clean; *p != '\0'; p++)
        switch (*p) {
        case '&': fputs("&amp;", stdout); break;
        case '<': fputs("&lt;", stdout); break;
        case '>': fputs("&gt;", stdout); break;
        default: putchar(*p); break;
        }
    free(clean);
}

/* Each shard's part of the circle in one piece: on the ring it is thousands of arcs. */
static void draw(const json_t *nodes)
{
    const size_t n = json_array_size(nodes), height = (n + 1) * ROW > SIZE ? (n + 1) * ROW : SIZE;
    double before = 0;
    const json_t *node;
    size_t i;

    printf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 %zu\" "
           "font-family=\"sans-serif\" font-size=\"14\">\n", height);
    json_array_foreach(nodes, i, node) {
        const double share = ask_real(node, "share");
        const size_t hue = n > 0 ? 360 * i / n : 0;
        char text[HUMAN_MAX];

        printf("<circle cx=\"130\" cy=\"130\" r=\"90\" fill=\"none\" stroke-width=\"50\" "
               "stroke=\"hsl(%zu,60%%,50%%)\" pathLength=\"1\" stroke-dasharray=\"%.6f 1\" "
               "stroke-dashoffset=\"%.6f\"/>\n", hue, share, -before);
        printf("<rect x=\"290\" y=\"%zu\" width=\"14\" height=\"14\" "
               "fill=\"hsl(%zu,60%%,50%%)\"/>\n<text x=\"312\" y=\"%zu\">",
               i * ROW + 12, hue, i * ROW + 24);
        print_escaped(ask_text(node, "name"));
        printf("  %s</text>\n", human_share(text, share));
        before += share;
    }
    puts("</svg>");
}

int shares_show(const struct ctl *ctl, char **argv)
{
    json_t *answer;
    int rc;

    (void)argv;
    if (ctl->json && ctl->svg)
        return say(EX_USAGE, "--json and --svg do not go together");
    rc = ask(ctl, "GET", ctl->json ? "/v1/ring" : "/v1/nodes", NULL, &answer);
    if (rc != YES)
        return rc;
    if (ctl->json)
        return say_json(YES, answer);
    if (ctl->svg)
        draw(json_object_get(answer, "nodes"));
    else
        print(json_object_get(answer, "nodes"));
    json_decref(answer);
    return YES;
}

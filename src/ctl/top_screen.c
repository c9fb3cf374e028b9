#include "ctl/top_screen.h"

#include <ncurses.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/ask.h"
#include "ctl/top_lines.h"
#include "ctl/top_view.h"

#define REFRESH_MS 1000

enum { GREEN = 1, RED, YELLOW };

struct screen {
    const struct ctl *ctl;
    struct conn *conn;
    const char *sort;
    struct top_sample before, now;
    char trouble[256];          /* why the server was not reached; "": it was */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- drawing -------------------------------------------------------------- */

static attr_t look_of(const struct screen *s, const char *word)
{
    if (s->ctl->no_color || !has_colors())
        return A_BOLD;
    return COLOR_PAIR(strcmp(word, "ok") == 0 || strcmp(word, "up") == 0 ? GREEN
                      : strcmp(word, "degraded") == 0 ? YELLOW : RED) | A_BOLD;
}

static void put(int row, const char *line, attr_t look)
{
    if (row >= LINES)
        return;
    attron(look);
    mvaddnstr(row, 0, line, COLS);
    attroff(look);
}

static void draw_shards(const struct screen *s, const json_t *view)
{
    const json_t *shard;
    char line[TOP_LINE_MAX];
    size_t i;
    int row = 5;

    top_lines_titles(line);
    put(4, line, A_REVERSE);
    json_array_foreach(json_object_get(view, "shards"), i, shard) {
        const char *state = ask_text(shard, "state");

        if (row >= LINES - 1)
            break;
        top_lines_shard(line, shard);
        put(row++, line, strcmp(state, "up") == 0 ? A_NORMAL : look_of(s, state));
    }
}

static void draw(const struct screen *s)
{
    json_t *view = s->now.stats != NULL
                   ? top_view(s->before.stats != NULL ? &s->before : &s->now, &s->now,
                              s->ctl->server, s->sort)
                   : NULL;
    char line[TOP_LINE_MAX];

    erase();
    snprintf(line, sizeof(line), "chcachectl top  %s", s->ctl->server);
    put(0, line, A_NORMAL);
    if (s->trouble[0] != '\0') {
        snprintf(line, sizeof(line), "NOT REACHED  %s", s->trouble);
        put(1, line, look_of(s, "down"));
    } else if (view != NULL) {
        top_lines_verdict(line, view);
        put(1, line, look_of(s, ask_text(view, "verdict")));
        top_lines_totals(line, view);
        put(2, line, A_NORMAL);
        draw_shards(s, view);
    }
    snprintf(line, sizeof(line), "q quit   order: s shard  i items  m memory  t sent  e evictions  "
             "p p99");
    put(LINES - 1, line, A_DIM);
    refresh();
    json_decref(view);
}

/* ---- the loop ------------------------------------------------------------- */

static void take(struct screen *s)
{
    struct top_sample next;
    char words[sizeof(s->trouble)] = "";
    int rc;

    say_into(words, sizeof(words));
    rc = top_sample_take(&next, s->ctl, s->conn);
    say_into(NULL, 0);
    memcpy(s->trouble, words, sizeof(words));
    if (rc != YES) {
        conn_close(s->conn);    /* the next look connects again */
        return;
    }
    s->trouble[0] = '\0';
    top_sample_drop(&s->before);
    s->before = s->now;
    s->now = next;
}

/* False: it is over. */
static bool obey(struct screen *s, int key)
{
    static const struct { int key; const char *sort; } keys[] = {
        { 's', "shard" }, { 'i', "items" }, { 'm', "memory" }, { 't', "sent" },
        { 'e', "evictions" }, { 'p', "p99" },
    };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (keys[i].key == key)
            s->sort = keys[i].sort;
    return key != 'q' && !interrupted;
}

static void run(struct screen *s)
{
    int64_t look_at = now_ms() + REFRESH_MS;    /* there is one sample already */
    bool goes_on = true;

    while (goes_on && !interrupted) {
        if (now_ms() >= look_at) {
            take(s);
            look_at = now_ms() + REFRESH_MS;
        }
        draw(s);
        timeout(look_at > now_ms() ? (int)(look_at - now_ms()) : 0);
        goes_on = obey(s, getch());
    }
}

static void prepare(void)
{
    cbreak();
    noecho();
    curs_set(0);
    keypad(stdscr, TRUE);
    if (has_colors()) {
        start_color();
        use_default_colors();
        init_pair(GREEN, COLOR_GREEN, -1);
        init_pair(RED, COLOR_RED, -1);
        init_pair(YELLOW, COLOR_YELLOW, -1);
    }
}

int top_screen_run(const struct ctl *ctl, struct conn *c, const char *sort)
{
    const struct sigaction action = { .sa_handler = on_interrupt };
    struct screen s = { .ctl = ctl, .conn = c, .sort = sort };
    const char *kind = getenv("TERM");
    SCREEN *terminal;
    int rc = top_sample_take(&s.now, ctl, c);   /* without a server there is nothing to see */

    if (rc != YES)
        return rc;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    terminal = newterm(NULL, stdout, stdin);
    if (terminal != NULL) {
        prepare();
        run(&s);
        endwin();
        delscreen(terminal);
    }
    top_sample_drop(&s.before);
    top_sample_drop(&s.now);
    return terminal != NULL ? YES : say(NO, "the terminal %s cannot do this, see chcachectl top -1",
                                        kind != NULL ? kind : "(TERM is not set)");
}

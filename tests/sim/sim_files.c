#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sim_parts.h"

static void drop(struct host *h, size_t i)
{
    free(h->saves[i].path);
    free(h->saves[i].data);
    h->n_saves--;
    memmove(&h->saves[i], &h->saves[i + 1], (h->n_saves - i) * sizeof(*h->saves));
}

/* The last of that file that is on disk by then; h->n_saves: none. */
static size_t find(const struct host *h, const char *path, int64_t by_ns)
{
    for (size_t i = h->n_saves; i-- > 0;)
        if (h->saves[i].at_ns <= by_ns && strcmp(h->saves[i].path, path) == 0)
            return i;
    return h->n_saves;
}

/* Of what is on disk only the newest is kept. */
static void put(struct host *h, const char *path, const char *data, size_t len, int64_t at_ns)
{
    const size_t old = find(h, path, h->sim->now_ns);
    char *copy = xmalloc(len + 1);

    memcpy(copy, data, len);
    copy[len] = '\0';
    for (size_t i = old; old < h->n_saves && i-- > 0;)
        if (strcmp(h->saves[i].path, path) == 0)
            drop(h, i);
    h->saves = xrealloc(h->saves, (h->n_saves + 1) * sizeof(*h->saves));
    h->saves[h->n_saves++] = (struct save){ xstrdup(path), copy, len, at_ns };
}

int sim_load(struct world *w, const char *path, char **data, size_t *len)
{
    struct host *h = host_of(w);
    const size_t i = find(h, path, host_now(h));

    *data = NULL;
    if (i == h->n_saves) {
        errno = ENOENT;
        return -1;
    }
    *len = h->saves[i].len;
    *data = xmalloc(*len + 1);
    memcpy(*data, h->saves[i].data, *len + 1);
    return 0;
}

int sim_save(struct world *w, const char *path, const char *data, size_t len)
{
    struct host *h = host_of(w);
    const int64_t range_ns = (h->disk_max_ms - h->disk_min_ms) * MS + 1;

    if (!h->up) {
        errno = EIO;
        return -1;
    }
    host_spend(h, h->disk_min_ms * MS + (int64_t)chance_below(&h->sim->order,
                                                              (uint64_t)range_ns));
    if (h->disk_error != 0) {
        errno = h->disk_error;
        return -1;
    }
    put(h, path, data, len, host_now(h));
    sim_mix_bytes(h->sim, data, len);
    return 0;
}

void sim_put_file(struct world *node, const char *path, const char *data, size_t len)
{
    struct host *h = host_of(node);

    for (size_t i = h->n_saves; i-- > 0;)
        if (strcmp(h->saves[i].path, path) == 0)
            drop(h, i);
    if (data != NULL)
        put(h, path, data, len, h->sim->now_ns);
}

/* What was begun is done up to some point in time. */
void sim_files_crash(struct host *h)
{
    int64_t by_ns = h->sim->now_ns;

    for (size_t i = 0; i < h->n_saves; i++)
        if (h->saves[i].at_ns > by_ns && chance_below(&h->sim->order, 2) == 0)
            by_ns = h->saves[i].at_ns;
    for (size_t i = h->n_saves; i-- > 0;) {
        if (h->saves[i].at_ns > by_ns)
            drop(h, i);
        else if (h->saves[i].at_ns > h->sim->now_ns)
            h->saves[i].at_ns = h->sim->now_ns;
    }
}

void sim_files_free(struct host *h)
{
    while (h->n_saves > 0)
        drop(h, h->n_saves - 1);
    free(h->saves);
}

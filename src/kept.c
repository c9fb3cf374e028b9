#include "kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/world_os.h"

#define VARIABLE "CHCACHED_KEPT"
#define TITLE "chcached 1\n"
#define OWN "own"
#define LINE_MAX_BYTES 512
/* Of what clients had sent and were not sent; those beyond are closed. */
#define BYTES_MAX (64l << 20)

static void keep_over_exec(int fd, bool keep)
{
    (void)fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC);
}

/* ---- writing --------------------------------------------------------------- */

struct kept_writer {
    FILE *file;
    int *fds;                   /* owned: all that stay open */
    size_t n;
};

struct kept_writer *kept_write(void)
{
    struct kept_writer *k;
    int fd = memfd_create("chcached-kept", MFD_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen(fd, "w+") : NULL;

    if (file == NULL) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    fputs(TITLE, file);
    k = xzalloc(sizeof(*k));
    k->file = file;
    return k;
}

static void note(struct kept_writer *k, int fd)
{
    k->fds = xrealloc(k->fds, (k->n + 1) * sizeof(*k->fds));
    k->fds[k->n++] = fd;
}

void kept_put_socket(struct kept_writer *k, const char *name, int fd)
{
    fprintf(k->file, "socket %d %s\n", fd, name != NULL ? name : OWN);
    note(k, fd);
}

void kept_put_map(struct kept_writer *k, const char *cluster, const struct map *map)
{
    const size_t len = map_len(map);
    char *bytes = xmalloc(len);

    map_put(bytes, map);
    fprintf(k->file, "map %s %zu\n", cluster, len);
    fwrite(bytes, 1, len, k->file);
    free(bytes);
}

bool kept_put_client(struct kept_writer *k, const struct session *s)
{
    struct sendq *out = (struct sendq *)&s->out;
    const size_t in_len = recvq_len(&s->in);

    if (!session_can_move(s) || ftell(k->file) + (long)(in_len + out->bytes) > BYTES_MAX)
        return false;
    fprintf(k->file, "client %d %zu %zu\n", s->fd, in_len, out->bytes);
    if (in_len > 0)
        fwrite(recvq_data(&s->in), 1, in_len, k->file);
    for (unsigned i = 0; i < out->n; i++)
        fwrite(sendq_piece_at(out, i)->at, 1, sendq_piece_at(out, i)->len, k->file);
    note(k, s->fd);
    return true;
}

static void keep_all(const struct kept_writer *k, bool keep)
{
    for (size_t i = 0; i < k->n; i++)
        keep_over_exec(k->fds[i], keep);
    keep_over_exec(fileno(k->file), keep);
}

bool kept_publish(struct kept_writer *k)
{
    char fd[NUM_U64_MAX_LEN + 1];

    if (fflush(k->file) != 0 || ferror(k->file))
        return false;
    snprintf(fd, sizeof(fd), "%d", fileno(k->file));
    keep_all(k, true);
    return setenv(VARIABLE, fd, 1) == 0;
}

void kept_withdraw(struct kept_writer *k)
{
    unsetenv(VARIABLE);
    keep_all(k, false);
    fclose(k->file);
    free(k->fds);
    free(k);
}

/* ---- reading --------------------------------------------------------------- */

static FILE *open_file(void)
{
    const char *text = getenv(VARIABLE);
    char title[sizeof(TITLE)];
    uint32_t fd;
    FILE *file;

    if (text == NULL)
        return NULL;
    file = num_parse_u32(text, strlen(text), &fd) ? fdopen((int)fd, "r") : NULL;
    unsetenv(VARIABLE);
    if (file == NULL)
        return NULL;
    keep_over_exec((int)fd, false);
    rewind(file);
    if (fgets(title, sizeof(title), file) != NULL && strcmp(title, TITLE) == 0)
        return file;
    log_warn("main", "what the last program kept is not understood, its clients are lost");
    fclose(file);
    return NULL;
}

static void take_socket(struct kept *k, struct passed *p, const char *name, int fd)
{
    keep_over_exec(fd, false);
    if (strcmp(name, OWN) != 0)
        passed_add(p, name, fd);
    else if (k->n_sockets < sizeof(k->sockets) / sizeof(k->sockets[0]))
        k->sockets[k->n_sockets++] = fd;
    else
        close(fd);
}

/* Sockets are taken now; a map and clients when there is use for them. */
void kept_read(struct kept *k, struct passed *p)
{
    char line[LINE_MAX_BYTES], name[SDNOTIFY_NAME_MAX + 1];
    size_t in_len, out_len = 0;
    long rest;
    int fd;

    k->file = open_file();
    if (k->file == NULL)
        return;
    rest = ftell(k->file);
    while (fgets(line, sizeof(line), k->file) != NULL) {
        if (sscanf(line, "socket %d %255s", &fd, name) == 2) {
            take_socket(k, p, name, fd);
            rest = ftell(k->file);
        } else if (sscanf(line, "client %d %zu %zu", &fd, &in_len, &out_len) == 3) {
            keep_over_exec(fd, false);
            fseek(k->file, (long)(in_len + out_len), SEEK_CUR);
        } else if (sscanf(line, "map %255s %zu", name, &in_len) == 2) {
            fseek(k->file, (long)in_len, SEEK_CUR);
        }
    }
    fseek(k->file, rest, SEEK_SET);
}

static bool takes_map(const struct node *n, const char *cluster)
{
    return n->leader == NULL && n->options->coordinator[0] != '\0' &&
           strcmp(cluster, cluster_name(n->cluster)) == 0;
}

void kept_give_map(struct kept *k, struct node *n)
{
    const long at = k->file != NULL ? ftell(k->file) : 0;
    char line[LINE_MAX_BYTES], cluster[SDNOTIFY_NAME_MAX + 1], *bytes;
    struct map *map = NULL;
    size_t len;

    if (k->file == NULL)
        return;
    if (fgets(line, sizeof(line), k->file) == NULL ||
        sscanf(line, "map %255s %zu", cluster, &len) != 2) {
        fseek(k->file, at, SEEK_SET);
        return;
    }
    bytes = xmalloc(len);
    if (fread(bytes, 1, len, k->file) == len && takes_map(n, cluster))
        map = map_read(bytes, len);
    if (map != NULL)
        (void)cluster_adopt(n->cluster, map);
    free(bytes);
}

struct keeping_world {
    struct world world;
    struct world_ops ops;
    struct kept *kept;
};

static int listen_on(struct world *w, const char *address, int backlog, unsigned unix_mask)
{
    struct kept *k = ((struct keeping_world *)w)->kept;

    for (size_t i = 0; i < k->n_sockets; i++) {
        const int fd = k->sockets[i];

        if (!world_os_is_at(fd, address))
            continue;
        k->sockets[i] = k->sockets[--k->n_sockets];
        (void)listen(fd, backlog);      /* which may be another now */
        return fd;
    }
    return world_os()->ops->listen(w, address, backlog, unix_mask);
}

struct world *kept_world(struct kept *k)
{
    static struct keeping_world keeping;

    keeping.ops = *world_os()->ops;
    keeping.ops.listen = listen_on;
    keeping.world.ops = &keeping.ops;
    keeping.kept = k;
    return &keeping.world;
}

static bool give_client(struct kept *k, struct node *n, int fd, size_t in_len, size_t out_len)
{
    char *bytes = malloc(in_len + out_len + 1);
    bool ok = bytes != NULL && fread(bytes, 1, in_len + out_len, k->file) == in_len + out_len;

    if (ok)
        ok = node_take_client(n, fd, bytes, in_len, bytes + in_len, out_len);
    else
        close(fd);
    free(bytes);
    return ok;
}

void kept_give(struct kept *k, struct node *n)
{
    char line[LINE_MAX_BYTES];
    size_t in_len, out_len;
    unsigned n_clients = 0;
    int fd;

    if (k->file == NULL)
        return;
    while (fgets(line, sizeof(line), k->file) != NULL &&
           sscanf(line, "client %d %zu %zu", &fd, &in_len, &out_len) == 3)
        n_clients += give_client(k, n, fd, in_len, out_len);
    fclose(k->file);
    k->file = NULL;
    while (k->n_sockets > 0)
        close(k->sockets[--k->n_sockets]);
    log_info("main", "upgraded: going on for the clients of the last program clients=%u",
             n_clients);
}

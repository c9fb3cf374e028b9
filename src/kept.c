#include "kept.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/world_os.h"
#include "kept_file.h"

#define VARIABLE "CHCACHED_KEPT"
#define OWN "own"
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
    kept_file_begin(file);
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
    struct kept_item i = { .kind = KEPT_SOCKET, .fd = fd };

    snprintf(i.name, sizeof(i.name), "%s", name != NULL ? name : OWN);
    kept_file_put(k->file, &i);
    note(k, fd);
}

void kept_put_map(struct kept_writer *k, const char *cluster, const struct map *map)
{
    struct kept_item i = { .kind = KEPT_MAP, .in_len = map_len(map) };
    char *bytes = xmalloc(i.in_len);

    snprintf(i.name, sizeof(i.name), "%s", cluster);
    map_put(bytes, map);
    kept_file_put(k->file, &i);
    fwrite(bytes, 1, i.in_len, k->file);
    free(bytes);
}

bool kept_put_client(struct kept_writer *k, const struct session *s)
{
    struct sendq *out = (struct sendq *)&s->out;
    const struct kept_item item = { .kind = KEPT_CLIENT, .fd = s->fd,
                                    .in_len = recvq_len(&s->in), .out_len = out->bytes };

    if (!session_can_move(s) ||
        ftell(k->file) + (long)(item.in_len + item.out_len) > BYTES_MAX)
        return false;
    kept_file_put(k->file, &item);
    if (item.in_len > 0)
        fwrite(recvq_data(&s->in), 1, item.in_len, k->file);
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
    uint32_t fd;
    FILE *file;

    if (text == NULL)
        return NULL;
    file = num_parse_u32(text, strlen(text), &fd) ? fdopen((int)fd, "r") : NULL;
    unsetenv(VARIABLE);
    if (file != NULL)
        keep_over_exec((int)fd, false);
    return file;
}

static bool is_socket(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* An exec left it open, and nothing here spoke of it yet. */
static bool claim(int fd)
{
    if (fd <= STDERR_FILENO || fcntl(fd, F_GETFD) != 0 || !is_socket(fd))
        return false;
    keep_over_exec(fd, false);
    return true;
}

static bool claim_all(FILE *file)
{
    const long items = ftell(file);
    struct kept_item i;

    while (kept_file_next(file, &i)) {
        if (i.kind != KEPT_MAP && !claim(i.fd))
            return false;
        kept_file_skip(file, &i);
    }
    return fseek(file, items, SEEK_SET) == 0;
}

/* Clients see an end where nobody would serve them, and an address is free again. */
static void close_sockets(const struct passed *p)
{
    DIR *folder = opendir("/proc/self/fd");
    struct dirent *entry;
    uint32_t fd;

    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL)
        if (num_parse_u32(entry->d_name, strlen(entry->d_name), &fd) && fd > STDERR_FILENO &&
            is_socket((int)fd) && passed_name(p, (int)fd) == NULL)
            close((int)fd);
    closedir(folder);
}

static void refuse(FILE *file, const struct passed *p)
{
    log_warn("main", "what the last program kept is not understood, its clients are closed");
    close_sockets(p);
    fclose(file);
}

static void take_socket(struct kept *k, struct passed *p, const char *name, int fd)
{
    if (strcmp(name, OWN) != 0)
        passed_add(p, name, fd);
    else if (k->n_sockets < sizeof(k->sockets) / sizeof(k->sockets[0]))
        k->sockets[k->n_sockets++] = fd;
    else
        close(fd);
}

/* An address that the settings do not name any more: as at the end of a process, no
 * file of it stays. */
static void give_up(int fd)
{
    char address[ADDRESS_MAX];

    world_os_socket_name(fd, address, sizeof(address));
    close(fd);
    if (address[0] == '/')
        (void)unlink(address);
}

/* Sockets are taken now; a map and clients when there is use for them. */
void kept_read(struct kept *k, struct passed *p)
{
    FILE *file = open_file();
    struct kept_item i;
    long rest;

    if (file == NULL)
        return;
    if (!kept_file_check(file) || !claim_all(file)) {
        refuse(file, p);
        return;
    }
    for (rest = ftell(file); kept_file_next(file, &i) && i.kind == KEPT_SOCKET;
         rest = ftell(file))
        take_socket(k, p, i.name, i.fd);
    fseek(file, rest, SEEK_SET);
    k->file = file;
}

static bool takes_map(const struct node *n, const char *cluster)
{
    return n->leader == NULL && n->options->coordinator[0] != '\0' &&
           strcmp(cluster, cluster_name(n->cluster)) == 0;
}

void kept_give_map(struct kept *k, struct node *n)
{
    const long at = k->file != NULL ? ftell(k->file) : 0;
    struct map *map = NULL;
    struct kept_item i;
    char *bytes;

    if (k->file == NULL)
        return;
    if (!kept_file_next(k->file, &i) || i.kind != KEPT_MAP) {
        fseek(k->file, at, SEEK_SET);
        return;
    }
    bytes = xmalloc(i.in_len);
    if (fread(bytes, 1, i.in_len, k->file) == i.in_len && takes_map(n, i.name))
        map = map_read(bytes, i.in_len);
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

static bool give_client(struct kept *k, struct node *n, const struct kept_item *i)
{
    const size_t len = i->in_len + i->out_len;
    char *bytes = malloc(len + 1);
    bool ok = bytes != NULL && fread(bytes, 1, len, k->file) == len;

    if (ok)
        ok = node_take_client(n, i->fd, bytes, i->in_len, bytes + i->in_len, i->out_len);
    else
        close(i->fd);
    free(bytes);
    return ok;
}

void kept_give(struct kept *k, struct node *n)
{
    unsigned n_clients = 0;
    struct kept_item i;

    if (k->file == NULL)
        return;
    while (kept_file_next(k->file, &i))
        n_clients += give_client(k, n, &i);
    fclose(k->file);
    k->file = NULL;
    while (k->n_sockets > 0)
        give_up(k->sockets[--k->n_sockets]);
    log_info("main", "upgraded: going on for the clients of the last program clients=%u",
             n_clients);
}

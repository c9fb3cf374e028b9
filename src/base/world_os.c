#include "base/world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "base/world_loop.h"
#include "base/world_os.h"

/* time and chance */

static int64_t os_mono_ns(struct world *w)
{
    struct timespec t;

    (void)w;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t os_wall_ms(struct world *w)
{
    struct timespec t;

    (void)w;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void os_random(struct world *w, void *out, size_t len)
{
    char *p = out;
    ssize_t n;

    (void)w;
    while (len > 0) {
        n = getrandom(p, len, 0);
        if (n < 0 && errno != EINTR)
            abort();            /* a kernel without getrandom: no secret keys, no start */
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
}

/* addresses */

union any_address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

static socklen_t parse_unix(const char *address, union any_address *a)
{
    size_t len = strlen(address);

    if (len >= sizeof(a->un.sun_path))
        return 0;
    a->un.sun_family = AF_UNIX;
    memcpy(a->un.sun_path, address, len + 1);
    if (address[0] != '@')
        return (socklen_t)sizeof(a->un);
    a->un.sun_path[0] = '\0';
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

/* Length of the address, 0 when it is none. */
static socklen_t parse_address(const char *address, union any_address *a)
{
    char host[ADDRESS_MAX];
    const char *colon = strrchr(address, ':');
    size_t host_len;
    uint32_t port;

    memset(a, 0, sizeof(*a));
    if (address[0] == '/' || address[0] == '@')
        return parse_unix(address, a);
    if (colon == NULL || !num_parse_u32(colon + 1, strlen(colon + 1), &port) || port > 65535)
        return 0;
    host_len = (size_t)(colon - address);
    if (host_len >= 2 && address[0] == '[' && colon[-1] == ']') {
        address++;
        host_len -= 2;
    }
    if (host_len >= sizeof(host))
        return 0;
    memcpy(host, address, host_len);
    host[host_len] = '\0';
    if (inet_pton(AF_INET, host, &a->in.sin_addr) == 1) {
        a->in.sin_family = AF_INET;
        a->in.sin_port = htons((uint16_t)port);
        return (socklen_t)sizeof(a->in);
    }
    if (inet_pton(AF_INET6, host, &a->in6.sin6_addr) == 1) {
        a->in6.sin6_family = AF_INET6;
        a->in6.sin6_port = htons((uint16_t)port);
        return (socklen_t)sizeof(a->in6);
    }
    return 0;
}

/* "unix" for what has no address that others could call, "?" for what has none. */
static void name_address(const union any_address *a, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (a->sa.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
        snprintf(out, size, "%s:%u", host, ntohs(a->in.sin_port));
    } else if (a->sa.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
        snprintf(out, size, "[%s]:%u", host, ntohs(a->in6.sin6_port));
    } else {
        snprintf(out, size, "%s", a->sa.sa_family == AF_UNIX ? "unix" : "?");
    }
}

static int socket_for(const char *address, union any_address *a, socklen_t *len)
{
    *len = parse_address(address, a);
    if (*len == 0) {
        errno = EINVAL;
        return -1;
    }
    return socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void os_shut(struct world *w, int fd)
{
    (void)w;
    (void)shutdown(fd, SHUT_WR);
}

static void os_close(struct world *w, int fd)
{
    (void)w;
    close(fd);
}

static int fail_closing(int fd)
{
    int saved = errno;

    close(fd);
    errno = saved;
    return -1;
}

static void set_option(int fd, int level, int name)
{
    int on = 1;

    (void)setsockopt(fd, level, name, &on, sizeof(on));
}

/* A socket file that nobody listens on is what a crash left: out of the way. */
static void remove_stale(const union any_address *a, socklen_t len)
{
    struct stat st;
    int fd;

    if (a->sa.sa_family != AF_UNIX || a->un.sun_path[0] == '\0' ||
        lstat(a->un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, &a->sa, len) != 0 && errno == ECONNREFUSED)
        unlink(a->un.sun_path);
    close(fd);
}

static int bind_masked(int fd, const union any_address *a, socklen_t len, unsigned unix_mask)
{
    mode_t old = umask((mode_t)(~unix_mask & 0777));
    int rc = bind(fd, &a->sa, len);

    umask(old);
    return rc;
}

/* Two names of it, where a folder has two. */
static bool is_one_file(const char *a, const char *b)
{
    struct stat first, second;

    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static bool is_one_unix_address(const struct sockaddr_un *a, const struct sockaddr_un *b)
{
    return memcmp(a->sun_path, b->sun_path, sizeof(a->sun_path)) == 0 ||
           (a->sun_path[0] == '/' && b->sun_path[0] == '/' &&
            is_one_file(a->sun_path, b->sun_path));
}

bool world_os_is_at(int fd, const char *address)
{
    union any_address wanted, bound;
    socklen_t wanted_len = parse_address(address, &wanted), len = sizeof(bound);

    memset(&bound, 0, sizeof(bound));
    if (wanted_len == 0 || getsockname(fd, &bound.sa, &len) != 0 ||
        wanted.sa.sa_family != bound.sa.sa_family)
        return false;
    if (wanted.sa.sa_family == AF_INET)
        return wanted.in.sin_port == bound.in.sin_port &&
               wanted.in.sin_addr.s_addr == bound.in.sin_addr.s_addr;
    if (wanted.sa.sa_family == AF_INET6)
        return wanted.in6.sin6_port == bound.in6.sin6_port &&
               memcmp(&wanted.in6.sin6_addr, &bound.in6.sin6_addr, sizeof(struct in6_addr)) == 0;
    return is_one_unix_address(&wanted.un, &bound.un);
}

void world_os_socket_name(int fd, char *out, size_t size)
{
    union any_address a;
    socklen_t len = sizeof(a);

    memset(&a, 0, sizeof(a));
    if (getsockname(fd, &a.sa, &len) != 0)
        a.sa.sa_family = AF_UNSPEC;
    name_address(&a, out, size);
    if (a.sa.sa_family == AF_UNIX)
        snprintf(out, size, "%s%s", a.un.sun_path[0] == '\0' ? "@" : "",
                 a.un.sun_path + (a.un.sun_path[0] == '\0'));
}

static int os_listen(struct world *w, const char *address, int backlog, unsigned unix_mask)
{
    union any_address a;
    socklen_t len;
    int fd = socket_for(address, &a, &len);

    (void)w;
    if (fd < 0)
        return -1;
    if (a.sa.sa_family == AF_UNIX) {
        remove_stale(&a, len);
    } else {
        set_option(fd, SOL_SOCKET, SO_REUSEADDR);
        set_option(fd, IPPROTO_TCP, TCP_NODELAY);   /* accepted sockets inherit it */
        set_option(fd, SOL_SOCKET, SO_KEEPALIVE);
        if (a.sa.sa_family == AF_INET6)
            set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    }
    if (bind_masked(fd, &a, len, unix_mask) != 0 || listen(fd, backlog) != 0)
        return fail_closing(fd);
    return fd;
}

/* Anybody may take or call an abstract name: only our own user or root is let. */
static bool peer_is_ours(int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
           (cred.uid == geteuid() || cred.uid == 0);
}

static bool is_abstract(int fd)
{
    union any_address a;
    socklen_t len = sizeof(a);

    return getsockname(fd, &a.sa, &len) == 0 && a.sa.sa_family == AF_UNIX &&
           len > offsetof(struct sockaddr_un, sun_path) && a.un.sun_path[0] == '\0';
}

static int os_accept(struct world *w, int fd)
{
    int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)w;
    if (accepted >= 0 && is_abstract(fd) && !peer_is_ours(accepted)) {
        errno = EACCES;
        return fail_closing(accepted);
    }
    return accepted;
}

static int os_connect(struct world *w, const char *address)
{
    union any_address a;
    socklen_t len;
    int fd = socket_for(address, &a, &len);

    (void)w;
    if (fd < 0)
        return -1;
    if (a.sa.sa_family != AF_UNIX)
        set_option(fd, IPPROTO_TCP, TCP_NODELAY);
    if (connect(fd, &a.sa, len) != 0 && errno != EINPROGRESS)
        return fail_closing(fd);
    if (address[0] == '@' && !peer_is_ours(fd)) {
        errno = ECONNREFUSED;
        return fail_closing(fd);
    }
    return fd;
}

static int os_connect_result(struct world *w, int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    (void)w;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

static enum io io_failure(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? IO_AGAIN : IO_FAILED;
}

static enum io os_recv(struct world *w, int fd, void *to, size_t size, size_t *got)
{
    ssize_t n = recv(fd, to, size, 0);

    (void)w;
    if (n < 0)
        return io_failure();
    *got = (size_t)n;
    return n == 0 ? IO_EOF : IO_OK;
}

static enum io os_sendv(struct world *w, int fd, const struct iovec *iov, int n, size_t *sent)
{
    struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };
    ssize_t done;

    (void)w;
    if (n == 1)
        done = send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
    else
        done = sendmsg(fd, &msg, MSG_NOSIGNAL);
    if (done < 0)
        return io_failure();
    *sent = (size_t)done;
    return IO_OK;
}

static void os_peer_name(struct world *w, int fd, char *out, size_t size)
{
    union any_address a;
    socklen_t len = sizeof(a);

    (void)w;
    if (getpeername(fd, &a.sa, &len) != 0)
        a.sa.sa_family = AF_UNSPEC;
    name_address(&a, out, size);
}

/* files */

static int read_all(int fd, char *data, size_t len)
{
    size_t done = 0;
    ssize_t n;

    while (done < len) {
        n = read(fd, data + done, len - done);
        if (n == 0)
            errno = EIO;        /* it shrank while it was read */
        if (n == 0 || (n < 0 && errno != EINTR))
            return -1;
        if (n > 0)
            done += (size_t)n;
    }
    return 0;
}

static int os_load(struct world *w, const char *path, char **data, size_t *len)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    (void)w;
    *data = NULL;
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) != 0)
        return fail_closing(fd);
    *len = (size_t)st.st_size;
    *data = malloc(*len + 1);
    if (*data == NULL || read_all(fd, *data, *len) != 0) {
        free(*data);
        *data = NULL;
        return fail_closing(fd);
    }
    (*data)[*len] = '\0';
    close(fd);
    return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
    ssize_t n;

    while (len > 0) {
        n = write(fd, data, len);
        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
    }
    return fsync(fd);
}

/* The name is on disk only when its folder is. */
static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    int fd, rc;

    if (folder == NULL)
        return -1;
    fd = open(folder, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    free(folder);
    if (fd < 0)
        return -1;
    rc = fsync(fd);
    close(fd);
    return rc;
}

static int os_save(struct world *w, const char *path, const char *data, size_t len)
{
    char temporary[4096];
    int fd;

    (void)w;
    if ((size_t)snprintf(temporary, sizeof(temporary), "%s.new", path) >= sizeof(temporary)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -1;
    if (write_all(fd, data, len) != 0)
        return fail_closing(fd);
    if (close(fd) != 0 || rename(temporary, path) != 0)
        return -1;
    return sync_folder(path);
}

static const struct world_ops os_ops = {
    .mono_ns = os_mono_ns,
    .wall_ms = os_wall_ms,
    .random = os_random,
    .listen = os_listen,
    .accept = os_accept,
    .connect = os_connect,
    .connect_result = os_connect_result,
    .recv = os_recv,
    .sendv = os_sendv,
    .shut = os_shut, .close = os_close,
    .peer_name = os_peer_name,
    .load = os_load,
    .save = os_save,
    .loop_new = world_loop_new,
    .loop_free = world_loop_free,
    .loop_turn = world_loop_turn,
    .loop_wake = world_loop_wake,
    .watch_new = world_watch_new,
    .watch_set = world_watch_set,
    .watch_free = world_watch_free,
    .timer_new = world_timer_new,
    .timer_set = world_timer_set,
    .timer_free = world_timer_free,
};

struct world *world_os(void)
{
    static struct world os = { .ops = &os_ops };

    return &os;
}

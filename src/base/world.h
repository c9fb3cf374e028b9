/*
 * world - time, chance, sockets and files behind one narrow interface
 *
 * Fronts, shards and the leader see the outside through a struct world and
 * nothing else, so that a simulator can take its place: many nodes in one
 * process, a virtual clock, a network that loses and cuts, all from one seed.
 * world_os() is the real one: libevent and the kernel.
 *
 * A loop belongs to one thread, which alone may call it (loop_wake() apart).
 */
#ifndef BASE_WORLD_H
#define BASE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct world;
struct loop;                    /* one thread's events */
struct watch;                   /* interest in one socket */
struct timer;

/* What a socket call came to.  The cause of IO_FAILED is in errno. */
enum io { IO_OK, IO_AGAIN, IO_EOF, IO_FAILED };

enum { WATCH_READ = 1, WATCH_WRITE = 2 };

typedef void watch_fn(void *arg, int what);     /* WATCH_READ and/or WATCH_WRITE */
typedef void timer_fn(void *arg);

/*
 * Addresses are text: "127.0.0.1:11211", "[::1]:11211", "/run/x.sock" or
 * "@name" (an abstract Unix socket).  No names are looked up.
 */
#define ADDRESS_MAX 128

struct world_ops {
    /* time: monotonic nanoseconds; milliseconds since 1970, for the start only */
    int64_t (*mono_ns)(struct world *w);
    int64_t (*wall_ms)(struct world *w);
    /* chance */
    void (*random)(struct world *w, void *out, size_t len);

    /* sockets, all non-blocking; a number below 0 is a failure, see errno */
    /* unix_mask: permissions of a socket file (0700); a stale file is replaced */
    int (*listen)(struct world *w, const char *address, int backlog, unsigned unix_mask);
    int (*accept)(struct world *w, int fd);
    int (*connect)(struct world *w, const char *address);
    int (*connect_result)(struct world *w, int fd);     /* 0, or the errno */
    enum io (*recv)(struct world *w, int fd, void *to, size_t size, size_t *got);
    enum io (*sendv)(struct world *w, int fd, const struct iovec *iov, int n, size_t *sent);
    /* Nothing more is sent: the other end reads what was, and then the end. */
    void (*shut)(struct world *w, int fd);
    void (*close)(struct world *w, int fd);
    /* Who is at the other end, as an address; "unix" where it has none. */
    void (*peer_name)(struct world *w, int fd, char *out, size_t size);

    /* files, whole: save is atomic and on disk when it returns; 0 or -1 */
    int (*load)(struct world *w, const char *path, char **data, size_t *len);
    int (*save)(struct world *w, const char *path, const char *data, size_t len);

    /* the loop; _new answers NULL when memory is short.  `restless`: what is watched
     * for changes many times a turn, and back, as HTTP does it */
    struct loop *(*loop_new)(struct world *w, bool restless);
    void (*loop_free)(struct loop *l);
    /* Waits for events (not at all with `poll`), runs their callbacks, returns. */
    void (*loop_turn)(struct loop *l, bool poll);
    /* From any thread: the turn that waits, or the next one, returns. */
    void (*loop_wake)(struct loop *l);

    struct watch *(*watch_new)(struct loop *l, int fd, watch_fn *fn, void *arg);
    void (*watch_set)(struct watch *w, int what);       /* 0: nothing */
    void (*watch_free)(struct watch *w);

    struct timer *(*timer_new)(struct loop *l, timer_fn *fn, void *arg);
    void (*timer_set)(struct timer *t, int64_t after_ms);       /* < 0: stop */
    void (*timer_free)(struct timer *t);
};

struct world { const struct world_ops *ops; };

/* The kernel's.  Lives as long as the process. */
struct world *world_os(void);

#endif

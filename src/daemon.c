#include "daemon.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"

#define EXIT_OS 71              /* EX_OSERR */
#define EXIT_NO_USER 67         /* EX_NOUSER */

/* Beside clients: links, listeners, loops, standard streams. */
#define DESCRIPTORS_ASIDE 512

void daemon_raise_descriptors(const struct options *o)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)o->conn_limit + DESCRIPTORS_ASIDE;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted)
        limit.rlim_max = wanted;        /* root may; for others: as far as it goes */
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_cur < wanted)
            log_warn("main", "fewer descriptors than --conn-limit needs have=%llu want=%llu",
                     (unsigned long long)limit.rlim_cur, (unsigned long long)wanted);
    }
}

int daemon_limits(const struct options *o)
{
    struct rlimit cores = { RLIM_INFINITY, RLIM_INFINITY };

    daemon_raise_descriptors(o);
    if (o->enable_coredumps) {
        if (setrlimit(RLIMIT_CORE, &cores) != 0) {
            log_error("main", "core files cannot be enabled: %s", strerror(errno));
            return EXIT_OS;
        }
    } else {
        prctl(PR_SET_DUMPABLE, 0);      /* a core file would hold everybody's items */
    }
    if (o->lock_memory && mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        log_warn("main", "memory cannot be locked: %s", strerror(errno));
    return 0;
}

/* The parent's part: it ends when the daemon runs, or has failed. */
static void wait_for_daemon(int fd, pid_t pid)
{
    char byte;
    int status;

    if (read(fd, &byte, 1) == 1)
        _exit(0);
    _exit(waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_OS);
}

int daemon_detach(const struct options *o, int *parent_fd)
{
    int fds[2];
    pid_t pid;

    if (!o->daemon)
        return 0;
    if (pipe2(fds, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
        log_error("main", "cannot go into the background: %s", strerror(errno));
        return EXIT_OS;
    }
    if (pid > 0) {
        close(fds[1]);
        wait_for_daemon(fds[0], pid);
    }
    close(fds[0]);
    setsid();
    *parent_fd = fds[1];
    return 0;
}

void daemon_tell_parent(int parent_fd)
{
    int null;

    if (parent_fd < 0)
        return;
    null = open("/dev/null", O_RDWR);
    if (null >= 0) {            /* the terminal is not ours any more */
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        if (null > STDERR_FILENO)
            close(null);
    }
    (void)!write(parent_fd, "", 1);
    close(parent_fd);
}

int daemon_drop_privileges(const struct options *o)
{
    const char *name = o->user[0] != '\0' ? o->user : "chcached";
    const struct passwd *pw;

    if (geteuid() != 0)
        return 0;
    pw = getpwnam(name);
    if (pw == NULL && o->user[0] == '\0') {
        log_warn("main", "going on as root: there is no user chcached, and no --user");
        return 0;
    }
    if (pw == NULL) {
        log_error("main", "there is no user %s", name);
        return EXIT_NO_USER;
    }
    if (initgroups(name, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0 ||
        (pw->pw_uid != 0 && setuid(0) == 0)) {
        log_error("main", "cannot become user %s: %s", name, strerror(errno));
        return EXIT_OS;
    }
    return 0;
}

int daemon_write_pidfile(const struct options *o)
{
    FILE *f;

    if (o->pidfile[0] == '\0')
        return 0;
    f = fopen(o->pidfile, "we");
    if (f == NULL || fprintf(f, "%d\n", (int)getpid()) < 0 || fclose(f) != 0) {
        log_error("main", "cannot write the pid file: %s file=%s", strerror(errno), o->pidfile);
        return EXIT_OS;
    }
    return 0;
}

void daemon_remove_pidfile(const struct options *o)
{
    if (o->pidfile[0] != '\0')
        (void)unlink(o->pidfile);
}

/* who holds a port: /proc/net/tcp tells the socket's inode, /proc/PID/fd whose it is */

static unsigned long inode_of_port(uint32_t port)
{
    char line[512];
    unsigned local_port, state;
    unsigned long inode = 0, found = 0;
    FILE *f = fopen("/proc/net/tcp", "re");

    while (f != NULL && found == 0 && fgets(line, sizeof(line), f) != NULL)
        if (sscanf(line, " %*u: %*x:%x %*x:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu", &local_port,
                   &state, &inode) == 3 && local_port == port && state == 0x0a)
            found = inode;
    if (f != NULL)
        fclose(f);
    return found;
}

static bool holds(const char *pid, const char *wanted)
{
    char path[512], link[64];
    const struct dirent *e;
    DIR *dir;
    ssize_t n;
    bool found = false;

    snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    dir = opendir(path);
    while (dir != NULL && !found && (e = readdir(dir)) != NULL) {
        snprintf(path, sizeof(path), "/proc/%.20s/fd/%.20s", pid, e->d_name);
        n = readlink(path, link, sizeof(link) - 1);
        if (n > 0) {
            link[n] = '\0';
            found = strcmp(link, wanted) == 0;
        }
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

static void describe(const char *pid, char *out, size_t size)
{
    char path[64], name[64] = "";
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
    f = fopen(path, "re");
    if (f != NULL) {
        if (fgets(name, sizeof(name), f) != NULL)
            name[strcspn(name, "\n")] = '\0';
        fclose(f);
    }
    snprintf(out, size, "%s, pid %.20s", name[0] != '\0' ? name : "a process", pid);
}

bool daemon_port_owner(const char *address, char *out, size_t size)
{
    const char *colon = strrchr(address, ':');
    const struct dirent *e;
    unsigned long inode;
    char wanted[64];
    uint32_t port;
    bool found = false;
    DIR *proc;

    if (colon == NULL || !num_parse_u32(colon + 1, strlen(colon + 1), &port) ||
        (inode = inode_of_port(port)) == 0 || (proc = opendir("/proc")) == NULL)
        return false;
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    while (!found && (e = readdir(proc)) != NULL) {
        found = isdigit((unsigned char)e->d_name[0]) && holds(e->d_name, wanted);
        if (found)
            describe(e->d_name, out, size);
    }
    closedir(proc);
    return found;
}

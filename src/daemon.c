#include "daemon.h"

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
#include "base/mem.h"

#define EXIT_OS 71              /* EX_OSERR */
#define EXIT_NO_USER 67         /* EX_NOUSER */

/* Beside clients: operators, links, listeners, loops, standard streams. */
#define DESCRIPTORS_ASIDE 768

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
            log_warn("main", "fewer descriptors than --conn-limit needs, raise LimitNOFILE "
                     "(ulimit -n) or lower it have=%llu want=%llu",
                     (unsigned long long)limit.rlim_cur, (unsigned long long)wanted);
    }
}

/* A core file would hold everybody's items.  The kernel forgets what was said when
 * the user changes, and by an exec. */
static void allow_cores(const struct options *o)
{
    prctl(PR_SET_DUMPABLE, o->enable_coredumps ? 1 : 0);
}

/* Without a limit; and as who it is by now, who may have lost the right to more than
 * the limit.  A capability says little where a container has users of its own: only
 * who has it in the whole machine locks anything under a limit of 0. */
static bool may_lock_all(void)
{
    struct rlimit limit, none;
    char probe = 0;
    int error;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        return false;
    if (limit.rlim_cur == RLIM_INFINITY)
        return true;
    none = (struct rlimit){ 0, limit.rlim_max };
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0)
        return false;
    error = mlock(&probe, sizeof(probe)) != 0 ? errno : 0;
    if (error == 0)
        (void)munlock(&probe, sizeof(probe));
    (void)setrlimit(RLIMIT_MEMLOCK, &limit);
    errno = error;
    return error == 0;
}

/* What is reserved for items counts in whole as it is mapped, so any limit is too low,
 * and would end the start later. */
void daemon_lock_memory(const struct options *o)
{
    if (o->lock_memory && (!may_lock_all() || mlockall(MCL_CURRENT | MCL_FUTURE) != 0))
        log_warn("main", "memory cannot be locked and may be swapped out, set LimitMEMLOCK "
                 "(ulimit -l) to infinity: %s", strerror(errno));
}

int daemon_limits(const struct options *o)
{
    const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

    daemon_raise_descriptors(o);
    if (o->enable_coredumps) {
        if (setrlimit(RLIMIT_CORE, &all) != 0) {
            log_fail("core files cannot be enabled: %s. Raise LimitCORE (ulimit -c) or leave out "
                     "--enable-coredumps.", strerror(errno));
            return EXIT_OS;
        }
    }
    allow_cores(o);
    if (o->lock_memory)         /* as long as we may be root; see daemon_lock_memory() */
        (void)setrlimit(RLIMIT_MEMLOCK, &all);
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
        log_fail("cannot go into the background: %s", strerror(errno));
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
        log_warn("main", "going on as root: there is no user chcached, name one with --user");
        return 0;
    }
    if (pw == NULL) {
        log_fail("there is no user %s. Make it (useradd --system %s) or name another with "
                 "--user.", name, name);
        return EXIT_NO_USER;
    }
    if (initgroups(name, pw->pw_gid) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0 ||
        (pw->pw_uid != 0 && setuid(0) == 0)) {
        log_fail("cannot become user %s: %s", name, strerror(errno));
        return EXIT_OS;
    }
    allow_cores(o);
    return 0;
}

int daemon_check_state_dir(const struct options *o)
{
    char *folder;
    int rc;

    if (!options_leads(o) || o->state_dir[0] == '\0' || o->local_shards > 0)
        return 0;
    folder = xasprintf("%s/.", o->state_dir);
    rc = access(folder, R_OK | W_OK | X_OK);
    free(folder);
    if (rc == 0)
        return 0;
    log_fail("cannot keep the map in %s: %s. It must be a folder that user %u may write: make it, "
             "or name another with --state-dir.", o->state_dir, strerror(errno),
             (unsigned)geteuid());
    return EXIT_OS;
}

void daemon_set_log(const struct options *o)
{
    enum log_level level = LOG_INFO;
    enum log_format format = LOG_TEXT;

    (void)log_level_of_word(o->log_level, &level);      /* they were checked */
    (void)log_format_of_word(o->log_format, &format);
    log_set_level(level);
    log_set_format(format);
    log_set_verbose(o->verbose > 0);
}

/* Another program in this process wrote it, which may have had more rights. */
static bool is_written(const char *pidfile)
{
    FILE *f = fopen(pidfile, "re");
    int pid = 0;

    if (f != NULL && fscanf(f, "%d", &pid) != 1)
        pid = 0;
    if (f != NULL)
        fclose(f);
    return pid == (int)getpid();
}

int daemon_write_pidfile(const struct options *o)
{
    FILE *f;

    if (o->pidfile[0] == '\0' || is_written(o->pidfile))
        return 0;
    f = fopen(o->pidfile, "we");
    if (f == NULL || fprintf(f, "%d\n", (int)getpid()) < 0 || fclose(f) != 0) {
        log_fail("cannot write the pid file %s: %s. Name another with --pidfile.", o->pidfile,
                 strerror(errno));
        return EXIT_OS;
    }
    return 0;
}

void daemon_remove_pidfile(const struct options *o)
{
    if (o->pidfile[0] != '\0')
        (void)unlink(o->pidfile);
}

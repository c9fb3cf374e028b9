#include "ctl/config_check.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#define SAID_MAX 8192

/* The one that was built, or installed, with this program; free() it. */
static char *find_chcached(void)
{
    const char *named = getenv("CHCACHED");
    char self[PATH_MAX], *slash, *path;
    ssize_t len;

    if (named != NULL && *named != '\0')
        return xstrdup(named);
    len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[len > 0 ? len : 0] = '\0';
    if ((slash = strrchr(self, '/')) != NULL) {
        *slash = '\0';
        path = xasprintf("%s/chcached", self);
        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    if (access(SBINDIR "/chcached", X_OK) == 0)
        return xstrdup(SBINDIR "/chcached");
    return xstrdup("chcached");
}

/* In the child: both of its outputs go to `out`. */
static void become(const char *program, const struct ctl *ctl, const char *file, int out)
{
    const char *args[] = { program, "--test-config", "--config", file,
                           ctl->name != NULL ? "--name" : NULL, ctl->name, NULL };

    if (dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0)
        execvp(program, (char *const *)args);
    _exit(127);
}

/* Its exit status; -1: it could not be run. */
static int run(const char *program, const struct ctl *ctl, const char *file, char *said)
{
    size_t len = 0;
    ssize_t n = 1;
    int ends[2], status;
    pid_t child;

    if (pipe(ends) != 0)
        return -1;
    child = fork();
    if (child == 0)
        become(program, ctl, file, ends[1]);
    close(ends[1]);
    while (child > 0 && n > 0 && len < SAID_MAX - 1) {
        n = read(ends[0], said + len, SAID_MAX - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    close(ends[0]);
    said[len] = '\0';
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)
        || WEXITSTATUS(status) == 127)
        return -1;
    return WEXITSTATUS(status);
}

int config_check(const struct ctl *ctl, char **argv)
{
    char *program = find_chcached(), said[SAID_MAX], *end;
    int rc = run(program, ctl, argv[0], said);

    if (rc >= 0 && (end = strrchr(said, '\n')) != NULL && end[1] == '\0')
        *end = '\0';
    if (rc < 0)
        rc = say(NO, "%s could not be run: is chcached installed? CHCACHED may name it", program);
    else if (ctl->json)
        (void)say_json(rc, json_pack("{s:s, s:b, s:s*}", "file", argv[0], "ok", rc == 0,
                                     "words", said));
    else
        fprintf(rc == 0 ? stdout : stderr, "%s\n", said);
    free(program);
    return rc;
}

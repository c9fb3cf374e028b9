#include "port_owner.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"

/*
 *      /proc/net/tcp, tcp6, unix: address --> inode of the socket that listens
 *      /proc/PID/fd:              inode --> process
 */

#define LISTENS_TCP 0x0a        /* TCP_LISTEN */
#define LISTENS_UNIX 0x10000    /* __SO_ACCEPTCON */
#define HEX_MAX 33

/* An address as /proc writes it: words of 32 bits, each in the host's order. */
struct wanted {
    char hex[HEX_MAX];          /* 8 digits, or 32 of IPv6 */
    unsigned port;
};

static bool parse(const char *address, struct wanted *w)
{
    const char *colon = strrchr(address, ':');
    const bool six = address[0] == '[';
    uint32_t words[4], port;
    char host[INET6_ADDRSTRLEN + 2] = "";
    size_t len;

    if (colon == NULL || !num_parse_u32(colon + 1, strlen(colon + 1), &port))
        return false;
    len = (size_t)(colon - address) - (six ? 2 : 0);
    if (len >= sizeof(host))
        return false;
    memcpy(host, address + six, len);
    if (inet_pton(six ? AF_INET6 : AF_INET, host, words) != 1)
        return false;
    for (size_t i = 0; i < (six ? 4 : 1); i++)
        snprintf(w->hex + 8 * i, HEX_MAX - 8 * i, "%08X", words[i]);
    w->port = port;
    return true;
}

static bool is_any(const char *hex)
{
    return hex[strspn(hex, "0")] == '\0';
}

/* One of all addresses takes the port of each; an IPv4 one may be written as IPv6. */
static bool is_taken_by(const struct wanted *w, const char *hex)
{
    static const char mapped[] = "0000000000000000FFFF0000";

    if (strlen(w->hex) == 8 && strncmp(hex, mapped, strlen(mapped)) == 0)
        hex += strlen(mapped);
    return is_any(hex) || (strlen(hex) == strlen(w->hex) &&
                           (is_any(w->hex) || strcmp(hex, w->hex) == 0));
}

/* 0: none is found. */
static unsigned long inode_of_tcp(const char *table, const struct wanted *w)
{
    char line[512], hex[HEX_MAX];
    unsigned port, state;
    unsigned long inode, found = 0;
    FILE *f = fopen(table, "re");

    while (f != NULL && found == 0 && fgets(line, sizeof(line), f) != NULL)
        if (sscanf(line, " %*u: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu",
                   hex, &port, &state, &inode) == 4 &&
            port == w->port && state == LISTENS_TCP && is_taken_by(w, hex))
            found = inode;
    if (f != NULL)
        fclose(f);
    return found;
}

static unsigned long inode_of_unix(const char *path)
{
    char line[512];
    unsigned flags;
    unsigned long inode, found = 0;
    int at;
    FILE *f = fopen("/proc/net/unix", "re");

    while (f != NULL && found == 0 && fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        at = 0;
        if (sscanf(line, "%*x: %*x %*x %x %*x %*x %lu %n", &flags, &inode, &at) == 2 && at > 0 &&
            (flags & LISTENS_UNIX) != 0 && strcmp(line + at, path) == 0)
            found = inode;
    }
    if (f != NULL)
        fclose(f);
    return found;
}

static unsigned long inode_of(const char *address)
{
    struct wanted w;
    unsigned long inode;

    if (address[0] == '/' || address[0] == '@')
        return inode_of_unix(address);
    if (!parse(address, &w))
        return 0;
    inode = inode_of_tcp("/proc/net/tcp", &w);
    return inode != 0 ? inode : inode_of_tcp("/proc/net/tcp6", &w);
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

bool port_owner(const char *address, char *out, size_t size)
{
    const unsigned long inode = inode_of(address);
    const struct dirent *e;
    char wanted[64];
    bool found = false;
    DIR *proc;

    if (inode == 0 || (proc = opendir("/proc")) == NULL)
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

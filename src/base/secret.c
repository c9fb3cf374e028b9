#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *secret_parse(const char *text, size_t len, char *out)
{
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (len < SECRET_MIN)
        return "it is too short, expected a line of at least 16 bytes, as openssl rand -hex 32 "
               "makes them";
    if (len > SECRET_MAX)
        return "it is too long, expected a line of at most 512 bytes";
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return "it is not one word, expected letters, digits and signs without a blank";
    memcpy(out, text, len);
    out[len] = '\0';
    return NULL;
}

static const char *read_from(int fd, char *out)
{
    char text[SECRET_MAX + 3];
    struct stat st;
    ssize_t len;

    if (fstat(fd, &st) != 0)
        return strerror(errno);
    if (!S_ISREG(st.st_mode))
        return "it is no file";
    if ((st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) != 0)
        return "others may read or write it, try chmod 640";
    len = read(fd, text, sizeof(text));
    return len < 0 ? strerror(errno) : secret_parse(text, (size_t)len, out);
}

const char *secret_read(const char *path, char *out)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const char *why;

    if (fd < 0)
        return strerror(errno);
    why = read_from(fd, out);
    close(fd);
    return why;
}

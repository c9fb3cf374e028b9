#include "kept_file.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/num.h"

#define FORMAT "chcached 1"
#define TITLE FORMAT "\n"
#define LINE_MAX_BYTES 512

const char *kept_file_format(void)
{
    return FORMAT;
}

/* ---- writing --------------------------------------------------------------- */

void kept_file_begin(FILE *file)
{
    fputs(TITLE, file);
}

void kept_file_put(FILE *file, const struct kept_item *i)
{
    if (i->kind == KEPT_SOCKET)
        fprintf(file, "socket %d %s\n", i->fd, i->name);
    else if (i->kind == KEPT_MAP)
        fprintf(file, "map %s %zu\n", i->name, i->in_len);
    else
        fprintf(file, "client %d %zu %zu\n", i->fd, i->in_len, i->out_len);
}

/* ---- reading --------------------------------------------------------------- */

static bool take(const char **at, const char *word)
{
    const size_t len = strlen(word);

    if (strncmp(*at, word, len) != 0)
        return false;
    *at += len;
    return true;
}

/* Up to the next blank, or the end of the line, which is not taken. */
static size_t word_len(const char *at)
{
    return strcspn(at, " \n");
}

static bool take_number(const char **at, uint64_t max, uint64_t *n)
{
    const size_t len = word_len(*at);

    if (!num_parse_u64(*at, len, n) || *n > max)
        return false;
    *at += len;
    return true;
}

static bool take_fd(const char **at, int *fd)
{
    uint64_t n;

    if (!take_number(at, INT_MAX, &n))
        return false;
    *fd = (int)n;
    return true;
}

static bool take_len(const char **at, size_t *len)
{
    uint64_t n;

    if (!take_number(at, LONG_MAX, &n))
        return false;
    *len = (size_t)n;
    return true;
}

static bool take_name(const char **at, char *name)
{
    const size_t len = word_len(*at);

    if (len == 0 || len > KEPT_NAME_MAX)
        return false;
    memcpy(name, *at, len);
    name[len] = '\0';
    *at += len;
    return true;
}

static bool read_line(const char *at, struct kept_item *i)
{
    *i = (struct kept_item){ .fd = -1 };
    if (take(&at, "socket ")) {
        i->kind = KEPT_SOCKET;
        return take_fd(&at, &i->fd) && take(&at, " ") && take_name(&at, i->name) &&
               strcmp(at, "\n") == 0;
    }
    if (take(&at, "map ")) {
        i->kind = KEPT_MAP;
        return take_name(&at, i->name) && take(&at, " ") && take_len(&at, &i->in_len) &&
               strcmp(at, "\n") == 0;
    }
    i->kind = KEPT_CLIENT;
    return take(&at, "client ") && take_fd(&at, &i->fd) && take(&at, " ") &&
           take_len(&at, &i->in_len) && take(&at, " ") && take_len(&at, &i->out_len) &&
           strcmp(at, "\n") == 0;
}

bool kept_file_next(FILE *file, struct kept_item *i)
{
    char line[LINE_MAX_BYTES];

    return fgets(line, sizeof(line), file) != NULL && read_line(line, i);
}

void kept_file_skip(FILE *file, const struct kept_item *i)
{
    (void)fseek(file, (long)(i->in_len + i->out_len), SEEK_CUR);
}

static bool has_title(FILE *file)
{
    char title[sizeof(TITLE)];

    return fgets(title, sizeof(title), file) != NULL && strcmp(title, TITLE) == 0;
}

/* Its bytes are there, and it may stand behind the one before. */
static bool fits(const struct kept_item *i, int before, size_t left)
{
    return i->in_len <= left && i->out_len <= left - i->in_len &&
           ((int)i->kind > before || ((int)i->kind == before && i->kind != KEPT_MAP));
}

static bool check_items(FILE *file, long size)
{
    struct kept_item i;
    int before = -1;

    while (ftell(file) < size) {
        if (!kept_file_next(file, &i) || !fits(&i, before, (size_t)(size - ftell(file))))
            return false;
        kept_file_skip(file, &i);
        before = (int)i.kind;
    }
    return true;
}

bool kept_file_check(FILE *file)
{
    long size, items;

    if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0)
        return false;
    rewind(file);
    if (!has_title(file))
        return false;
    items = ftell(file);
    return check_items(file, size) && fseek(file, items, SEEK_SET) == 0;
}

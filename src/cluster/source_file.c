#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/source.h"

#define FILE_NAME "map.state"

struct source_file {
    struct source source;
    struct world *world;
    char path[];
};

static bool load(struct source *source, char **data, size_t *len, const char **why)
{
    struct source_file *s = (struct source_file *)source;

    *data = NULL;
    *len = 0;
    if (s->world->ops->load(s->world, s->path, data, len) == 0)
        return true;
    *why = strerror(errno);
    return errno == ENOENT;
}

static bool save(struct source *source, const char *data, size_t len)
{
    struct source_file *s = (struct source_file *)source;

    return s->world->ops->save(s->world, s->path, data, len) == 0;
}

static void source_file_free(struct source *source)
{
    free(source);
}

struct source *source_file_new(struct world *w, const char *folder)
{
    const size_t size = strlen(folder) + sizeof("/" FILE_NAME);
    struct source_file *s = malloc(sizeof(*s) + size);

    if (s == NULL)
        return NULL;
    s->source = (struct source){ load, save, source_file_free };
    s->world = w;
    snprintf(s->path, size, "%s/" FILE_NAME, folder);
    return &s->source;
}

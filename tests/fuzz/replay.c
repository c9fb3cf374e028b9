/*
 * replay - a fuzz target without a fuzzer
 *
 * Runs the target it is linked with over the files given, and over those in
 * the folders given, so that what a fuzzer once found stays found wherever the
 * tests run.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned n_replayed;

static void die(const char *path)
{
    fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    exit(1);
}

/* The input has a block of just its size: a sanitizer sees who reads on. */
static void replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size > 0 ? size : 1);

    if (file == NULL || data == NULL || fread(data, 1, size, file) != size)
        die(path);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    n_replayed++;
}

static void replay(const char *path);

static void replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    struct dirent *entry;
    char *name;

    if (folder == NULL)
        die(path);
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        if (asprintf(&name, "%s/%s", path, entry->d_name) < 0)
            die(path);
        replay(name);
        free(name);
    }
    closedir(folder);
}

static void replay(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        die(path);
    if (S_ISDIR(st.st_mode))
        replay_folder(path);
    else
        replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    printf("%u inputs replayed\n", n_replayed);
    return n_replayed > 0 ? 0 : 1;
}

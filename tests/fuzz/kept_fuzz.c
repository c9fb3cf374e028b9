/*
 * kept_fuzz - what the program before this one is said to have kept
 *
 * Beside the sanitizers: of a file that is taken all bytes are of its items, and
 * these, written again, are taken too and are the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kept_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* A file as an upgrade has it. */
static FILE *file_of(const void *data, size_t size)
{
    FILE *file = fdopen(memfd_create("kept-fuzz", MFD_CLOEXEC), "w+");

    check(file != NULL);
    check(fwrite(data, 1, size, file) == size && fflush(file) == 0);
    return file;
}

static void copy_bytes(FILE *from, FILE *to, size_t n)
{
    while (n-- > 0) {
        const int c = getc(from);

        check(c != EOF);
        check(putc(c, to) == c);
    }
}

/* Each item of it, and its bytes; its length in `len`. */
static char *write_again(FILE *file, size_t *len)
{
    struct kept_item i;
    char *bytes = NULL;
    FILE *out = open_memstream(&bytes, len);

    check(out != NULL);
    kept_file_begin(out);
    while (kept_file_next(file, &i)) {
        check(i.kind == KEPT_MAP || i.fd >= 0);
        check((i.kind == KEPT_CLIENT) == (i.name[0] == '\0'));
        kept_file_put(out, &i);
        copy_bytes(file, out, i.in_len + i.out_len);
    }
    check(getc(file) == EOF);
    check(fclose(out) == 0);
    return bytes;
}

static void come_back(const char *bytes, size_t len)
{
    FILE *file = file_of(bytes, len);
    size_t again_len;
    char *again;

    check(kept_file_check(file));
    again = write_again(file, &again_len);
    check(again_len == len && memcmp(again, bytes, len) == 0);
    free(again);
    fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FILE *file = file_of(data, size);
    size_t len;
    char *bytes;

    if (kept_file_check(file)) {
        bytes = write_again(file, &len);
        check(len <= size);
        come_back(bytes, len);
        free(bytes);
    }
    fclose(file);
    return 0;
}

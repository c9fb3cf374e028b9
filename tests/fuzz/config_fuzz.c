/*
 * config_fuzz - a file of settings, whatever is in it
 *
 * Beside the sanitizers: lines count up, what is handed on is text, one complaint
 * ends it, and a setting comes back from a file of that one line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    unsigned line;
    bool ended;
    const char *name, *value;   /* of the one line that is to come back; or NULL */
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static int read_bytes(const void *data, size_t size, struct seen *seen);

static void next(struct seen *s, unsigned line)
{
    check(!s->ended && line >= s->line && line > 0);
    s->line = line;
}

static void check_text(const char *text)
{
    const size_t len = strlen(text);

    check(len <= CONFIG_QUOTED_LINE_MAX);
    for (size_t i = 0; i < len; i++)
        check((unsigned char)text[i] >= ' ' || text[i] == '\t');
}

static int on_section(void *arg, unsigned line, const char *word, const char *name)
{
    next(arg, line);
    check_text(word);
    check(*word != '\0' && strpbrk(word, " \t\"]") == NULL);
    if (name != NULL)
        check_text(name);
    return 0;
}

static void come_back(const char *name, const char *value)
{
    char line[4 * CONFIG_QUOTED_LINE_MAX];
    struct seen seen = { .name = name, .value = value };
    char *quoted = config_file_quote(value);
    int len = snprintf(line, sizeof(line), "%s = %s\n", name, quoted);

    if (len <= CONFIG_LINE_MAX || (quoted[0] == '"' && len <= CONFIG_QUOTED_LINE_MAX))
        check(read_bytes(line, (size_t)len, &seen) == 0 && seen.line == 1);
    free(quoted);
}

static int on_setting(void *arg, unsigned line, const char *name, const char *value)
{
    struct seen *s = arg;

    next(s, line);
    check_text(name);
    check_text(value);
    if (s->name != NULL)
        check(strcmp(name, s->name) == 0 && strcmp(value, s->value) == 0);
    else if (name[0] != '\0' && strspn(name, "abcdefghijklmnopqrstuvwxyz-") == strlen(name))
        come_back(name, value);
    return 0;
}

static int on_bad(void *arg, unsigned line, const char *why)
{
    struct seen *s = arg;

    next(s, line);
    check(why[0] != '\0');
    s->ended = true;
    return 1;
}

static int read_bytes(const void *data, size_t size, struct seen *seen)
{
    const struct config_handler handler = { on_section, on_setting, on_bad, seen };
    FILE *in = fmemopen((void *)(uintptr_t)data, size, "r");
    int rc;

    check(in != NULL);
    rc = config_file_read(in, &handler);
    check((rc != 0) == seen->ended);
    fclose(in);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct seen seen = { .line = 0 };

    if (size > 0)
        (void)read_bytes(data, size, &seen);
    return 0;
}

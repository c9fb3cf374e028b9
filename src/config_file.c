#include "config_file.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <string.h>

#define BLANKS " \t"
#define BOM "\xef\xbb\xbf"

struct reader {
    FILE *in;
    const struct config_handler *handler;
    unsigned line;              /* the one that inih has got, from 1 */
    bool wants_setting;         /* inih is to make one of it, and has not */
    bool has_name;              /* since the heading: what is indented belongs to it */
    int rc;                     /* not 0: read no more */
};

static int bad(struct reader *r, const char *why)
{
    return r->handler->bad(r->handler->arg, r->line, why);
}

static bool is_line_end(FILE *in)
{
    int c = getc(in);

    if (c != EOF)
        ungetc(c, in);
    return c == '\n' || c == EOF;
}

static bool is_comment(const char *line)
{
    const char first = line[strspn(line, BLANKS)];

    return first == ';' || first == '#' || first == '\0';
}

/*
 * One line into `line` (`size` bytes), without its end.  False at the end of the
 * file and where r->rc says so.
 */
static bool read_line(struct reader *r, char *line, size_t size)
{
    size_t len = 0;
    int c;

    r->line++;
    while ((c = getc(r->in)) != EOF && c != '\n') {
        if (c == '\r' && is_line_end(r->in))
            continue;
        if ((c < ' ' && c != '\t') || c == 0x7f) {
            r->rc = bad(r, "read a control character, expected text");
            return false;
        }
        if (len < size - 1)
            line[len] = (char)c;
        len++;
    }
    if (ferror(r->in))
        r->rc = bad(r, strerror(errno));
    else if (c != EOF || len > 0)
        line[len < size ? len : size - 1] = '\0';
    else
        return false;
    if (r->rc == 0 && len >= size && !is_comment(line)) {
        char why[80];

        snprintf(why, sizeof(why), "read a line of %zu characters, expected %zu at most", len,
                 size - 1);
        r->rc = bad(r, why);
    }
    return r->rc == 0;
}

/* The end of the word that begins at `p`, and what stands behind it. */
static char *end_word(char *p, const char *ends, char **behind)
{
    char *end = p + strcspn(p, ends);

    *behind = end + strspn(end, BLANKS);
    return end;
}

/* [word] or [word "name"], and nothing behind it but a comment. */
static int read_heading(struct reader *r, char *line)
{
    char *word = line + 1 + strspn(line + 1, BLANKS), *name = NULL, *name_end = NULL, *p;
    char *word_end = end_word(word, BLANKS "\"]", &p);

    if (*p == '"') {
        name = p + 1;
        name_end = strchr(name, '"');
        if (name_end == NULL)
            return bad(r, "a name has no quote behind it, expected [section \"name\"]");
        p = name_end + 1;
        p += strspn(p, BLANKS);
    }
    if (*p != ']' || word_end == word || !is_comment(p + 1))
        return bad(r, "expected [section] or [section \"name\"]");
    *word_end = '\0';
    if (name != NULL)
        *name_end = '\0';
    return r->handler->section(r->handler->arg, r->line, word, name);
}

/* As inih does: an indented line goes on with the value above it, if there is one. */
static bool is_heading(const struct reader *r, const char *line)
{
    size_t indent = strspn(line, BLANKS);

    return line[indent] == '[' && (indent == 0 || !r->has_name);
}

/* inih r55 leaves it behind an indented value. */
static void cut_comment(char *line)
{
    char *p = line;

    while ((p = strchr(p + 1, ';')) != NULL && strchr(BLANKS, p[-1]) == NULL)
        ;
    if (p != NULL)
        *p = '\0';
}

/* inih's reader, like fgets(). */
static char *next_line(char *line, int size, void *arg)
{
    struct reader *r = arg;

    if (r->rc == 0 && r->wants_setting)
        r->rc = bad(r, "expected name = value, or a [section]");
    if (r->rc != 0 || !read_line(r, line, (size_t)size))
        return NULL;
    if (r->line == 1 && strncmp(line, BOM, strlen(BOM)) == 0)
        memmove(line, line + strlen(BOM), strlen(line + strlen(BOM)) + 1);
    r->wants_setting = false;
    if (is_heading(r, line)) {
        r->rc = read_heading(r, line + strspn(line, BLANKS));
        r->has_name = false;
        strcpy(line, "[.]");    /* inih is to forget the name above, and no more */
    } else if (is_comment(line)) {
        line[0] = '\0';
    } else {
        r->wants_setting = true;
        cut_comment(line);
    }
    return r->rc == 0 ? line : NULL;
}

static int on_setting(void *arg, const char *section, const char *name, const char *value)
{
    struct reader *r = arg;

    (void)section;              /* cut to 49 bytes */
    r->wants_setting = false;
    r->has_name = *name != '\0';
    r->rc = r->handler->setting(r->handler->arg, r->line, name, value);
    return r->rc == 0;
}

int config_file_read(FILE *in, const struct config_handler *handler)
{
    struct reader r = { .in = in, .handler = handler };

    static_assert(CONFIG_LINE_MAX == INI_MAX_LINE - 1, "lines are as long as inih takes them");
    (void)ini_parse_stream(next_line, &r, on_setting, &r);
    return r.rc;
}

bool config_file_can_hold(const char *value)
{
    size_t len = strlen(value);

    if (len == 0 || strchr(BLANKS, value[0]) != NULL || strchr(BLANKS, value[len - 1]) != NULL)
        return false;
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)value[i];

        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
        if (c == ';' && i > 0 && strchr(BLANKS, value[i - 1]) != NULL)
            return false;
    }
    return len < CONFIG_LINE_MAX - 40;      /* and its name */
}

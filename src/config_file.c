#include "config_file.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BLANKS " \t"
#define BOM "\xef\xbb\xbf"

struct reader {
    FILE *in;
    const struct config_handler *handler;
    unsigned line;              /* the one that inih has got, from 1 */
    bool wants_setting;         /* inih is to make one of it, and has not */
    bool is_quoted;             /* its value is the text below, not what inih has got */
    bool has_name;              /* since the heading: what is indented belongs to it */
    int rc;                     /* not 0: read no more */
    char line_text[CONFIG_QUOTED_LINE_MAX + 1];
    char quoted[CONFIG_QUOTED_LINE_MAX + 1];
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

static bool say_too_long(struct reader *r, size_t len, size_t most, const char *more)
{
    char why[120];

    snprintf(why, sizeof(why), "read a line of %zu characters, expected %zu at most%s", len, most,
             more);
    r->rc = bad(r, why);
    return false;
}

/*
 * One line into r->line_text, without its end.  False at the end of the file and
 * where r->rc says so.
 */
static bool read_line(struct reader *r)
{
    char *line = r->line_text;
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
        if (len < CONFIG_QUOTED_LINE_MAX)
            line[len] = (char)c;
        len++;
    }
    if (ferror(r->in))
        r->rc = bad(r, strerror(errno));
    else if (c != EOF || len > 0)
        line[len <= CONFIG_QUOTED_LINE_MAX ? len : CONFIG_QUOTED_LINE_MAX] = '\0';
    else
        return false;
    if (r->rc == 0 && len > CONFIG_QUOTED_LINE_MAX && !is_comment(line))
        return say_too_long(r, len, CONFIG_QUOTED_LINE_MAX, "");
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

/* inih r55 leaves it behind an indented value, and knows no '#' there. */
static void cut_comment(char *line)
{
    char *p = line;

    while ((p = strpbrk(p + 1, ";#")) != NULL && strchr(BLANKS, p[-1]) == NULL)
        ;
    if (p != NULL)
        *p = '\0';
}

/* Where the value begins, if it is one in quotes; else NULL. */
static char *find_quoted(const struct reader *r, char *line)
{
    char *p = line + strspn(line, BLANKS);

    if (p == line || !r->has_name) {    /* else all of it is a value */
        p += strcspn(p, "=:;#");
        if (*p != '=' && *p != ':')
            return NULL;
        p++;
        p += strspn(p, BLANKS);
    }
    return *p == '"' ? p : NULL;
}

/* "text" into r->quoted, \" and \\ in it without their \; inih gets something short. */
static int read_quoted(struct reader *r, char *value)
{
    const char *from = value + 1;
    char *to = r->quoted;

    while (*from != '"' && *from != '\0') {
        if (*from == '\\' && from[1] != '"' && from[1] != '\\')
            return bad(r, "a \\ in quotes stands before \" or \\ only");
        from += *from == '\\';
        *to++ = *from++;
    }
    *to = '\0';
    if (*from == '\0')
        return bad(r, "a value has no quote behind it, expected name = \"value\"");
    if (!is_comment(from + 1))
        return bad(r, "expected nothing but a comment behind a value in quotes");
    strcpy(value, "-");
    r->is_quoted = true;
    return 0;
}

/* Makes of r->line_text what inih is to get. */
static void take_line(struct reader *r)
{
    char *line = r->line_text, *value;

    if (r->line == 1 && strncmp(line, BOM, strlen(BOM)) == 0)
        memmove(line, line + strlen(BOM), strlen(line + strlen(BOM)) + 1);
    r->wants_setting = r->is_quoted = false;
    if (is_comment(line)) {
        line[0] = '\0';
    } else if (is_heading(r, line)) {
        if (strlen(line) > CONFIG_LINE_MAX)
            return;
        r->rc = read_heading(r, line + strspn(line, BLANKS));
        r->has_name = false;
        strcpy(line, "[.]");    /* inih is to forget the name above, and no more */
    } else {
        r->wants_setting = true;
        value = find_quoted(r, line);
        if (value != NULL)
            r->rc = read_quoted(r, value);
        else if (strlen(line) <= CONFIG_LINE_MAX)
            cut_comment(line);
    }
}

/* inih's reader, like fgets(). */
static char *next_line(char *line, int size, void *arg)
{
    struct reader *r = arg;

    if (r->rc == 0 && r->wants_setting)
        r->rc = bad(r, "expected name = value, or a [section]");
    if (r->rc == 0 && read_line(r))
        take_line(r);
    else if (r->rc == 0)
        return NULL;
    if (r->rc == 0 && strlen(r->line_text) >= (size_t)size)
        say_too_long(r, strlen(r->line_text), CONFIG_LINE_MAX, ", or a value in quotes");
    return r->rc == 0 ? strcpy(line, r->line_text) : NULL;
}

static int on_setting(void *arg, const char *section, const char *name, const char *value)
{
    struct reader *r = arg;

    (void)section;              /* cut to 49 bytes */
    r->wants_setting = false;
    r->has_name = *name != '\0';
    r->rc = r->handler->setting(r->handler->arg, r->line, name,
                                r->is_quoted ? r->quoted : value);
    return r->rc == 0;
}

int config_file_read(FILE *in, const struct config_handler *handler)
{
    struct reader r = { .in = in, .handler = handler };

    static_assert(CONFIG_LINE_MAX == INI_MAX_LINE - 1, "lines are as long as inih takes them");
    (void)ini_parse_stream(next_line, &r, on_setting, &r);
    return r.rc;
}

char *config_file_quote(const char *value)
{
    char *text, *to;

    if (*value != '\0' && value[strcspn(value, BLANKS ";#\"")] == '\0'
        && strlen(value) < CONFIG_LINE_MAX - 40)        /* and its name */
        return xstrdup(value);
    to = text = xmalloc(2 * strlen(value) + 3);
    *to++ = '"';
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\')
            *to++ = '\\';
        *to++ = *value;
    }
    strcpy(to, "\"");
    return text;
}

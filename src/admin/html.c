#include "admin/html.h"

#include <string.h>

#include "base/human.h"

#define NARROW_SPACE "&#8239;"
#define SPACE "&nbsp;"
#define NO_CHARACTER "&#65533;"

/* NULL: it is what it is. */
static const char *escape_of(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return (c < ' ' && c != '\n' && c != '\t') || c == 0x7f ? NO_CHARACTER : NULL;
    }
}

void html_text(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        const char *escape = escape_of((unsigned char)*text);

        if (escape != NULL)
            fputs(escape, out);
        else
            fputc(*text, out);
    }
}

/* The digit's value; -1: it is none. */
static int hex_of(char c)
{
    const char *at = c != '\0' ? strchr("0123456789ABCDEF", c) : NULL;

    return at != NULL ? (int)(at - "0123456789ABCDEF") : -1;
}

void html_key(FILE *out, const char *encoded)
{
    char text[] = { '\0', '\0' };

    for (; *encoded != '\0'; encoded++) {
        const int high = encoded[0] == '%' ? hex_of(encoded[1]) : -1;
        const int low = high >= 0 ? hex_of(encoded[2]) : -1, c = 16 * high + low;

        text[0] = *encoded;
        if (low >= 0 && c > ' ' && c < 0x7f && c != '%') {
            text[0] = (char)c;
            encoded += 2;
        }
        html_text(out, text);
    }
}

/* Its spaces become such as do not break, and its "us" what people expect. */
static void put_number(FILE *out, const char *text, const char *space)
{
    for (; *text != '\0'; text++) {
        if (*text == ' ')
            fputs(space, out);
        else if (*text == 'u')
            fputs("µ", out);
        else
            fputc(*text, out);
    }
}

void html_count(FILE *out, int64_t n)
{
    char text[HUMAN_MAX];

    put_number(out, human_count(text, n), NARROW_SPACE);
}

void html_bytes(FILE *out, int64_t n)
{
    char text[HUMAN_MAX];

    put_number(out, human_bytes(text, n), SPACE);
}

void html_time(FILE *out, int64_t ns)
{
    char text[HUMAN_MAX];

    put_number(out, human_time(text, ns), SPACE);
}

void html_share(FILE *out, double share)
{
    char text[HUMAN_MAX];

    put_number(out, human_share(text, share), SPACE);
}

void html_bar(FILE *out, double share)
{
    const double width = share < 0 ? 0 : share > 1 ? 100 : 100 * share;

    fprintf(out, "<svg viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
            "<rect width=\"%.1f\" height=\"1\"/></svg>", width);
}

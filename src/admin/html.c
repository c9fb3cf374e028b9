#include "admin/html.h"

#include <string.h>

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

void html_count(FILE *out, int64_t n)
{
    char digits[24];
    const int len = snprintf(digits, sizeof(digits), "%lld", (long long)(n < 0 ? 0 : n));

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            fputs(NARROW_SPACE, out);
        fputc(digits[i], out);
    }
}

void html_bytes(FILE *out, int64_t n)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double v = n < 0 ? 0 : (double)n;
    size_t unit = 0;

    for (; v >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
        v /= 1024;
    fprintf(out, unit > 0 && v < 10 ? "%.1f" SPACE "%s" : "%.0f" SPACE "%s", v, units[unit]);
}

void html_time(FILE *out, int64_t ns)
{
    const double us = (double)ns / 1000;

    if (us < 1000)
        fprintf(out, "%.0f" SPACE "µs", us);
    else if (us < 1e6)
        fprintf(out, us < 1e4 ? "%.1f" SPACE "ms" : "%.0f" SPACE "ms", us / 1000);
    else
        fprintf(out, "%.1f" SPACE "s", us / 1e6);
}

void html_share(FILE *out, double share)
{
    fprintf(out, "%.1f" SPACE "%%", 100 * share);
}

void html_bar(FILE *out, double share)
{
    const double width = share < 0 ? 0 : share > 1 ? 100 : 100 * share;

    fprintf(out, "<svg viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
            "<rect width=\"%.1f\" height=\"1\"/></svg>", width);
}

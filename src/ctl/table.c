#include "ctl/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/human.h"
#include "base/mem.h"

struct table {
    const char *const *titles;
    size_t n, n_rows;
    char **cells;               /* owned, as are the strings; n a row */
};

char *table_clean(const char *text)
{
    char *copy = xstrdup(text);

    for (char *p = copy; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            *p = '?';
    return copy;
}

struct table *table_new(const char *const *titles, size_t n)
{
    struct table *t = xzalloc(sizeof(*t));

    t->titles = titles;
    t->n = n;
    return t;
}

void table_add(struct table *t, const char *const *cells)
{
    t->cells = xrealloc(t->cells, (t->n_rows + 1) * t->n * sizeof(*t->cells));
    for (size_t i = 0; i < t->n; i++)
        t->cells[t->n_rows * t->n + i] = table_clean(cells[i]);
    t->n_rows++;
}

static bool is_right(const struct table *t, size_t column)
{
    return t->titles[column][0] == '>';
}

static const char *title(const struct table *t, size_t column)
{
    return t->titles[column] + is_right(t, column);
}

static void print_row(const struct table *t, const size_t *widths, char *const *cells)
{
    for (size_t i = 0; i < t->n; i++) {
        const char *cell = cells != NULL ? cells[i] : title(t, i);
        const int width = (int)widths[i];

        if (i > 0 && *cell != '\0')
            fputs("  ", stdout);
        if (is_right(t, i))
            printf("%*s", width, cell);
        else if (i + 1 < t->n)
            printf("%-*s", width, cell);
        else
            fputs(cell, stdout);
    }
    putchar('\n');
}

void table_end(struct table *t)
{
    size_t widths[TABLE_COLUMNS_MAX];

    for (size_t i = 0; i < t->n; i++) {
        widths[i] = strlen(title(t, i));
        for (size_t row = 0; row < t->n_rows; row++)
            if (strlen(t->cells[row * t->n + i]) > widths[i])
                widths[i] = strlen(t->cells[row * t->n + i]);
    }
    print_row(t, widths, NULL);
    for (size_t row = 0; row < t->n_rows; row++)
        print_row(t, widths, t->cells + row * t->n);
    for (size_t i = 0; i < t->n * t->n_rows; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
}

char *table_ms(char *out, double ms)
{
    snprintf(out, HUMAN_MAX, ms < 10 ? "%.3f" : ms < 1000 ? "%.1f" : "%.0f", ms);
    return out;
}

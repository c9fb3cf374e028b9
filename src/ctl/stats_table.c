#include "ctl/stats_table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/table.h"

#define CELL_MAX 20             /* bytes of a value of many in a row: addresses are longer */

/* Words in the order of their first appearance, an object as a set. */
struct axes {
    json_t *things, *counters;  /* owned */
};

/* Where its counter begins; NULL: it is of nothing. */
static const char *colon_of(const char *name)
{
    const char *colon = strrchr(name, ':');

    return colon != name ? colon : NULL;
}

/* A value as the server sent it, more or less; `cut`: the end of a long one.  free() it. */
static char *text_of(const json_t *value, bool cut)
{
    const char *text = json_string_value(value);
    const size_t len = text != NULL ? strlen(text) : 0;

    if (value == NULL)
        return xstrdup("-");
    if (json_is_integer(value))
        return xasprintf("%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return xasprintf("%.10g", json_real_value(value));
    return cut && len > CELL_MAX ? xasprintf("..%s", text + len - CELL_MAX + 2) : xstrdup(text);
}

static void find_axes(struct axes *a, const json_t *object)
{
    const char *name;
    json_t *value;

    a->things = json_object();
    a->counters = json_object();
    json_object_foreach((json_t *)object, name, value) {
        const char *colon = colon_of(name);
        char *thing;

        if (colon == NULL)
            continue;
        thing = xasprintf("%.*s", (int)(colon - name), name);
        (void)json_object_set_new(a->things, thing, json_null());
        (void)json_object_set_new(a->counters, colon + 1, json_null());
        free(thing);
    }
}

static const json_t *value_at(const json_t *object, const char *thing, const char *counter)
{
    char *name = xasprintf("%s:%s", thing, counter);
    const json_t *value = json_object_get(object, name);

    free(name);
    return value;
}

/* `turned`: counters are rows. */
static void print_grid(const json_t *object, const char *title, json_t *rows, json_t *columns,
                       bool turned)
{
    char *titles[TABLE_COLUMNS_MAX], *cells[TABLE_COLUMNS_MAX];
    const char *row, *column;
    struct table *t;
    json_t *unused;
    size_t n = 0;

    titles[n++] = xstrdup(title);
    json_object_foreach(columns, column, unused) {
        char *clean = table_clean(column);

        titles[n++] = xasprintf(">%s", clean);
        free(clean);
    }
    t = table_new((const char *const *)titles, n);
    json_object_foreach(rows, row, unused) {
        json_t *unused_too;
        size_t i = 0;

        cells[i++] = xstrdup(row);
        json_object_foreach(columns, column, unused_too)
            cells[i++] = text_of(turned ? value_at(object, column, row)
                                        : value_at(object, row, column), turned);
        table_add(t, (const char *const *)cells);
        while (i > 0)
            free(cells[--i]);
    }
    table_end(t);
    while (n > 0)
        free(titles[--n]);
}

/* All, or those of nothing alone. */
static void print_lines(const json_t *object, bool all)
{
    static const char *const titles[] = { "NAME", "VALUE" };
    struct table *t = table_new(titles, 2);
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value) {
        char *text = text_of(value, false);

        if (all || colon_of(name) == NULL)
            table_add(t, (const char *const[]){ name, text });
        free(text);
    }
    table_end(t);
}

static bool has_lines(const json_t *object)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value)
        if (colon_of(name) == NULL)
            return true;
    return false;
}

void stats_table_print(const json_t *object, const char *title)
{
    const bool lines = has_lines(object);
    struct axes a;
    size_t n_things, n_counters;
    bool is_grid;

    find_axes(&a, object);
    n_things = json_object_size(a.things);
    n_counters = json_object_size(a.counters);
    is_grid = n_things > 0 && (n_things < TABLE_COLUMNS_MAX || n_counters < TABLE_COLUMNS_MAX);
    if (lines || !is_grid)
        print_lines(object, !is_grid);
    if (lines && is_grid)
        putchar('\n');
    if (is_grid && n_counters < TABLE_COLUMNS_MAX)
        print_grid(object, title, a.things, a.counters, false);
    else if (is_grid)
        print_grid(object, title, a.counters, a.things, true);
    json_decref(a.things);
    json_decref(a.counters);
}

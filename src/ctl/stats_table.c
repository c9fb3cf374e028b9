#include "ctl/stats_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/table.h"

#define CELL_MAX 20             /* bytes of a value beside others: addresses are longer */

/* Words in the order of their first appearance, an object as a set. */
struct axes {
    json_t *things, *counters;  /* owned */
};

static const char *colon_of(const char *name)
{
    return strrchr(name, ':');
}

/* A value as the server sent it, more or less; of a long one its end. */
static char *text_of(const json_t *value)
{
    const char *text = json_string_value(value);
    const size_t len = text != NULL ? strlen(text) : 0;

    if (value == NULL)
        return xstrdup("-");
    if (json_is_integer(value))
        return xasprintf("%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return xasprintf("%.10g", json_real_value(value));
    return len > CELL_MAX ? xasprintf("..%s", text + len - CELL_MAX + 2) : xstrdup(text);
}

/* False: there is a counter of nothing. */
static bool find_axes(struct axes *a, const json_t *object)
{
    const char *name;
    json_t *value;

    a->things = json_object();
    a->counters = json_object();
    json_object_foreach((json_t *)object, name, value) {
        const char *colon = colon_of(name);
        char *thing;

        if (colon == NULL || colon == name)
            return false;
        thing = xasprintf("%.*s", (int)(colon - name), name);
        (void)json_object_set_new(a->things, thing, json_null());
        (void)json_object_set_new(a->counters, colon + 1, json_null());
        free(thing);
    }
    return json_object_size(a->things) > 0;
}

static const json_t *value_at(const json_t *object, const char *thing, const char *counter)
{
    char *name = xasprintf("%s:%s", thing, counter);
    const json_t *value = json_object_get(object, name);

    free(name);
    return value;
}

/* `turned`: counters are rows. */
static void print_grid(const json_t *object, json_t *rows, json_t *columns, bool turned)
{
    char *titles[TABLE_COLUMNS_MAX], *cells[TABLE_COLUMNS_MAX];
    const char *row, *column;
    struct table *t;
    json_t *unused;
    size_t n = 0;

    titles[n++] = xstrdup("NAME");
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
                                        : value_at(object, row, column));
        table_add(t, (const char *const *)cells);
        while (i > 0)
            free(cells[--i]);
    }
    table_end(t);
    while (n > 0)
        free(titles[--n]);
}

static void print_lines(const json_t *object)
{
    static const char *const titles[] = { "NAME", "VALUE" };
    struct table *t = table_new(titles, 2);
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)object, name, value) {
        char *text = json_is_string(value) ? xstrdup(json_string_value(value)) : text_of(value);

        table_add(t, (const char *const[]){ name, text });
        free(text);
    }
    table_end(t);
}

void stats_table_print(const json_t *object)
{
    struct axes a;
    const bool is_grid = find_axes(&a, object);
    const size_t n_things = json_object_size(a.things), n_counters = json_object_size(a.counters);

    if (is_grid && n_counters < TABLE_COLUMNS_MAX)
        print_grid(object, a.things, a.counters, false);
    else if (is_grid && n_things < TABLE_COLUMNS_MAX)
        print_grid(object, a.counters, a.things, true);
    else
        print_lines(object);
    json_decref(a.things);
    json_decref(a.counters);
}

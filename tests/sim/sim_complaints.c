#include "sim_complaints.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"

void complain(struct complaints *c, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    sim_note(c->sim, "COMPLAINT: %s", text);
    if (c->n++ < COMPLAINTS_KEPT)
        c->words[c->n - 1] = xasprintf("at %.3f s: %s", (double)sim_now_ns(c->sim) / 1e9, text);
}

void complaints_fini(struct complaints *c)
{
    for (unsigned i = 0; i < c->n && i < COMPLAINTS_KEPT; i++)
        free(c->words[i]);
}

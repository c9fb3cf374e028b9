#include "base/human.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

char *human_count(char *out, int64_t n)
{
    char digits[HUMAN_MAX];
    const int len = snprintf(digits, sizeof(digits), "%lld", (long long)(n < 0 ? 0 : n));
    char *at = out;

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            *at++ = ' ';
        *at++ = digits[i];
    }
    *at = '\0';
    return out;
}

char *human_bytes(char *out, int64_t n)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double v = n < 0 ? 0 : (double)n;
    size_t unit = 0;
    bool whole;

    /* What "%.0f" would make 1024 of has the next unit already. */
    for (; v >= 1023.5 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
        v /= 1024;
    whole = v >= 9.95 || v == (double)(int)v;
    snprintf(out, HUMAN_MAX, whole ? "%.0f %s" : "%.1f %s", v, units[unit]);
    return out;
}

char *human_time(char *out, int64_t ns)
{
    const double us = ns < 0 ? 0 : (double)ns / 1000;

    if (us < 999.5)
        snprintf(out, HUMAN_MAX, "%.0f us", us);
    else if (us < 999500)
        snprintf(out, HUMAN_MAX, us < 9950 ? "%.1f ms" : "%.0f ms", us / 1000);
    else
        snprintf(out, HUMAN_MAX, "%.1f s", us / 1e6);
    return out;
}

char *human_share(char *out, double share)
{
    snprintf(out, HUMAN_MAX, "%.1f %%", share < 0 ? 0 : 100 * share);
    return out;
}

#include "nearest.h"

#include <assert.h>
#include <string.h>

/* Letters to put in, take out or change to make `b` of `a` (Levenshtein 1965). */
static size_t distance(const char *a, size_t a_len, const char *b)
{
    size_t far[32], b_len = strlen(b);

    assert(b_len < sizeof(far) / sizeof(far[0]));
    for (size_t j = 0; j <= b_len; j++)
        far[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t before = far[0];

        far[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t least = before + (a[i - 1] != b[j - 1]);

            before = far[j];
            if (far[j] + 1 < least)
                least = far[j] + 1;
            if (far[j - 1] + 1 < least)
                least = far[j - 1] + 1;
            far[j] = least;
        }
    }
    return far[b_len];
}

const char *nearest_word(const char *word, size_t len, const char *const *words, size_t n)
{
    const char *nearest = NULL;
    size_t least = 2 + len / 4;

    for (size_t i = 0; i < n; i++) {
        size_t far = distance(word, len, words[i]);

        /* The start of a word is meant to be that word. */
        if (len >= 3 && far > 1 && strncmp(word, words[i], len) == 0)
            far = 1;
        if (far < least) {
            least = far;
            nearest = words[i];
        }
    }
    return nearest;
}

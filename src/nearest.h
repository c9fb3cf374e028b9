/*
 * nearest - the word that a misspelt one was meant to be
 */
#ifndef NEAREST_H
#define NEAREST_H

#include <stddef.h>

/*
 * The one of `words` (each under 32 bytes) that takes the fewest letters put in,
 * taken out or changed to become `word` (`len` bytes), or that begins with it;
 * NULL where none is near.
 */
const char *nearest_word(const char *word, size_t len, const char *const *words, size_t n);

#endif

/*
 * store_fuzz - a store beside a dictionary, bytes choose what is done to both
 *
 *      input: | kind of store | steps ... |
 *
 * Beside the sanitizers: each answer is the dictionary's, and what is missing
 * was evicted.  See store_steps.h.
 */
#include "store_steps.h"

#define STEPS_MAX 2000          /* of one input */

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct steps_config configs[] = {
        { 64 * MIB, 64 * KIB, true, true, 16, 0, false },
        { MIB, 256 * KIB, true, false, 32, 0, false },
        { MIB, 64 * KIB, true, false, 250, 0, false },
        { MIB, 256 * KIB, false, false, 32, 0, false },
        { 64 * MIB, 64 * KIB, true, true, 16, 60000, false },
        { 64 * MIB, 64 * KIB, true, true, 16, 60000, true },
    };
    struct chances chances = { .at = data + 1, .end = data + size };
    struct steps *t;

    if (size < 2)
        return 0;
    t = steps_new(&configs[data[0] % (sizeof(configs) / sizeof(configs[0]))], &chances);
    for (unsigned i = 0; i < STEPS_MAX && !steps_over(t); i++)
        steps_do(t);
    steps_free(t);
    return 0;
}

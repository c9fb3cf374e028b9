#include "wire/base64.h"

#include <stdint.h>
#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_put(char *out, const char *data, size_t len)
{
    const unsigned char *in = (const unsigned char *)data;

    for (; len > 0; in += 3, out += 4) {
        uint32_t bits = (uint32_t)in[0] << 16 | (len > 1 ? (uint32_t)in[1] << 8 : 0)
                      | (len > 2 ? in[2] : 0);

        out[0] = digits[bits >> 18];
        out[1] = digits[bits >> 12 & 63];
        out[2] = len > 1 ? digits[bits >> 6 & 63] : '=';
        out[3] = len > 2 ? digits[bits & 63] : '=';
        len -= len < 3 ? len : 3;
    }
    return out;
}

size_t base64_read(char *out, const char *text, size_t len)
{
    char *const start = out;
    size_t padding = 0;

    if (len == 0 || len % 4 != 0)
        return 0;
    while (padding < 2 && text[len - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < len; i += 4) {
        const size_t n = i + 4 < len ? 4 : 4 - padding;
        uint32_t bits = 0;

        for (size_t k = 0; k < n; k++) {
            const char *digit = memchr(digits, text[i + k], sizeof(digits) - 1);

            if (digit == NULL)
                return 0;
            bits |= (uint32_t)(digit - digits) << (18 - 6 * k);
        }
        for (size_t k = 0; k + 1 < n; k++)
            *out++ = (char)(bits >> (16 - 8 * k));
    }
    return (size_t)(out - start);
}

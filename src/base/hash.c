#include "base/hash.h"

#include "base/bytes.h"

static inline uint32_t rotl32(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static inline uint64_t rotl64(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

/* The last bytes of a message, fewer than a word, as a little-endian number. */
static inline uint64_t tail(const char *p, size_t n)
{
    uint64_t v = 0;

    while (n-- > 0)
        v = v << 8 | (unsigned char)p[n];
    return v;
}

static inline uint32_t murmur_scramble(uint32_t k)
{
    return rotl32(k * 0xcc9e2d51u, 15) * 0x1b873593u;
}

uint32_t hash_murmur3_32(const void *data, size_t len, uint32_t seed)
{
    const char *p = data;
    uint32_t h = seed;
    size_t left;

    for (left = len; left >= 4; left -= 4, p += 4) {
        h ^= murmur_scramble(bytes_get_u32(p));
        h = rotl32(h, 13) * 5 + 0xe6546b64u;
    }
    h ^= murmur_scramble((uint32_t)tail(p, left));

    h ^= (uint32_t)len;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

/* The same of a message of `len`: from its last whole word, if it has one. */
static inline uint64_t tail_of(const char *p, size_t n, size_t len)
{
    if (n == 0 || len < 8)
        return tail(p, n);
    return bytes_get_u64(p + n - 8) >> (64 - 8 * n);
}

struct sip {
    uint64_t a, b, c, d;
};

static inline void sip_round(struct sip *s)
{
    s->a += s->b;
    s->b = rotl64(s->b, 13) ^ s->a;
    s->a = rotl64(s->a, 32);
    s->c += s->d;
    s->d = rotl64(s->d, 16) ^ s->c;
    s->a += s->d;
    s->d = rotl64(s->d, 21) ^ s->a;
    s->c += s->b;
    s->b = rotl64(s->b, 17) ^ s->c;
    s->c = rotl64(s->c, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
    s->d ^= word;
    sip_round(s);
    s->a ^= word;
}

uint64_t hash_sip13(const uint64_t key[2], const void *data, size_t len)
{
    /* "somepseudorandomlygeneratedbytes" */
    struct sip s = {
        key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
        key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u,
    };
    const char *p = data;
    size_t left;

    for (left = len; left >= 8; left -= 8, p += 8)
        sip_word(&s, bytes_get_u64(p));
    sip_word(&s, (uint64_t)len << 56 | tail_of(p, left, len));

    s.c ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.a ^ s.b ^ s.c ^ s.d;
}

/*
 * hash - one hash that everybody knows, one that nobody can guess
 *
 * MurmurHash3 places keys on the ring: all fronts must agree, for ever, and a
 * stranger may compute it.  SipHash-1-3 with a key drawn at start fills the
 * tables of a store: a stranger must not be able to choose collisions.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* MurmurHash3_x86_32, Austin Appleby 2011, public domain. */
uint32_t hash_murmur3_32(const void *data, size_t len, uint32_t seed);

/* SipHash-1-3, Aumasson and Bernstein 2012; `key` is 128 secret bits. */
uint64_t hash_sip13(const uint64_t key[2], const void *data, size_t len);

#endif

/*
 * cluster_help - maps in short: "11U 01Uf 10E", a member a word
 *
 * The word: weight, next weight, state (U up, S suspended, E ejected), and then
 * f for one that fills, v for a voter.  Members are "a", "b", ...
 */
#ifndef CLUSTER_HELP_H
#define CLUSTER_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/map.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static inline struct map *map_of(uint64_t epoch, unsigned replicas, enum map_phase phase,
                                 const char *words)
{
    struct map *map = map_new((strlen(words) + 1) / 3);
    size_t n = 0;

    assert_non_null(map);
    map->epoch = epoch;
    map->phase_since = epoch;
    map->replicas = (uint16_t)replicas;
    map->phase = phase;
    for (const char *word = words; *word != '\0'; n++) {
        struct member *m = &map->members[n];

        m->name[0] = (char)('a' + n);
        m->number = (uint16_t)(n + 1);
        m->weight = (uint16_t)(word[0] - '0');
        m->next_weight = (uint16_t)(word[1] - '0');
        m->wanted_weight = m->next_weight;
        m->state = word[2] == 'U' ? MEMBER_UP : word[2] == 'S' ? MEMBER_SUSPENDED
                                                               : MEMBER_EJECTED;
        m->incarnation = 100 + n;
        m->since = 1;
        for (word += 3; *word == 'f' || *word == 'v'; word++)
            *(*word == 'f' ? &m->filling : &m->voter) = true;
        if (*word == ' ')
            word++;
    }
    map->n = n;
    return map;
}

#endif

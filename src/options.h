/*
 * options - what the command line asks for, and the file that it names
 *
 *      argv --options_parse--> struct options: one typed field per row of
 *      --config FILE ----^     options.def, checked alone and together
 *
 * Values are in the units that the rest of the program uses: bytes,
 * milliseconds, whole addresses with their ports.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_NAME_MAX 60      /* bytes of a member's or a cluster's name */
#define OPTION_LISTEN_MAX 63    /* addresses of --listen */
#define OPTION_WEIGHT_MAX 100
#define OPTION_WEIGHT_MAX_TEXT "100"

enum role { ROLE_BOTH, ROLE_FRONT, ROLE_SHARD };

/* "both", "front", "shard". */
const char *role_word(enum role role);

struct option_list {
    char **items;               /* owned, as are the strings */
    size_t n;
};

/* --shard=NAME=ADDRESS*WEIGHT */
struct shard_spec {
    char *name;                 /* owned; 1 .. OPTION_NAME_MAX bytes */
    char *address;              /* owned; as struct world takes it */
    unsigned weight;            /* 1 .. OPTION_WEIGHT_MAX */
};

struct shard_specs {
    struct shard_spec *items;   /* owned */
    size_t n;
};

#define FIELD_FLAG      bool
#define FIELD_TALLY     unsigned
#define FIELD_COUNT     unsigned
#define FIELD_OCTAL     unsigned
#define FIELD_SIZE      uint64_t
#define FIELD_MEGABYTES uint64_t
#define FIELD_DURATION  int64_t
#define FIELD_STRING    char *  /* owned; "" where nothing was said */
#define FIELD_LIST      struct option_list
#define FIELD_ROLE      enum role
#define FIELD_SHARDS    struct shard_specs

#define OPTION(id, name, letter, TYPE, dflt, min, max, SECTION, WHEN, ARG, help) OPTION_##id,
enum option_id {
#include "options.def"
    N_OPTIONS
};

/*
 * What parsing leaves behind, besides what each row says:
 *   listen   every client address with its port; empty for a shard, with
 *            --port=0 and with --unix-socket (unless --listen was given too)
 *   role     front when there are --local-shards
 *   name     never "": the host's name in a cluster, else "local"
 *   peer     "" where there is none; that of the --shard of this name when
 *            only that was given
 *   coordinator   NAME@ADDRESS, whole; "" where there is none: with local
 *            shards, or alone
 *   http     whole; "" where there is none: off, and by default for a shard
 *   state_dir    $STATE_DIRECTORY where nothing was said
 *   threads  when not given: at most one a CPU
 *   link_queue_limit, output_limit   when not given: room for two of the
 *            largest items
 */
struct options {
#define OPTION(id, name, letter, TYPE, dflt, min, max, SECTION, WHEN, ARG, help) FIELD_##TYPE id;
#include "options.def"
    bool fixed[N_OPTIONS];      /* by a socket that was passed, whatever is said */
    bool given[N_OPTIONS];      /* by an operator, not by default */
    unsigned line[N_OPTIONS];   /* of `config`, where it was said; 0: not there */
};

/*
 * Fills `o` from the command line, and from the file of --config what that leaves
 * open.  Returns -1 to go on, or the exit code of a process that has said what
 * there was to say: 0 after --help, --version, --license, --test-config and
 * --print-config; after one line on stderr EX_USAGE, or EX_CONFIG where it is
 * about the file.  Call options_fini() in any case.
 */
int options_parse(struct options *o, int argc, char **argv);
void options_fini(struct options *o);

/* Does this process make the maps of a cluster? */
bool options_leads(const struct options *o);
/* Where the coordinator is reached; "" where none is named. */
const char *options_coordinator_address(const struct options *o);

/* Only this host reaches the admin address. */
bool options_http_is_loopback(const struct options *o);

#endif

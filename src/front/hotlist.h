/*
 * hotlist - the keys that clients of this process ask for most, of all its workers
 *
 *      asker's thread --mail--> worker 0 -> ... -> worker n-1 --mail--> asker's thread
 *
 * What each worker has in its sketch (hotkeys.h) is copied by itself and put
 * together at the end: no request ever waits for who asks.
 */
#ifndef FRONT_HOTLIST_H
#define FRONT_HOTLIST_H

#include "front/front.h"

#define HOTLIST_SHOWN 20

struct hotlist_row {
    double rate, writes;        /* requests a second; of them, no reads */
    uint8_t key_len;
    char key[KEY_MAX];
};

struct hotlist {
    struct mail mail;
    struct worker *home;        /* borrowed: who asks */
    struct front *front;        /* borrowed */
    unsigned at;                /* the worker whose turn it is */
    void (*told)(struct hotlist *l);
    void *arg;                  /* of told() */
    double rate;                /* requests a second, of all keys */
    size_t n, size;
    struct hotlist_row *rows;   /* owned; in told() the hottest first, HOTLIST_SHOWN at most */
};

/* told() is called once, in the thread of `home`, later, and has to free the list.
 * NULL: no memory. */
struct hotlist *hotlist_ask(struct front *front, struct worker *home,
                            void (*told)(struct hotlist *l), void *arg);
void hotlist_free(struct hotlist *l);

/* `stats hotkeys` */
void hotlist_stats(struct session *s, const struct cmd *cmd);

#endif

#include "net/hold.h"

#include <stdlib.h>

#include "base/mem.h"

struct hold {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned n_standing;
    bool released;
    struct letter {
        struct mail mail;       /* first: it is what a worker is handed */
        struct hold *hold;
    } letters[];
};

static void on_letter(struct worker *w, struct mail *m)
{
    struct hold *h = ((struct letter *)m)->hold;

    (void)w;
    pthread_mutex_lock(&h->lock);
    h->n_standing++;
    pthread_cond_broadcast(&h->changed);
    while (!h->released)
        pthread_cond_wait(&h->changed, &h->lock);
    h->n_standing--;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static void wait_until(struct hold *h, unsigned n_standing)
{
    while (h->n_standing != n_standing)
        pthread_cond_wait(&h->changed, &h->lock);
}

struct hold *hold_workers(struct worker *workers, unsigned n)
{
    struct hold *h = xzalloc(sizeof(*h) + n * sizeof(h->letters[0]));

    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    for (unsigned i = 0; i < n; i++) {
        h->letters[i] = (struct letter){ .mail.read = on_letter, .hold = h };
        worker_post(&workers[i], &h->letters[i].mail);
    }
    pthread_mutex_lock(&h->lock);
    wait_until(h, n);
    pthread_mutex_unlock(&h->lock);
    return h;
}

void hold_release(struct hold *h)
{
    pthread_mutex_lock(&h->lock);
    h->released = true;
    pthread_cond_broadcast(&h->changed);
    wait_until(h, 0);           /* they have done with the letters */
    pthread_mutex_unlock(&h->lock);
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

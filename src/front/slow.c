#include "front/slow.h"

#include "base/log.h"

#define EVERY_MS 1000
#define KEY_SHOWN 64

/* One worker's of all that ask in a second. */
static bool is_shown(struct slow *slow, int64_t now_ms)
{
    int64_t next_ms = __atomic_load_n(&slow->next_ms, __ATOMIC_RELAXED);

    return now_ms >= next_ms &&
           __atomic_compare_exchange_n(&slow->next_ms, &next_ms, now_ms + EVERY_MS, false,
                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void slow_note(struct front_worker *fw, const struct slow_request *r)
{
    const int64_t now_ms = worker_now(fw->worker);
    struct slow *slow = &fw->front->slow;
    uint64_t n_hidden;

    STAT_ADD(&fw->worker->stats, slow_requests, 1);
    if (!is_shown(slow, now_ms)) {
        __atomic_add_fetch(&slow->n_hidden, 1, __ATOMIC_RELAXED);
        return;
    }
    n_hidden = __atomic_exchange_n(&slow->n_hidden, 0, __ATOMIC_RELAXED);
    log_warn("front", "a request was slow command=%s key=%.*s%s keys=%u shard=%s took_ms=%lld "
             "waited_for=%s result=%s not_shown=%llu", verb_word(r->verb),
             (int)(r->key_len < KEY_SHOWN ? r->key_len : KEY_SHOWN), r->key,
             r->key_len > KEY_SHOWN ? "..." : "", r->n_keys, r->shard,
             (long long)(worker_now_ns(fw->worker) - r->began_ns) / 1000000, r->waited_for, r->result,
             (unsigned long long)n_hidden);
}

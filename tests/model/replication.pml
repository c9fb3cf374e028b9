/*
 * replication - the copies of one key, in every order of events
 *
 * Three shards A B C (0 1 2), two copies, one key; two fronts send two sets
 * and a delete and read all the time; a leader changes the chain, suspends,
 * ejects and takes back.  `make model` runs it, see tests/model/run.
 *
 * What is checked
 *   lineage   Each write adds its bit to what its judge held.  A lost, stale
 *             or blindly overwritten write is a bit that is missing.  Nothing
 *             is evicted here, so a miss is an item that lacks every bit.
 *   -DSTALE   no read lacks a write that was acknowledged before it
 *   -DUNSAID  no owner's answer lacks a write that an earlier one showed
 *   -DOWNERS  never would two shards execute a command for the key
 *   -DREST    when nothing is left to do: every write was executed, the owner
 *             serves, there are two copies again and they are equal
 *
 * What is left out, and why that hides nothing
 *   time      A lease may end as soon as no majority would renew it; "wait
 *             until it has run out" is a guard.  A timeout is a choice.
 *   messages  One may be late for ever, which is to lose it.  A front goes by
 *             any map that was published; a shard adopts as late as it likes.
 *   fronts    One that dies, gives up or is refused because its replay is too
 *             old has an unknown outcome at any moment, as often as it likes.
 *   adoption  A process whose workers have not all noted a map executes
 *             nothing, so adopting is one step, and purging is part of it.
 *   clocks    are equal, and each write has the next version; -DSKEW gives
 *             each shard its own hybrid clock, one of them ahead.
 *   ring      A change of members gives the key any other chain.
 *
 * Bounds: EPOCHS maps, CHANGES of the chain besides those that restore the
 * second copy, CRASHES (each with its restart), SUSPICIONS of one that lives.
 * FRONT1 and FRONT2 are the writes that each front sends: 1 and 2 set, 4
 * deletes.  -DNO_... leaves out one rule; each must then fail.
 */
#ifndef EPOCHS
#define EPOCHS 8
#endif
#ifndef CHANGES
#define CHANGES 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef SUSPICIONS
#define SUSPICIONS 0
#endif
#ifndef FRONT1
#define FRONT1 3
#define FRONT2 4
#endif

#define NONE 3
#define NEVER 255

/* ---- maps ---------------------------------------------------------------- */

#define STABLE 0
#define JOINT 1
#define SWITCHED 2

/* What a map says of the key: a shard or NONE in each field. */
int map[EPOCHS];
#define OWNER(e) (map[e] & 3)               /* judges, and answers reads */
#define COPY(e) (map[e] >> 2 & 3)           /* the other one of the live chain */
#define PENDING(e) (map[e] >> 4 & 3)        /* in the new chain alone */
#define LEAVING(e) (map[e] >> 6 & 3)        /* in the old chain alone */
#define BEFORE(e) (map[e] >> 8 & 3)         /* whose END mark the owner awaits */
#define SUSPENDED(e) (map[e] >> 10 & 3)
#define EJECTED(s, e) (map[e] >> (12 + (s)) & 1)
#define PHASE(e) (map[e] >> 15 & 3)
#define SINCE(e) (map[e] >> 17 & 15)        /* the phase's first epoch */
#define ORPHAN(e) (map[e] >> 21 & 15)       /* when in it the old owner was ejected, 0 never */

#define INSIDE(s, e) (OWNER(e) == (s) || COPY(e) == (s) || PENDING(e) == (s) || LEAVING(e) == (s))
#define ALONE(e) (COPY(e) == NONE && PENDING(e) == NONE)

byte top;                   /* the newest epoch */

/* ---- items: a write's number names what it made --------------------------- */

byte n_items;
byte lineage[4];
bit deleted[4];

#ifdef SKEW
byte stamp[4];              /* clock * 4 + judge */
byte clock[3];
#define NEWER(a, b) (stamp[a] > stamp[b])
#else
#define NEWER(a, b) ((a) > (b))
#endif

/* ---- shards -------------------------------------------------------------- */

byte item[3];               /* what each holds; 0 nothing */
bit unc[3];                 /* it is unconfirmed */
bit gone[3];                /* it was a tombstone, and is forgotten */
byte epoch[3];              /* adopted */
byte ended[3];              /* the newest epoch for which it gave an END mark */
bit lease[3] = 1;
bit dead[3];
byte born[3];               /* the map from which on its incarnation is known */
byte since[3];              /* the map from which on it serves without a break */

/* ---- clients -------------------------------------------------------------- */

byte begun, acked, seen;     /* bits of writes */
byte busy;                  /* fronts with a replay under way */

/* ---- the leader ------------------------------------------------------------ */

mtype = { NOT_SENT, SENT, ARRIVED };

byte phase;
byte old0 = 0, old1 = 1;            /* the live chain: owner, copy */
byte new0 = 0, new1 = 1;            /* the one that a change leads to */
byte ejected;                       /* bits */
byte phase_since, orphan;
bit lost_owner;
byte changes, crashes, suspicions;

mtype moved = NOT_SENT;             /* the item for the pending member */
byte cargo;
bit cargo_gone;

/* ---- the rules that can be left out ---------------------------------------- */

#ifdef NO_FENCE                     /* execution under any epoch */
#define FENCED(s, e) 1
#else
#define FENCED(s, e) (epoch[s] == (e))
#endif
#ifdef NO_COPY_LEASE                /* copies without leases */
#define COPY_LEASE(s) 1
#else
#define COPY_LEASE(s) lease[s]
#endif
#ifdef NO_JUDGE_CHECK               /* replay of an ejected judge's result */
#define JUDGE_STANDS(d, j, e) 1
#else
#define JUDGE_STANDS(d, j, e) (!EJECTED(d, e) && !(since[d] > (j) && since[d] <= (e)))
#endif
#ifdef NO_LEAVING_CHECK             /* reads by leaving copies */
#define MAY_READ(s, e) 1
#else
#define MAY_READ(s, e) (LEAVING(e) != (s))
#endif
#ifdef NO_END                       /* no end mark */
#define OLD_ENDED(e) 1
#else
#define OLD_ENDED(e) (BEFORE(e) == NONE || ended[BEFORE(e)] >= SINCE(e))
#endif
#ifdef NO_ALL_END                   /* no end of all once the old owner is ejected */
#define HAS_ENDED(s, e) 1
#define INHERITS(e) 0
#else
#define HAS_ENDED(s, e) (EJECTED(s, e) || ended[s] >= ORPHAN(e))
#define INHERITS(e) (ORPHAN(e) == (e))
#endif
#define ENDED(e) (ORPHAN(e) == 0 && OLD_ENDED(e) || \
                  ORPHAN(e) != 0 && HAS_ENDED(0, e) && HAS_ENDED(1, e) && HAS_ENDED(2, e))
#ifdef NO_PURGE                     /* old holdings of a pending member kept */
#define PURGED(s) 1
#else
#define PURGED(s) (epoch[s] == top)
#endif
#ifdef NO_WRITE_BACK                /* reads of unconfirmed items */
#define MAY_TELL(s, e) 1
#else
#define MAY_TELL(s, e) (!unc[s] || ALONE(e))
#endif
#ifdef NO_REPAIR                    /* no repair by the owner */
#define REPAIRS 0
#define SETTLED(s) 1
#else
#define REPAIRS 1
#define SETTLED(s) (!unc[s])
#endif
#ifdef NO_TOMBSTONE                 /* no tombstone */
#define MAY_FORGET(s) 1
#else
/* No older replay can still arrive, and no change runs: a tombstone lives longer
 * than anybody who is live may go by an older map. */
#define MAY_FORGET(s) (!unc[s] && busy == 0 && PHASE(epoch[s]) == STABLE && PHASE(top) == STABLE)
#endif

/* ---- what follows from map and lease --------------------------------------- */

#define MEMBER(s, e) (!dead[s] && born[s] <= (e))
#define SERVES(s, e) (OWNER(e) == (s) && MEMBER(s, e) && lease[s] && SUSPENDED(e) != (s) && \
                      FENCED(s, e) && ENDED(e))
#define READS(s, e) (COPY(e) == (s) && MEMBER(s, e) && COPY_LEASE(s) && SUSPENDED(e) != (s) && \
                     FENCED(s, e) && MAY_READ(s, e))
#define TAKES(s, e) (MEMBER(s, e) && FENCED(s, e))
#define SERVES_NOW(s) SERVES(s, epoch[s])

/*
 * A voter is the leader, or a shard that is not ejected; it grants to who goes by
 * its own map and is up there.  leases.pml has more of this.
 */
#define UP(s, e) (!EJECTED(s, e) && SUSPENDED(e) != (s))
#define VOTE(v, s) (UP(v, epoch[s]) && !dead[v] && epoch[v] == epoch[s])
#define VOTERS(e) (4 - EJECTED(0, e) - EJECTED(1, e) - EJECTED(2, e))
#define GRANTED(s) (UP(s, epoch[s]) && born[s] <= epoch[s] && \
                    2 * ((epoch[s] == top) + VOTE(0, s) + VOTE(1, s) + VOTE(2, s)) > VOTERS(epoch[s]))

#define HAS_TOP(s) (UP(s, top) && epoch[s] == top && !dead[s])
#define MAJORITY (2 * (1 + HAS_TOP(0) + HAS_TOP(1) + HAS_TOP(2)) > VOTERS(top))
#define LIVE_HAS(s) (EJECTED(s, top) || epoch[s] == top && MEMBER(s, top))
#define ALL_ADOPTED (LIVE_HAS(0) && LIVE_HAS(1) && LIVE_HAS(2))

/*
 * Whom a front can ask, three ways.  Who goes by the same map as a shard asks
 * that shard; without the fence, who goes by an older map asks as well.
 */
#ifdef NO_FENCE
#define ASKED(k) (top >= k && SERVES(OWNER(top - k), top - k))
#define UNDER(k) (top - k)
#define WHOM(k) OWNER(top - k)
#else
#define ASKED(k) SERVES_NOW(k)
#define UNDER(k) epoch[k]
#define WHOM(k) k
#endif

/* Newer wins. */
inline apply(to, what)
{
    if
    :: NEWER(what, item[to]) || gone[to] && item[to] != what ->
        item[to] = what; gone[to] = 0; unc[to] = 0
    :: else
    fi;
#ifdef SKEW
    if
    :: stamp[what] / 4 > clock[to] -> clock[to] = stamp[what] / 4
    :: else
    fi
#endif
}

/* ---- a front: a write and its replays, or a read of something unconfirmed -- */

#define DONE(s, told) (s == NONE || s == d || told)
/* The two sets are alike, so that one order of them is enough. */
#define LEFT (mine & (7 - begun))

inline judge()
{
    if
    :: LEFT & 1 -> b = 1
    :: !(LEFT & 1) && LEFT & 2 -> b = 2
    :: LEFT & 4 -> b = 4
    fi;
    begun = begun | b;
    n_items++;
    lineage[n_items] = lineage[item[d]] | b;
    deleted[n_items] = b == 4;
#ifdef SKEW
    clock[d]++;
    stamp[n_items] = clock[d] * 4 + d;
#endif
    item[d] = n_items; gone[d] = 0;
    unc[d] = !ALONE(e)
}

#define WRITE(k) \
    d_step { LEFT && ASKED(k) -> \
        check_alone(); e = UNDER(k); d = WHOM(k); judge(); \
        j = e; n = item[d]; busy++ }

#define WRITE_BACK(k) \
    d_step { ASKED(k) && !MAY_TELL(WHOM(k), UNDER(k)) -> \
        e = UNDER(k); d = WHOM(k); n = item[d]; busy++ }

inline told(what)
{
#ifdef UNSAID
    seen = seen | lineage[what]
#else
    skip
#endif
}

inline check_alone()
{
#ifdef OWNERS
    assert(SERVES_NOW(0) + SERVES_NOW(1) + SERVES_NOW(2) <= 1)
#else
    skip
#endif
}

proctype Front(byte mine)
{
    byte n;                         /* what is replayed */
    byte b;                         /* its bit; 0 for a read */
    byte d = NONE;                  /* who judged */
    byte e, j;                      /* epoch of the replays; of the judging */
    bit to_owner, to_copy, to_pending;

end:
    do
    :: WRITE(0) -> break
    :: WRITE(1) -> break
    :: WRITE(2) -> break
    :: WRITE_BACK(0) -> break
    :: WRITE_BACK(1) -> break
    :: WRITE_BACK(2) -> break
    od;
    do
    :: d_step {
        !DONE(OWNER(e), to_owner) && TAKES(OWNER(e), e) ->
        apply(OWNER(e), n); to_owner = 1
       }
    :: d_step {
        !DONE(COPY(e), to_copy) && TAKES(COPY(e), e) ->
        apply(COPY(e), n); to_copy = 1
       }
    :: d_step {
        !DONE(PENDING(e), to_pending) && TAKES(PENDING(e), e) ->
        apply(PENDING(e), n); to_pending = 1
       }
    :: atomic {                     /* all have it: answer the client */
        DONE(OWNER(e), to_owner) && DONE(COPY(e), to_copy) && DONE(PENDING(e), to_pending) ->
        if
        :: b == 0 -> told(n); goto over
        :: else -> acked = acked | b; goto confirm
        fi
       }
    :: atomic {                     /* refused: once more under a newer map */
        b != 0 && e < top ->
        e++; to_owner = 0; to_copy = 0; to_pending = 0;
        if
        :: JUDGE_STANDS(d, j, e)
        :: else -> goto over
        fi
       }
    :: atomic { goto over }         /* unknown outcome; a read is tried again */
    od;
confirm:
    atomic {
        busy--; b = 0; e = 0; j = 0; to_owner = 0; to_copy = 0; to_pending = 0
    };
    if
    :: d_step { item[d] == n && !dead[d] -> unc[d] = 0 }
    :: skip                         /* the link closed before it */
    fi;
    atomic { n = 0; d = NONE; goto end };
over:
    atomic {
        busy--; n = 0; b = 0; d = NONE; e = 0; j = 0;
        to_owner = 0; to_copy = 0; to_pending = 0; goto end
    }
}

/* ---- shards ------------------------------------------------------------------ */

#define SPARE (OWNER(top) != NONE && COPY(top) != NONE)
#define LEFT (EPOCHS - 1 - top)

/* A read is worth a step if it shows something new, or something wrong. */
#define ANSWERS(s) ((SERVES_NOW(s) || READS(s, epoch[s])) && MAY_TELL(s, epoch[s]))
#ifdef NO_FENCE
#define ANSWERS_OLDER(s, k) (top >= k && (SERVES(s, top - k) || READS(s, top - k)))
#define ANSWERS_ANY(s) (ANSWERS(s) || ANSWERS_OLDER(s, 0) || ANSWERS_OLDER(s, 1) || \
                        ANSWERS_OLDER(s, 2))
#else
#define ANSWERS_ANY(s) ANSWERS(s)
#endif
#define LACKS(s, bits) ((bits) & (7 - lineage[item[s]]))
#ifdef UNSAID
#define SHOWS(s) (SERVES_NOW(s) && (LACKS(s, seen) || lineage[item[s]] & (7 - seen)))
#else
#define SHOWS(s) 0
#endif

inline read(from)
{
#ifdef STALE
    assert(!LACKS(from, acked));
#endif
#ifdef UNSAID
    if
    :: SERVES_NOW(from) -> assert(!LACKS(from, seen)); seen = seen | lineage[item[from]]
    :: else
    fi
#else
    skip
#endif
}

inline forget(at)
{
    item[at] = 0; unc[at] = 0; gone[at] = 0
}

inline adopt(at)
{
    epoch[at] = epoch[at] + 1;
#ifndef NO_PURGE
    if
    :: !INSIDE(at, epoch[at]) -> forget(at)
    :: else
    fi;
#endif
    if                              /* what an ejected judge left half-done */
    :: INHERITS(epoch[at]) && item[at] != 0 && !gone[at] -> unc[at] = 1
    :: else
    fi
}

#define REACHES(s, t) (t == NONE || t == s || TAKES(t, epoch[s]))

inline repair_at(from, to)
{
    if
    :: to != NONE && to != from -> apply(to, item[from])
    :: else
    fi
}

#define MUST_END(s, e) (ORPHAN(e) != 0 && !EJECTED(s, e) && ended[s] < ORPHAN(e) || \
                        ORPHAN(e) == 0 && BEFORE(e) == s && ended[s] < SINCE(e))

proctype Shard(byte s)
{
end:
    do
    :: d_step { ANSWERS_ANY(s) && (LACKS(s, acked) || SHOWS(s)) -> read(s) }
    :: d_step { epoch[s] < top && !dead[s] -> adopt(s) }
    :: d_step { !dead[s] && !lease[s] && GRANTED(s) -> lease[s] = 1 }
    :: d_step { lease[s] && !UP(s, top) && !GRANTED(s) -> lease[s] = 0 }
    :: d_step { deleted[item[s]] && !gone[s] && MAY_FORGET(s) -> gone[s] = 1 }
    :: d_step {                     /* what nobody confirmed, the judge replays */
        REPAIRS && unc[s] && MEMBER(s, epoch[s]) && !EJECTED(s, epoch[s]) &&
        REACHES(s, OWNER(epoch[s])) && REACHES(s, COPY(epoch[s])) && REACHES(s, PENDING(epoch[s])) ->
        repair_at(s, OWNER(epoch[s]));
        repair_at(s, COPY(epoch[s]));
        repair_at(s, PENDING(epoch[s]));
        unc[s] = 0
       }
    :: d_step {
        MUST_END(s, epoch[s]) && MEMBER(s, epoch[s]) && SETTLED(s) -> ended[s] = epoch[s]
       }
    :: d_step {                     /* a crash that leaves a copy */
        crashes < CRASHES && !dead[s] && INSIDE(s, top) && SPARE && SUSPENDED(top) == NONE &&
        LEFT >= 2 ->
        crashes++; dead[s] = 1; born[s] = NEVER; lease[s] = 0; forget(s)
       }
    :: d_step { dead[s] -> dead[s] = 0; epoch[s] = top }
    od
}

/* ---- the leader ---------------------------------------------------------------- */

#define IN_OLD(s) (old0 == (s) || old1 == (s))
#define IN_NEW(s) (new0 == (s) || new1 == (s))
#define NOT_IN_NEW(s) (!IN_NEW(s) -> (s) : NONE)
#define NOT_IN_OLD(s) (!IN_OLD(s) -> (s) : NONE)
#define EITHER(a, b) ((a) != NONE -> (a) : (b))
#define ADDED EITHER(NOT_IN_OLD(new0), NOT_IN_OLD(new1))
#define REMOVED EITHER(NOT_IN_NEW(old0), NOT_IN_NEW(old1))

/* Makes the next map from what the leader knows. */
inline publish(suspended)
{
    top++;
    if
    :: phase != PHASE(top - 1) -> phase_since = top; orphan = 0
    :: else
    fi;
    if
    :: lost_owner -> orphan = top; lost_owner = 0
    :: else
    fi;
    if
    :: phase == STABLE ->
        map[top] = old0 | old1 << 2 | NONE << 4 | NONE << 6 | NONE << 8
    :: phase == JOINT ->
        map[top] = old0 | old1 << 2 | ADDED << 4 | REMOVED << 6 | NONE << 8
    :: phase == SWITCHED ->
        map[top] = new0 | new1 << 2 | NONE << 4 | REMOVED << 6 |
                   (old0 != new0 -> old0 : NONE) << 8
    fi;
    map[top] = map[top] | (suspended) << 10 | ejected << 12 | phase << 15 |
               phase_since << 17 | orphan << 21;
    moved = NOT_SENT; cargo = 0; cargo_gone = 0
}

/* Known to be another process than the map's. */
#define LOST(s) (born[s] == NEVER && !EJECTED(s, top))
#define NO_LOST (!LOST(0) && !LOST(1) && !LOST(2))
#define CALM (SUSPENDED(top) == NONE && MAJORITY && NO_LOST)

/* -DTARGET=ac: only changes to the owner a and the copy c; -DREFILL=ac: what
 * restores the second copy leads to these. */
#ifdef TARGET
#define WANTED(a, c) (TARGET == 10 * (a) + (c))
#else
#define WANTED(a, c) 1
#endif
#ifdef REFILL
#define REFILLS(a, c) (REFILL == 10 * (a) + (c))
#else
#define REFILLS(a, c) 1
#endif

#define CAN_JOIN(s) (IN_OLD(s) || !dead[s] && PURGED(s))

/* Two chains differ by one member; one that returns is filled like a new one. */
#define CHANGE(a, c) \
    d_step { phase == STABLE && CALM && LEFT >= 3 && \
        (old1 == NONE && REFILLS(a, c) || old1 != NONE && changes < CHANGES && WANTED(a, c)) && \
        CAN_JOIN(a) && CAN_JOIN(c) && (IN_OLD(a) || IN_OLD(c)) && !(a == old0 && c == old1) -> \
        new0 = a; new1 = c; begin_change() }

inline begin_change()
{
    if
    :: old1 != NONE -> changes++
    :: else
    fi;
    if
    :: ADDED != NONE ->
        ejected = ejected & (7 - (1 << ADDED));
        since[ADDED] = top + 1;
        if
        :: born[ADDED] == NEVER -> born[ADDED] = top + 1
        :: else
        fi
    :: else
    fi;
    phase = JOINT;
    publish(NONE)
}

inline drop(x)
{
    ejected = ejected | 1 << x;
    if
    :: phase == SWITCHED && x == old0 -> lost_owner = 1
    :: else
    fi;
    if
    :: old0 == x -> old0 = old1; old1 = NONE
    :: old1 == x -> old1 = NONE
    :: else
    fi;
    if
    :: new0 == x -> new0 = new1; new1 = NONE
    :: new1 == x -> new1 = NONE
    :: else
    fi;
    if
    :: phase == SWITCHED
    :: else -> phase = STABLE; new0 = old0; new1 = old1
    fi;
    x = 0;
    publish(NONE)
}

#ifdef NO_SUSPEND                   /* ejection in one step */
#define SUSPECT(x) \
    d_step { suspicions < SUSPICIONS && CALM && SPARE && LEFT >= 4 && x != NONE -> \
        suspicions++; s = x; drop(s) }
#else
#define SUSPECT(x) \
    d_step { suspicions < SUSPICIONS && CALM && SPARE && LEFT >= 4 && x != NONE -> \
        suspicions++; s = x; publish(s); s = 0 }
#endif

proctype Leader()
{
    byte s;
end:
    do
    :: CHANGE(0, 1)
    :: CHANGE(0, 2)
    :: CHANGE(1, 0)
    :: CHANGE(1, 2)
    :: CHANGE(2, 0)
    :: CHANGE(2, 1)
    :: d_step {                     /* all have adopted: the owner sends */
        phase == JOINT && SUSPENDED(top) == NONE && ALL_ADOPTED && moved == NOT_SENT ->
        if
        :: PENDING(top) == NONE -> moved = ARRIVED
        :: else -> moved = SENT; cargo = item[OWNER(top)]; cargo_gone = gone[OWNER(top)]
        fi
       }
    :: d_step {
        moved == SENT && TAKES(PENDING(top), top) && MEMBER(OWNER(top), top) ->
        if
        :: cargo != 0 && !cargo_gone -> apply(PENDING(top), cargo)
        :: cargo_gone && item[PENDING(top)] == 0 ->
            item[PENDING(top)] = cargo; gone[PENDING(top)] = 1
        :: else
        fi;
        moved = ARRIVED; cargo = 0; cargo_gone = 0
       }
    :: d_step {
        phase == JOINT && SUSPENDED(top) == NONE && ALL_ADOPTED && moved == ARRIVED ->
        phase = SWITCHED;
        publish(NONE)
       }
    :: d_step {
        phase == SWITCHED && SUSPENDED(top) == NONE && ALL_ADOPTED && ENDED(top) ->
        phase = STABLE;
        old0 = new0; old1 = new1;
        publish(NONE)
       }
    :: d_step {                     /* known to be dead: no lease to wait for */
        SUSPENDED(top) == NONE && !NO_LOST ->
        s = (LOST(0) -> 0 : (LOST(1) -> 1 : 2));
        drop(s)
       }
#if SUSPICIONS > 0
    :: SUSPECT(OWNER(top))
    :: SUSPECT(COPY(top))
    :: SUSPECT(PENDING(top))
    :: d_step {                     /* no lease is left */
        SUSPENDED(top) != NONE && MAJORITY && !lease[SUSPENDED(top)] ->
        s = SUSPENDED(top);
        drop(s)
       }
    :: d_step { SUSPENDED(top) != NONE -> publish(NONE) }   /* it answers again */
#endif
    od
}

/* ---- at rest ------------------------------------------------------------------- */

#define PAIR (COPY(top) != NONE)

proctype Rest()
{
end:
    do
    :: atomic {
        timeout ->
#ifdef REST
        assert(begun == (FRONT1 | FRONT2) && busy == 0);
        assert(phase == STABLE && SERVES(OWNER(top), top));
        assert(PAIR || LEFT < 3);
        assert(!PAIR || epoch[COPY(top)] == top && item[OWNER(top)] == item[COPY(top)])
#else
        skip
#endif
       }
    od
}

init
{
    atomic {
        map[0] = 0 | 1 << 2 | NONE << 4 | NONE << 6 | NONE << 8 | NONE << 10;
#ifdef SKEW
        if
        :: clock[0] = 2
        :: clock[1] = 2
        :: clock[2] = 2
        fi;
#endif
        run Front(FRONT1); run Front(FRONT2);
        run Shard(0); run Shard(1); run Shard(2);
        run Leader(); run Rest()
    }
}

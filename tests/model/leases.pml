/*
 * leases - who is ejected holds no lease
 *
 * The leader and shards vote.  Shard 0 asks all of them, again and again; the
 * leader suspends shards, takes them back, ejects them, changes the voters.
 * Each shard adopts maps as late as it likes, or never.  replication.pml takes
 * the result for granted.
 *
 * A grant lasts for ever, with one exception: once a majority of the voters has
 * adopted the map that suspends shard 0, the wait goes by what it is granted
 * from then on; when the wait is over nothing older is left.  Time cannot
 * overtake that, and is not needed else.  Shard 0 counts what it has with the
 * voters of its own map, of whichever map each grant is, and itself.
 *
 * Rules of which each is left out by -DNO_...:
 *   ASKER_EPOCH   a voter grants only to who goes by exactly its own map
 *   ADOPTION      no map before a majority has adopted the one before it
 *   ONE_VOTER     maps differ by one voter
 *   STAY          a suspended voter stays one until it is ejected
 *   WAIT          an ejection waits
 */
#define SHARDS 4
#ifndef EPOCHS
#define EPOCHS 5
#endif

/* Of each map: a bit for each shard. */
byte suspended[EPOCHS], ejected[EPOCHS], voters[EPOCHS];
byte top;
byte epoch[SHARDS];

#define LEADER (1 << SHARDS)
byte grants;                /* what shard 0 has: bits of voters, LEADER */
byte since_wait;            /* of these, what it got since the wait began */
bit waiting;                /* a majority knows that it is suspended */

#define IN(set, s) ((set) >> (s) & 1)
#define COUNT(set) (IN(set, 0) + IN(set, 1) + IN(set, 2) + IN(set, 3) + IN(set, 4))
#define MOST(set, of) (2 * COUNT((set) & (of)) > COUNT(of))
#define VOTING(e) (voters[e] | LEADER)

#define UP(s, e) (!IN(suspended[e] | ejected[e], s))

/* Its own vote it has at any time. */
#define LEASED (UP(0, epoch[0]) && MOST(grants | 1, VOTING(epoch[0])))

#define HAS(s, e) ((epoch[s] >= (e)) << (s))
#define WHO_HAS(e) (LEADER | HAS(0, e) | HAS(1, e) | HAS(2, e) | HAS(3, e))
#define MAJORITY MOST(WHO_HAS(top), VOTING(top))

#ifdef NO_ADOPTION
#define MAY_PUBLISH (top + 1 < EPOCHS && !IN(ejected[top], 0))
#else
#define MAY_PUBLISH (top + 1 < EPOCHS && !IN(ejected[top], 0) && MAJORITY)
#endif
#ifdef NO_ASKER_EPOCH
#define SAME(a, b) 1
#else
#define SAME(a, b) ((a) == (b))
#endif

inline check()
{
    assert(!(IN(ejected[top], 0) && LEASED))
}

inline grant(voter)
{
    grants = grants | voter;
    since_wait = since_wait | voter;
    check()
}

#define ASKS UP(0, epoch[0])

proctype Asker()
{
end:
    do
    :: d_step { epoch[0] < top -> epoch[0] = epoch[0] + 1; check() }
    :: d_step { ASKS && UP(0, top) && SAME(top, epoch[0]) && !(since_wait & LEADER) -> grant(LEADER) }
    od
}

proctype Voter(byte v)
{
end:
    do
    :: d_step { epoch[v] < top -> epoch[v] = epoch[v] + 1 }
    :: d_step {
        ASKS && IN(voters[epoch[v]], v) && UP(v, epoch[v]) && UP(0, epoch[v]) &&
        SAME(epoch[v], epoch[0]) && !IN(since_wait, v) ->
        grant(1 << v)
       }
    od
}

inline publish(s, e, v)
{
    suspended[top + 1] = s;
    ejected[top + 1] = e;
    voters[top + 1] = v;
    if
    :: !IN(s, 0) -> waiting = 0; since_wait = grants
    :: else
    fi;
    top++;
    check()
}

#define FREE(bits) (((suspended[top] | ejected[top]) & (bits)) == 0)

#ifdef NO_STAY
#define STAYING(bits) (15 - (bits))
#else
#define STAYING(bits) 15
#endif
#define SUSPEND(bits) \
    d_step { MAY_PUBLISH && FREE(bits) -> \
        publish(suspended[top] | (bits), ejected[top], voters[top] & STAYING(bits)) }
#define TAKE_BACK(bits) \
    d_step { MAY_PUBLISH && (suspended[top] & (bits)) == (bits) -> \
        publish(suspended[top] & (15 - (bits)), ejected[top], voters[top]) }
#define EJECT(bits) \
    publish(suspended[top] & (15 - (bits)), ejected[top] | (bits), voters[top] & (15 - (bits)))
#define TURN_VOTER(bits) \
    d_step { MAY_PUBLISH && FREE(bits) -> publish(suspended[top], ejected[top], voters[top] ^ (bits)) }

proctype Leader()
{
end:
    do
    :: SUSPEND(1)
    :: SUSPEND(2)
    :: SUSPEND(3)                   /* two by one map */
    :: TAKE_BACK(1)
    :: TURN_VOTER(1)
    :: TURN_VOTER(2)
    :: TURN_VOTER(8)
#ifdef NO_ONE_VOTER
    :: TURN_VOTER(10)
#endif
    :: d_step { IN(suspended[top], 0) && !waiting && MAJORITY -> waiting = 1; since_wait = 0 }
#ifdef NO_WAIT
    :: d_step { MAY_PUBLISH && IN(suspended[top], 0) -> EJECT(1) }
#else
    :: d_step { MAY_PUBLISH && IN(suspended[top], 0) && waiting -> grants = since_wait; EJECT(1) }
#endif
    /* whether the other's own lease is over changes nothing here */
    :: d_step { MAY_PUBLISH && IN(suspended[top], 1) -> EJECT(2) }
    od
}

init
{
    atomic {
        if                          /* five of them, four, three */
        :: voters[0] = 15
        :: voters[0] = 14
        :: voters[0] = 10
        fi;
        run Asker(); run Voter(1); run Voter(2); run Voter(3); run Leader()
    }
}

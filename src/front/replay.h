/*
 * replay - what a command changed, or found open, to the rest of its chain
 *
 *      judged -> next of the chain -> the others, and who is pending -> over
 *
 * What was judged belongs to the map that it was judged by.  Where that has
 * changed, it goes to those who have the key now, if its judge still serves;
 * else its outcome is unknown.
 */
#ifndef FRONT_REPLAY_H
#define FRONT_REPLAY_H

#include "front/call.h"

/* Notes who is judge, and who must have what comes of it. */
void replay_place(struct replay *rp, const struct view *v, const struct placing *p);
/* The judge alone, for a command that will change nothing. */
void replay_judge(struct judge *j, const struct view *v, int member);

/* It was answered, with MARK_OPEN.  The call may be gone then. */
void replay_begin(struct call *c);

/* After a wait; false: it has to wait on, as it is. */
bool replay_go_again(struct call *c);

#endif

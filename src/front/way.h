/*
 * way - where a command goes, by the map of this moment
 *
 * To its owner, if all who must have what it changes are reached; a plain get
 * to a copy, where the owner is not.  Else it waits (see parked.h), where
 * somebody leads who will make another map; or it is given up.
 */
#ifndef FRONT_WAY_H
#define FRONT_WAY_H

#include "front/call.h"

/* `f`, whose value lies in `chunk`, is the command's frame.  The call may be
 * answered and gone then. */
void way_go(struct call *c, struct frame *f, struct chunk *chunk);

/* The same with the frame that it holds; false: it has to wait, as it is. */
bool way_go_again(struct call *c);

/* It was not answered: it waits, or that is the answer. */
void way_failed(struct call *c);

/* Can this member of the map be sent something that must arrive? */
bool way_reaches(const struct front_worker *fw, unsigned i);

#endif

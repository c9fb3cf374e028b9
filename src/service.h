/*
 * service - what systemd is told of the process (sdnotify.h)
 *
 *      READY=1      all that is to serve does
 *      STATUS=      one line for "systemctl status", when it has changed
 *      WATCHDOG=1   while this thread and each worker take their turns
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "node.h"

/* All zero at the start. */
struct service {
    bool ready, stopping;
    bool owes_ready;            /* it could not be said yet */
    uint64_t epoch;             /* of the map that was told of */
    bool looked;                /* at it, once */
    bool stuck;                 /* one did not, and that was said */
    char status[200];
};

/* In each turn of the control worker.  Cheap when nothing has changed. */
void service_look(struct service *s, struct node *n);

/* Settings are read again, or another program takes over; and that has ended here.
 * It is told of a service that is ready: a start goes on until READY=1. */
void service_begin_reload(struct service *s);
void service_end_reload(struct service *s);

/* When the process has begun to end. */
void service_stop(struct service *s);

/* When it is time; returns the milliseconds until it is again. */
int64_t service_beat(struct service *s, struct node *n);

#endif

/*
 * times - how long members wait for each other, in milliseconds
 *
 * A lease lasts LEASE_MS from when it was asked for; who waits for one to run
 * out waits MARGIN_MS more, as clocks differ in pace.
 */
#ifndef CLUSTER_TIMES_H
#define CLUSTER_TIMES_H

#define PING_MS 100             /* between two pings to one member */
#define LEASE_MS 800
#define MARGIN_MS 100
#define SILENCE_MS 1000         /* not heard for so long: suspected */
#define HOLD_DOWN_MS 30000      /* ejected for so long: its arcs go to others */
#define TOMBSTONE_MS 60000
#define REPLAY_WINDOW_MS 2000

#endif

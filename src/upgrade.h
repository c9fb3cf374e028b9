/*
 * upgrade - becoming the program that is installed now, and no client notices
 *
 *      SIGUSR1 --> PROGRAM --test-config    a child: would it start as we did, and
 *                                           take what is kept?
 *              --> clients stand still      what was executed is answered
 *              --> execve                   same process id, same sockets (kept.h)
 *              --> clients go on            where they were, in the new program
 *
 * Only for a process that keeps no items.
 */
#ifndef UPGRADE_H
#define UPGRADE_H

#include "passed.h"
#include "service.h"

struct upgrade;

struct upgrade_config {
    struct node *node;          /* borrowed, like all here */
    const struct passed *passed;
    struct service *service;
    char **argv;                /* what the new program is given as well */
    /* The workers' threads end; and are started again where nothing came of it. */
    void (*stop_threads)(void *arg);
    void (*start_threads)(void *arg);
    void *arg;
};

/* What the check says when the settings are right: the last line of a program that
 * takes what the one that asks would hand over.  Nothing if nobody asks. */
void upgrade_answer_check(void);

/* Once there is a control worker.  NULL when memory is short. */
struct upgrade *upgrade_new(const struct upgrade_config *config);
void upgrade_free(struct upgrade *u);   /* copes with NULL */

/* SIGUSR1, and SIGCHLD. */
void upgrade_begin(struct upgrade *u);
void upgrade_reap(struct upgrade *u);

/* The process is to end, or has something else to do. */
void upgrade_give_up(struct upgrade *u);

#endif

/*
 * hotkeys - `chcachectl hotkeys`: what clients of one front ask for most
 */
#ifndef CTL_HOTKEYS_H
#define CTL_HOTKEYS_H

#include "ctl/say.h"

int hotkeys(const struct ctl *ctl, char **argv);

#endif

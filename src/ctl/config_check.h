/*
 * config_check - has chcached itself read a file of settings
 */
#ifndef CTL_CONFIG_CHECK_H
#define CTL_CONFIG_CHECK_H

#include "ctl/say.h"

#define CONFIG_CHECK_BAD 78     /* chcached's own status for a file it would not take */

/* As the commands of cluster.h. */
int config_check(const struct ctl *ctl, char **argv);

#endif

/*
 * option_extended - memcached's -o LIST: what is in it
 */
#ifndef OPTION_EXTENDED_H
#define OPTION_EXTENDED_H

/*
 * Most of it tunes what is not here and may be passed over.  -1 where that holds
 * for all of `list`, or the exit code after a line on stderr about what may not:
 * a cache without it would be another than the one that was asked for.
 */
int option_extended_check(const char *list);

#endif

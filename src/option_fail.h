/*
 * option_fail - what an operator is told of an option that cannot be
 */
#ifndef OPTION_FAIL_H
#define OPTION_FAIL_H

/* One line on stderr, "chcached: ..."; returns EX_USAGE. */
int option_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

/*
 * unset - a local that is filled before it is read
 *
 * Builds fill locals with zeroes, in case one is read before it is written.
 * For some hundred bytes on the way of every request that costs more than what
 * is done with them: these say that they need it not.
 */
#ifndef BASE_UNSET_H
#define BASE_UNSET_H

#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define UNSET __attribute__((uninitialized))
#endif
#endif

#ifndef UNSET
#define UNSET
#endif

#endif

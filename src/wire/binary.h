/*
 * binary - memcached's binary protocol, bytes to commands
 *
 * A second grammar (proto/binary.rl) in front of the same commands: what comes
 * out are the verbs of the text protocol, with options, and a form that says
 * how to answer.  Values are collected by the caller, as for text.
 *
 *      24 bytes --machine--> verb --judge--> struct cmd, its key and extras taken
 */
#ifndef WIRE_BINARY_H
#define WIRE_BINARY_H

#include "wire/parse.h"

#define BINARY_MAGIC 0x80       /* the first byte of a request, and of no text command */

/*
 * As text_parse(), of a request that starts at data[0].  What has the right
 * magic is answered, in error or not; with p->close nothing after it is.
 */
enum parse_status binary_parse(struct parse *p, const char *data, size_t len, struct cmd *cmd);

#endif

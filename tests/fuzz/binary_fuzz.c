/*
 * binary_fuzz - the binary protocol, whatever a client sends
 *
 * Beside the sanitizers: bytes that arrive in pieces give the same requests as
 * the same bytes at once, and no length goes beyond what a head tells.  Every
 * piece is parsed in a block of just its size, at an address of its own.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "events.h"
#include "wire/binary.h"
#include "wire/packet.h"

#define REQUESTS_MAX 128        /* of one input */

static void check_request(const struct parse *p, const struct cmd *cmd, const char *block,
                          size_t len)
{
    check(cmd->verb != VERB_UNKNOWN && !p->swallow && !p->close && p->len <= len);
    check(cmd->key >= block && cmd->key + cmd->key_len == block + p->len);
    check((cmd->key_len > 0) == verb_is_keyed(cmd->verb) || cmd->verb == VERB_STATS);
    check(cmd->key_len <= KEY_MAX);
    check(cmd->value_len == 0 || verb_has_value(cmd->verb));
}

/* An error is answered by its form alone. */
static void check_error(const struct parse *p, const struct cmd *cmd)
{
    check(cmd->key == NULL && cmd->args == NULL);
    check(p->swallow != p->close);
    check(p->swallow == (cmd->verb == VERB_UNKNOWN && !p->close));
}

static void note_request(struct events *e, const struct parse *p, const struct cmd *cmd,
                         const char *block, size_t len)
{
    note(e, (uint64_t)cmd->verb << 32 | (uint64_t)cmd->error << 8 | (uint64_t)p->swallow << 1
            | p->close);
    if (cmd->error == CMD_HANG_UP)
        return;
    check(cmd->form.protocol == PROTOCOL_BINARY && p->block_end == 0);
    check(cmd->form.opcode == (uint8_t)block[1]);
    check(memcmp(cmd->form.opaque, block + 12, PACKET_OPAQUE) == 0);
    if (!p->close)
        check(p->len + cmd->value_len == PACKET_HEAD + (size_t)bytes_get_be32(block + 8));
    if (cmd->error == CMD_OK)
        check_request(p, cmd, block, len);
    else
        check_error(p, cmd);
    note(e, (uint64_t)cmd->form.quiet << 1 | cmd->form.with_key);
    note(e, cmd->options);
    note(e, cmd->client_flags);
    note(e, (uint64_t)cmd->exptime);
    note(e, (uint64_t)cmd->vivify_exptime);
    note(e, cmd->cas);
    note(e, cmd->delta);
    note(e, cmd->initial);
    note(e, cmd->value_len);
    note_bytes(e, cmd->key, cmd->key_len);
}

/*
 * One request at the start of data, in pieces where there is a state to draw
 * `cuts` from.  False when none can be read after it; else *taken is where
 * that one starts.
 */
static bool parse_request(struct events *e, const char *data, size_t len, uint64_t *cuts,
                          size_t *taken)
{
    size_t seen = cuts != NULL ? 0 : len;
    enum parse_status status;
    struct parse p;
    struct cmd cmd;

    parse_init(&p);
    for (;;) {
        char *block = block_of(data, seen);

        status = binary_parse(&p, block, seen, &cmd);
        check(status == PARSE_DONE || status == PARSE_MORE);
        if (status == PARSE_DONE)
            note_request(e, &p, &cmd, block, seen);
        else
            check(p.pos == seen);
        free(block);
        if (status == PARSE_DONE || seen == len)
            break;
        seen += 1 + chance(cuts, seen + 16);
        seen = seen < len ? seen : len;
    }
    *taken = p.len + cmd.value_len;
    return status == PARSE_DONE && !p.close;
}

static void parse_requests(struct events *e, const char *data, size_t len, uint64_t *cuts)
{
    size_t taken;

    e->n = 0;
    for (unsigned i = 0; i < REQUESTS_MAX; i++) {
        if (!parse_request(e, data, len, cuts, &taken) || taken > len)
            return;
        data += taken;
        len -= taken;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct events whole, pieces;
    uint64_t cuts = size;

    for (size_t i = 0; i < size; i++)
        cuts = (cuts ^ data[i]) * 1099511628211u;

    parse_requests(&whole, (const char *)data, size, NULL);
    for (int i = 0; i < 3; i++) {
        parse_requests(&pieces, (const char *)data, size, &cuts);
        check(whole.n == pieces.n);
        check(memcmp(whole.words, pieces.words, whole.n * sizeof(whole.words[0])) == 0);
    }
    return 0;
}

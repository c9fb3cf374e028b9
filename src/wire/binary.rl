#include "wire/binary.h"

#include <assert.h>

#include "base/bytes.h"
#include "wire/packet.h"

#define BODY_MAX (UINT32_C(1) << 30)    /* memcached reads no longer one */
#define NO_VIVIFY UINT32_MAX            /* expiration of an incr that makes no item */

/* A head, taken apart. */
struct head {
    enum verb verb;
    bool whole;                 /* it has the form of its opcode */
    bool quiet, with_key, no_value;
    uint8_t extras_len;
    uint16_t key_len;
    uint32_t body_len;
    uint64_t cas;
};

%%{
    machine binary;
    alphtype unsigned char;

    action whole { h->whole = true; }

    action get      { h->verb = VERB_GET; }
    action getq     { h->verb = VERB_GET; h->quiet = true; }
    action getk     { h->verb = VERB_GET; h->with_key = true; }
    action getkq    { h->verb = VERB_GET; h->quiet = h->with_key = true; }
    action touch    { h->verb = VERB_GAT; h->no_value = true; }
    action gat      { h->verb = VERB_GAT; }
    action gatq     { h->verb = VERB_GAT; h->quiet = true; }
    action gatk     { h->verb = VERB_GAT; h->with_key = true; }
    action gatkq    { h->verb = VERB_GAT; h->quiet = h->with_key = true; }
    action set      { h->verb = VERB_SET; }
    action add      { h->verb = VERB_ADD; }
    action replace  { h->verb = VERB_REPLACE; }
    action append   { h->verb = VERB_APPEND; }
    action prepend  { h->verb = VERB_PREPEND; }
    action setq     { h->verb = VERB_SET; h->quiet = true; }
    action addq     { h->verb = VERB_ADD; h->quiet = true; }
    action replaceq { h->verb = VERB_REPLACE; h->quiet = true; }
    action appendq  { h->verb = VERB_APPEND; h->quiet = true; }
    action prependq { h->verb = VERB_PREPEND; h->quiet = true; }
    action delete   { h->verb = VERB_DELETE; }
    action deleteq  { h->verb = VERB_DELETE; h->quiet = true; }
    action incr     { h->verb = VERB_INCR; }
    action decr     { h->verb = VERB_DECR; }
    action incrq    { h->verb = VERB_INCR; h->quiet = true; }
    action decrq    { h->verb = VERB_DECR; h->quiet = true; }
    action flush    { h->verb = VERB_FLUSH_ALL; }
    action flushq   { h->verb = VERB_FLUSH_ALL; h->quiet = true; }
    action stat     { h->verb = VERB_STATS; }
    action quit     { h->verb = VERB_QUIT; }
    action quitq    { h->verb = VERB_QUIT; h->quiet = true; }
    action noop     { h->verb = VERB_NOOP; }
    action version  { h->verb = VERB_VERSION; }

    # by its whole way: the name alone would be found to be this file
    include binary_grammar "../../proto/binary.rl";

    main := head;

    write data noerror nofinal noentry;
}%%

static void head_read(struct head *h, const char *data)
{
    const unsigned char *p = (const unsigned char *)data;
    const unsigned char *const pe = p + PACKET_HEAD;
    int cs;

    *h = (struct head){
        .verb = VERB_UNKNOWN,
        .key_len = bytes_get_be16(data + 2),
        .extras_len = (uint8_t)data[4],
        .body_len = bytes_get_be32(data + 8),
        .cas = bytes_get_be64(data + 16),
    };
    %% write init;
    %% write exec;
}

/* The head alone shows that no body can be told from what follows it. */
static enum cmd_error judge_head(const struct head *h, struct parse *p)
{
    p->close = true;
    if (h->key_len + h->extras_len > h->body_len)
        return CMD_ERROR;
    if (h->body_len > BODY_MAX || h->key_len > KEY_MAX)
        return CMD_BAD_FORMAT;
    p->close = false;
    return CMD_OK;
}

/* Only what stores has a value. */
static enum cmd_error judge_form(const struct head *h, struct cmd *cmd, struct parse *p)
{
    if (h->verb == VERB_UNKNOWN) {
        p->swallow = true;
        return CMD_ERROR;
    }
    if (!h->whole || (cmd->value_len > 0 && !verb_has_value(h->verb))) {
        p->close = true;
        return CMD_BAD_FORMAT;
    }
    return CMD_OK;
}

/* A cas in the head is a condition, for whatever has a key. */
static void take_cas(const struct head *h, struct cmd *cmd)
{
    cmd->cas = h->cas;
    if (h->cas == 0 || verb_is_get(cmd->verb))
        return;
    if (cmd->verb == VERB_SET || cmd->verb == VERB_ADD || cmd->verb == VERB_REPLACE)
        cmd->verb = VERB_CAS;
    else
        cmd->options |= OPTION_COMPARE;
}

static void take_extras(const struct head *h, struct cmd *cmd, const char *extras)
{
    uint32_t expiration;

    switch (h->verb) {
    case VERB_SET: case VERB_ADD: case VERB_REPLACE:
        cmd->client_flags = bytes_get_be32(extras);
        cmd->exptime = bytes_get_be32(extras + 4);
        break;
    case VERB_INCR: case VERB_DECR:
        cmd->delta = bytes_get_be64(extras);
        cmd->initial = bytes_get_be64(extras + 8);
        expiration = bytes_get_be32(extras + 16);
        cmd->vivify_exptime = expiration;
        cmd->options |= expiration != NO_VIVIFY ? OPTION_VIVIFY : 0;
        break;
    case VERB_GAT: case VERB_FLUSH_ALL:
        cmd->exptime = h->extras_len > 0 ? bytes_get_be32(extras) : 0;
        break;
    default:
        break;
    }
}

/* Key and extras have arrived. */
static void take_body(const struct head *h, struct cmd *cmd, const char *extras)
{
    take_cas(h, cmd);
    take_extras(h, cmd, extras);
    cmd->options |= h->no_value ? OPTION_NO_VALUE : 0;
    cmd->key = extras + h->extras_len;
    cmd->key_len = h->key_len;
    if (h->verb == VERB_STATS) {
        cmd->args = cmd->key;
        cmd->args_len = cmd->key_len;
    }
}

enum parse_status binary_parse(struct parse *p, const char *data, size_t len, struct cmd *cmd)
{
    struct head h;

    p->pos = len;
    if (len > 0 && (unsigned char)data[0] != BINARY_MAGIC) {
        cmd_clear(cmd);
        cmd->verb = VERB_UNKNOWN;
        cmd->error = CMD_HANG_UP;
        p->close = true;
        p->len = len;
        return PARSE_DONE;
    }
    if (len < PACKET_HEAD)
        return PARSE_MORE;
    head_read(&h, data);
    cmd_clear(cmd);
    cmd->verb = h.verb;
    cmd->form.protocol = PROTOCOL_BINARY;
    cmd->form.quiet = h.quiet;
    cmd->form.with_key = h.with_key;
    cmd->form.opcode = (uint8_t)data[1];
    memcpy(cmd->form.opaque, data + 12, PACKET_OPAQUE);
    p->len = PACKET_HEAD + (size_t)h.key_len + h.extras_len;
    cmd->error = judge_head(&h, p);
    if (cmd->error != CMD_OK)
        return PARSE_DONE;
    cmd->value_len = h.body_len - h.key_len - h.extras_len;
    cmd->error = judge_form(&h, cmd, p);
    if (p->close)
        return PARSE_DONE;
    if (len < p->len)
        return PARSE_MORE;
    if (cmd->error == CMD_OK)
        take_body(&h, cmd, data + PACKET_HEAD);
    return PARSE_DONE;
}

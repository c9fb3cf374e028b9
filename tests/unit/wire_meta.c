#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/meta.h"
#include "wire_help.h"

#define O31 "Oooooooooooooooooooooooooooooooo"      /* as long as it may be */
#define A248 "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB" \
             "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB" \
             "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB" \
             "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"
#define F17 "c f h k l q s t u v x I L P E1 C1 F1"

#define WALL_MS INT64_C(1700000000000)

static const struct line_case lines[] = {
    /* mn */
    { LINE("mn"), "mn" },
    { LINE("mn "), "mn" },
    { LINE("mn x"), "mn" },
    { LINE("mn noreply"), "mn" },
    { LINE("mn k q"), "mn" },
    { LINE("mn\0"), "? !unknown" },
    { LINE("mn \0"), "mn !format" },
    { LINE("m"), "? !format" },
    { LINE("mm"), "? !unknown" },
    { LINE("mx a"), "? !unknown" },
    { LINE("mgx a"), "? !unknown" },
    { LINE("MG a"), "? !unknown" },
    { LINE(" mg a"), "? !unknown" },

    /* mg */
    { LINE("mg"), "get !format" },
    { LINE("mg "), "get !format" },
    { LINE("mg a"), "get key=a win novalue" },
    { LINE("mg  a "), "get key=a win novalue" },
    { LINE("mg a v"), "get key=a win letters=v" },
    { LINE("mg  a  s   v "), "get key=a win letters=sv" },
    { LINE("mg a sx vx"), "get key=a win letters=sv" },
    { LINE("mg a c f h k l s t"), "get key=a win novalue letters=cfhklst" },
    { LINE("mg a t s l k h f c"), "get key=a win novalue letters=tslkhfc" },
    { LINE("mg a q"), "get quiet key=a win novalue letters=q" },
    { LINE("mg a noreply"), "get !flag" },
    { LINE("mg a u"), "get key=a win novalue nouse letters=u" },
    { LINE("mg a Oabc v"), "get key=a win letters=Ov opaque=Oabc" },
    { LINE("mg a O"), "get key=a win novalue letters=O opaque=O" },
    { LINE("mg a " O31), "get key=a win novalue letters=O opaque=" O31 },
    { LINE("mg a T30"), "gat key=a win novalue exptime=30 letters=T" },
    { LINE("mg a T-1 v"), "gat key=a win exptime=-1 letters=Tv" },
    { LINE("mg a T0"), "gat key=a win novalue exptime=0 letters=T" },
    { LINE("mg a T99999999999"), "gat key=a win novalue exptime=99999999999 letters=T" },
    { LINE("mg a N30"), "get key=a win novalue vivify=30 letters=N" },
    { LINE("mg a N-1"), "get key=a win novalue vivify=-1 letters=N" },
    { LINE("mg a T60 N30"), "gat key=a win novalue exptime=60 vivify=30 letters=TN" },
    { LINE("mg a N30 T60"), "gat key=a win novalue exptime=60 vivify=30 ttl-last letters=NT" },
    { LINE("mg a R30"), "get key=a win novalue recache=30 letters=R" },
    { LINE("mg a R30 T60"), "gat key=a win novalue exptime=60 recache=30 letters=RT" },
    { LINE("mg a T60 R30"), "gat key=a win novalue first exptime=60 recache=30 letters=TR" },
    { LINE("mg a C7 v"), "get key=a win compare=7 letters=Cv" },
    { LINE("mg a C0"), "get key=a win novalue compare=0 letters=C" },
    { LINE("mg a C18446744073709551615"),
      "get key=a win novalue compare=18446744073709551615 letters=C" },
    { LINE("mg a E5 N0"), "get key=a win novalue token=5 vivify=0 letters=EN" },
    { LINE("mg a E0 N0"), "get key=a win novalue vivify=0 letters=EN" },
    { LINE("mg YQ== b"), "get key=a base64 win novalue letters=b" },
    { LINE("mg YQ== b N0"), "get key=a base64 win novalue encoded vivify=0 letters=bN" },
    { LINE("mg YQ== k b v"), "get key=a base64 win letters=kbv" },
    { LINE("mg YQ== bx"), "get key=a base64 win novalue letters=b" },
    { LINE("mg AA0K b"), "get key=[000d0a] base64 win novalue letters=b" },
    { LINE("mg " A248 " b"), "get key=<186> base64 win novalue letters=b" },
    { LINE("mg " K250), "get key=<250> win novalue" },
    /* ... what means nothing to it is not sent along */
    { LINE("mg a E5"), "get key=a win novalue letters=E" },
    { LINE("mg a I x D3 J4 F5 M L P"), "get key=a win novalue letters=IxDJFMLP" },
    { LINE("mg a Mxyz"), "get key=a win novalue letters=M" },

    /* ms */
    { LINE("ms"), "set !format" },
    { LINE("ms a"), "set !format" },
    { LINE("ms a "), "set !format" },
    { LINE("ms 5"), "set !format close" },
    { LINE("ms a 5"), "set key=a flags=0 exptime=0 bytes=5" },
    { LINE("ms  a  5 "), "set key=a flags=0 exptime=0 bytes=5" },
    { LINE("ms a 05"), "set key=a flags=0 exptime=0 bytes=5" },
    { LINE("ms a 2147483645"), "set key=a flags=0 exptime=0 bytes=2147483645" },
    { LINE("ms a 5 F9 T30"), "set key=a flags=9 exptime=30 bytes=5 letters=FT" },
    { LINE("ms a 5 F4294967295 T-1"),
      "set key=a flags=4294967295 exptime=-1 bytes=5 letters=FT" },
    { LINE("ms a 5 q k Oq c s"),
      "set quiet key=a flags=0 exptime=0 bytes=5 letters=qkOcs opaque=Oq" },
    { LINE("ms a 5 E8"), "set key=a flags=0 exptime=0 bytes=5 token=8 letters=E" },
    { LINE("ms a 5 E0"), "set key=a flags=0 exptime=0 bytes=5 letters=E" },
    { LINE("ms YQ== 5 b"), "set key=a base64 encoded flags=0 exptime=0 bytes=5 letters=b" },
    { LINE("ms a 5 MS"), "set key=a flags=0 exptime=0 bytes=5 letters=M" },
    { LINE("ms a 5 MSE"), "set key=a flags=0 exptime=0 bytes=5 letters=M" },
    { LINE("ms a 5 ME"), "add key=a flags=0 exptime=0 bytes=5 letters=M" },
    { LINE("ms a 5 MR"), "replace key=a flags=0 exptime=0 bytes=5 letters=M" },
    { LINE("ms a 5 MA"), "append key=a flags=0 exptime=0 bytes=5 letters=M" },
    { LINE("ms a 5 MP"), "prepend key=a flags=0 exptime=0 bytes=5 letters=M" },
    { LINE("ms a 5 C7"), "cas key=a cas=7 flags=0 exptime=0 bytes=5 letters=C" },
    { LINE("ms a 5 C0"), "cas key=a cas=0 flags=0 exptime=0 bytes=5 letters=C" },
    { LINE("ms a 5 C7 MS"), "cas key=a cas=7 flags=0 exptime=0 bytes=5 letters=CM" },
    { LINE("ms a 5 MR C7"), "cas key=a cas=7 flags=0 exptime=0 bytes=5 letters=MC" },
    { LINE("ms a 5 C7 I"), "cas key=a stale cas=7 flags=0 exptime=0 bytes=5 letters=CI" },
    { LINE("ms a 5 MA C7"), "append key=a compare=7 flags=0 exptime=0 bytes=5 letters=MC" },
    { LINE("ms a 5 MP N30"), "prepend key=a flags=0 exptime=0 bytes=5 vivify=30 letters=MN" },
    { LINE("ms a 5 MA N30 T60 E3"),
      "append key=a flags=0 exptime=60 bytes=5 token=3 vivify=30 letters=MNTE" },
    /* ... what means nothing to it */
    { LINE("ms a 5 ME C7 I"), "add key=a flags=0 exptime=0 bytes=5 letters=MCI" },
    { LINE("ms a 5 I"), "set key=a flags=0 exptime=0 bytes=5 letters=I" },
    { LINE("ms a 5 MA I"), "append key=a flags=0 exptime=0 bytes=5 letters=MI" },
    { LINE("ms a 5 N30 R30 u x v t f h l"),
      "set key=a flags=0 exptime=0 bytes=5 letters=NRuxvtfhl" },

    /* md */
    { LINE("md"), "delete !format" },
    { LINE("md a"), "delete key=a" },
    { LINE("md a q k Ox"), "delete quiet key=a letters=qkO opaque=Ox" },
    { LINE("md a C7"), "delete key=a compare=7 letters=C" },
    { LINE("md a C0"), "delete key=a compare=0 letters=C" },
    { LINE("md a I T30"), "delete key=a stale exptime=30 letters=IT" },
    { LINE("md a x F9 E3"), "delete key=a empty flags=9 token=3 letters=xFE" },
    { LINE("md YQ== x I b"), "delete key=a base64 encoded stale empty letters=xIb" },
    { LINE("md a N30 R30 u v D3 J4 c s t f h l M"), "delete key=a letters=NRuvDJcstfhlM" },

    /* ma */
    { LINE("ma"), "incr !format" },
    { LINE("ma a"), "incr key=a delta=1" },
    { LINE("ma a D5 MI"), "incr key=a delta=5 letters=DM" },
    { LINE("ma a M+"), "incr key=a delta=1 letters=M" },
    { LINE("ma a M-"), "decr key=a delta=1 letters=M" },
    { LINE("ma a MD D0"), "decr key=a delta=0 letters=MD" },
    { LINE("ma a MDI"), "decr key=a delta=1 letters=M" },
    { LINE("ma a D18446744073709551615"), "incr key=a delta=18446744073709551615 letters=D" },
    { LINE("ma a q k v c t O7"), "incr quiet key=a delta=1 letters=qkvctO opaque=O7" },
    { LINE("ma a N30 J13"), "incr key=a delta=1 vivify=30 initial=13 letters=NJ" },
    { LINE("ma a N30 T60"), "incr key=a exptime=60 delta=1 vivify=30 ttl-last initial=0 letters=NT" },
    { LINE("ma a T60 N30"), "incr key=a exptime=60 delta=1 vivify=30 initial=0 letters=TN" },
    { LINE("ma a C7 E8"), "incr key=a compare=7 delta=1 token=8 letters=CE" },
    { LINE("ma YQ== b"), "incr key=a base64 encoded delta=1 letters=b" },
    { LINE("ma a I x u R30 s f h l"), "incr key=a delta=1 letters=IxuRsfhl" },

    /* me: a b and nothing else */
    { LINE("me"), "get !format" },
    { LINE("me a"), "get key=a novalue nouse" },
    { LINE("me a v k q T30 zz k"), "get key=a novalue nouse" },
    { LINE("me a v b"), "get key=a novalue nouse" },
    { LINE("me a bx"), "get key=a novalue nouse" },
    { LINE("me YQ== b"), "get key=a base64 novalue nouse" },
    { LINE("me YQ== b zz"), "get key=a base64 novalue nouse" },
    { LINE("me a b"), "get !format" },
    { LINE("me " K250), "get key=<250> novalue nouse" },
    { LINE("me " K250 "k"), "get !format" },
    { LINE("me a {"), "get !format" },

    /* lengths that are none: what follows cannot be told from commands */
    { LINE("ms a x"), "set !format close" },
    { LINE("ms a -1"), "set !format close" },
    { LINE("ms a +1"), "set !format close" },
    { LINE("ms a 5x"), "set !format close" },
    { LINE("ms a S5"), "set !format close" },
    { LINE("ms a 2147483648"), "set !format close" },
    { LINE("ms a b 5"), "set !format close" },
    { LINE("ms " K250 "k x"), "set !format close" },
    { LINE("ms a 2147483646"), "set !format swallow=2147483646" },
    { LINE("ms a 2147483647 k"), "set !format swallow=2147483647" },

    /* what makes the line malformed, whatever else is wrong with it */
    { LINE("mg a\0b"), "get !format" },
    { LINE("mg a\rb"), "get !format" },
    { LINE("mg a v\r"), "get !format" },
    { LINE("mg a O\0"), "get !format" },
    { LINE("ma a\0b z"), "incr !format" },
    { LINE("ms a 5 O\0"), "set !format swallow=5" },
    { LINE("mg a ~"), "get !format" },
    { LINE("mg a !"), "get !format" },
    { LINE("mg a @"), "get !format" },
    { LINE("mg a {"), "get !format" },
    { LINE("mg a \177"), "get !format" },
    { LINE("mg a \200"), "get !format" },
    { LINE("mg a \377 k k z"), "get !format" },
    { LINE("mg a k k z -"), "get !format" },
    { LINE("ma a -"), "incr !format" },
    { LINE("md a \tk"), "delete !format" },
    { LINE("ms a 5 {"), "set !format swallow=5" },

    /* then a key that is too long; of ma nothing closer is told */
    { LINE("mg " K250 "k"), "get !format" },
    { LINE("mg " K250 "k " F17 " J1 D1"), "get !format" },
    { LINE("mg " K250 "k b"), "get !format" },
    { LINE("mg " K250 "k k k"), "get !format" },
    { LINE("md " K250 "k z"), "delete !format" },
    { LINE("ms " K250 "k 5"), "set !format swallow=5" },
    { LINE("ma " K250 "k"), "incr !maflag" },
    { LINE("ma " K250 "k {"), "incr !format" },

    /* then too many flags */
    { LINE("mg a " F17 " J1"),
      "get quiet key=a win nouse compare=1 letters=cfhklqstuvxILPECFJ" },
    { LINE("mg a " F17 " J1 D1"), "get !many" },
    { LINE("mg a k k z " F17), "get !many" },
    { LINE("md a " F17 " J1 D1"), "delete !many" },
    { LINE("ms a 5 " F17), "cas quiet key=a stale cas=1 flags=1 exptime=0 bytes=5 token=1"
                           " letters=cfhklqstuvxILPECF" },
    { LINE("ms a 5 " F17 " J1"), "set !many swallow=5" },
    { LINE("ma a " F17 " J1 D1"), "incr !maflag" },

    /* then what ends the search for more: a flag that is none, or comes twice */
    { LINE("mg a z"), "get !flag" },
    { LINE("mg a k 0"), "get !flag" },
    { LINE("mg a V"), "get !flag" },
    { LINE("mg a [ k"), "get !flag" },
    { LINE("mg a k k"), "get !twice" },
    { LINE("mg a T30 T30"), "get !twice" },
    { LINE("mg a Ox q Oy"), "get !twice" },
    { LINE("mg a k k z"), "get !twice" },
    { LINE("mg a z k k"), "get !flag" },
    { LINE("mg a Tx z"), "get !flag" },
    { LINE("mg a q Tx k k"), "get !twice" },
    { LINE("mg !!!! b z"), "get !flag" },
    { LINE("mg a k k " O31 "o"), "get !twice" },
    { LINE("md a zk"), "delete !flag" },
    { LINE("md a q q"), "delete !twice" },
    { LINE("ms a 5 z"), "set !flag swallow=5" },
    { LINE("ms a 5 S5"), "set !flag swallow=5" },
    { LINE("ms a 5 q q"), "set !twice swallow=5" },
    { LINE("ms a 5 Mx Mx"), "set !twice swallow=5" },
    { LINE("ma a z"), "incr !maflag" },
    { LINE("ma a k k"), "incr !maflag" },

    /* then arguments: the last that is wrong is told, and F by no word of its own */
    { LINE("mg a T"), "get !token" },
    { LINE("mg a Tx"), "get !token" },
    { LINE("mg a T1x"), "get !token" },
    { LINE("mg a T+1"), "get !token" },
    { LINE("mg a N"), "get !token" },
    { LINE("mg a R1."), "get !token" },
    { LINE("mg a C"), "get !token" },
    { LINE("mg a C-1"), "get !token" },
    { LINE("mg a C18446744073709551616"), "get !token" },
    { LINE("mg a E"), "get !token" },
    { LINE("mg a Ex"), "get !token" },
    { LINE("mg a J"), "get !initial" },
    { LINE("mg a J-1"), "get !initial" },
    { LINE("mg a D"), "get !metadelta" },
    { LINE("mg a Dx"), "get !metadelta" },
    { LINE("mg a F"), "get !format" },
    { LINE("mg a F-1"), "get !format" },
    { LINE("mg a F4294967296"), "get !format" },
    { LINE("mg !!!! b"), "get !key" },
    { LINE("mg YQ= b"), "get !key" },
    { LINE("mg " K250 " b"), "get !key" },
    { LINE("mg !!!! b Tx"), "get !token" },
    { LINE("mg !!!! Tx b"), "get !key" },
    { LINE("mg !!!! b q Fx"), "get !key" },
    { LINE("mg a Jx Dx"), "get !metadelta" },
    { LINE("mg a Dx Jx"), "get !initial" },
    { LINE("mg a Tx Fx"), "get !token" },
    { LINE("mg a Fx Tx"), "get !token" },
    { LINE("md a q Cx"), "delete !token" },
    { LINE("ms a 5 q Tx"), "set !token swallow=5" },
    { LINE("ms a 5 Fx"), "set !format swallow=5" },
    { LINE("ms !!!! 5 b"), "set !key swallow=5" },
    { LINE("ms a 5 Tx Mx"), "set !token swallow=5" },
    { LINE("ms a 5 Mx Tx"), "set !token swallow=5" },
    { LINE("ma a Tx"), "incr !maflag" },
    { LINE("ma a Dx"), "incr !maflag" },
    { LINE("ma a Fx"), "incr !maflag" },
    { LINE("ma a q !!!!x"), "incr !format" },
    { LINE("ma !!!! b"), "incr !maflag" },
    { LINE("ma a Mx Tx"), "incr !maflag" },

    /* then the mode */
    { LINE("ms a 5 M"), "set !msmode swallow=5" },
    { LINE("ms a 5 M k"), "set !msmode swallow=5" },
    { LINE("ms a 5 Ms"), "set !msmode swallow=5" },
    { LINE("ms a 5 MI"), "set !msmode swallow=5" },
    { LINE("ma a M"), "incr !mamode" },
    { LINE("ma a Mi q"), "incr !mamode" },
    { LINE("ma a ME"), "incr !mamode" },

    /* and last the opaque */
    { LINE("mg a " O31 "o"), "get !opaque" },
    { LINE("mg a q " O31 "o"), "get !opaque" },
    { LINE("mg a O" K250), "get !opaque" },
    { LINE("mg a O" K250 K50), "get !opaque" },
    { LINE("md a q " O31 "o"), "delete !opaque" },
    { LINE("ms a 5 q " O31 "o"), "set !opaque swallow=5" },
    { LINE("ma a " O31 "o"), "incr !opaque" },
    { LINE("mg a Tx " O31 "o"), "get !token" },
    { LINE("mg a " O31 "o Tx"), "get !token" },
    { LINE("ma a " O31 "o Tx"), "incr !maflag" },
    { LINE("ms a 5 " O31 "o Mx"), "set !msmode swallow=5" },
    { LINE("ma a Mx " O31 "o"), "incr !mamode" },
    { LINE("me a " O31 "o"), "get key=a novalue nouse" },
};

static void say_key(struct description *d, const struct cmd *cmd)
{
    if (cmd->key_len > 100) {
        say(d, " key=<%zu>", cmd->key_len);
    } else if (cmd->key[0] > ' ') {
        say(d, " key=%.*s", (int)cmd->key_len, cmd->key);
    } else {
        say(d, " key=[");
        for (size_t i = 0; i < cmd->key_len; i++)
            say(d, "%02x", (unsigned char)cmd->key[i]);
        say(d, "]");
    }
    if (cmd->form.key_encoded)
        say(d, " base64");
}

static void say_options(struct description *d, const struct cmd *cmd)
{
    static const struct { unsigned option; const char *name; } names[] = {
        { OPTION_WIN, "win" }, { OPTION_NO_VALUE, "novalue" }, { OPTION_NO_USE, "nouse" },
        { OPTION_KEY_ENCODED, "encoded" }, { OPTION_INVALIDATE, "stale" },
        { OPTION_REMOVE_VALUE, "empty" }, { OPTION_TTL_FIRST, "first" },
    };

    assert_int_equal(cmd->options & ~OPTIONS_ALL, 0);
    for (size_t i = 0; i < N_OF(names); i++)
        if ((cmd->options & names[i].option) != 0)
            say(d, " %s", names[i].name);
    if ((cmd->options & OPTION_COMPARE) != 0)
        say(d, " compare=%llu", (unsigned long long)cmd->cas);
    else if (cmd->verb == VERB_CAS)
        say(d, " cas=%llu", (unsigned long long)cmd->cas);
}

static void say_arguments(struct description *d, const struct cmd *cmd)
{
    const bool counts = cmd->verb == VERB_INCR || cmd->verb == VERB_DECR;

    if (verb_has_value(cmd->verb) || (cmd->options & OPTION_REMOVE_VALUE
                                      && cmd->client_flags != 0))
        say(d, " flags=%u", cmd->client_flags);
    if (verb_has_value(cmd->verb) || cmd->verb == VERB_GAT
        || (cmd->options & OPTION_TTL) != 0)
        say(d, " exptime=%lld", (long long)cmd->exptime);
    if (verb_has_value(cmd->verb))
        say(d, " bytes=%zu", cmd->value_len);
    if (counts)
        say(d, " delta=%llu", (unsigned long long)cmd->delta);
    if ((cmd->options & OPTION_TOKEN) != 0)
        say(d, " token=%llu", (unsigned long long)cmd->token);
    if ((cmd->options & OPTION_VIVIFY) != 0)
        say(d, " vivify=%lld%s", (long long)cmd->vivify_exptime,
            cmd->ttl_is_last ? " ttl-last" : "");
    if ((cmd->options & OPTION_VIVIFY) != 0 && counts)
        say(d, " initial=%llu", (unsigned long long)cmd->initial);
    if ((cmd->options & OPTION_RECACHE) != 0)
        say(d, " recache=%lld", (long long)cmd->recache_exptime);
}

static void describe(struct description *d, const struct parse *p, const struct cmd *cmd)
{
    if (!say_verb(d, p, cmd))
        return;
    if (cmd->verb == VERB_NOOP)
        return;
    assert_int_equal(cmd->form.protocol, PROTOCOL_META);
    assert_in_range(cmd->key_len, 1, KEY_MAX);
    say_key(d, cmd);
    say_options(d, cmd);
    say_arguments(d, cmd);
    if (cmd->form.n_letters > 0)
        say(d, " letters=%.*s", cmd->form.n_letters, cmd->form.letters);
    if (cmd->form.opaque_len > 0)
        say(d, " opaque=%.*s", cmd->form.opaque_len, cmd->form.opaque);
}

static const struct dialect meta = { text_parse, describe };

/* ... as it comes in two pieces, cut at every byte. */
static void becomes_its_command(const struct line_case *c, const char *end)
{
    const size_t len = c->len + strlen(end);
    char *line = joined(c->line, c->len, end, strlen(end));

    for (size_t cut = 0; cut < len; cut++) {
        struct result r;

        arrives(&meta, &r, line, (size_t[]){ cut, len }, 2, c->meaning);
        if (r.cmd.error == CMD_OK && r.cmd.verb != VERB_NOOP)
            assert_int_equal(r.cmd.form.meta, c->line[1]);
    }
    free(line);
}

static void a_meta_line_becomes_its_command(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(lines); i++) {
        const struct line_case *c = &lines[i];

        becomes_its_command(c, "\r\n");
        if (c->len >= 3 && c->line[c->len - 1] != '\r')
            becomes_its_command(c, "\n");       /* "mn\n" is too short a line, see below */
    }
}

static void a_line_of_three_bytes_is_malformed(void **state)
{
    static const struct line_case c = { LINE("mn"), "mn !format" };

    (void)state;
    becomes_its_command(&c, "\n");
}

/* A key of a line may not outlive it: in base64 it lies in the parse. */
static void a_decoded_key_is_where_the_parse_keeps_it(void **state)
{
    char line[] = "mg Zm9v b\n";
    struct result r;

    (void)state;
    parse_line(&r, line, sizeof(line) - 1);
    assert_ptr_equal(r.cmd.key, r.parse.key);
    assert_int_equal(r.cmd.key_len, 3);
    assert_memory_equal(r.parse.key, "foo", 3);
}

static void a_line_without_an_end_is_too_long(void **state)
{
    static const char *const starts[] = { "mg a ", "ms a 5 ", "md a ", "ma a ", "me a ", "mn " };

    (void)state;
    for (size_t i = 0; i < N_OF(starts); i++) {
        char *data = malloc(TEXT_LINE_MAX);
        struct result r;

        assert_non_null(data);
        memset(data, 'k', TEXT_LINE_MAX);
        memcpy(data, starts[i], strlen(starts[i]));
        parse_line(&r, data, TEXT_LINE_MAX);
        assert_int_equal(r.cmd.error, CMD_TOO_LONG);
        assert_true(r.parse.close);
        free(data);
    }
}

static void times_are_settled_for_the_store_and_for_the_answer(void **state)
{
    char line[] = "mg a T30 N1700000090 R-1\n";
    struct result r;

    (void)state;
    parse_line(&r, line, sizeof(line) - 1);
    cmd_settle_times(&r.cmd, WALL_MS);
    assert_int_equal(r.cmd.ttl_ms, 30000);
    assert_int_equal(r.cmd.vivify_ttl_ms, 90000);
    assert_int_equal(r.cmd.recache_ttl_ms, TTL_OVER);
    assert_int_equal(r.cmd.form.ttl_ms, 30000);
    assert_int_equal(r.cmd.form.vivify_ttl_ms, 90000);
}

/* ---- answers ---- */

#define S(name) .status = STATUS_##name

/* What a command is told, the value of a hit left out. */
static const struct answer_case {
    const char *line;           /* the command; for ms without its block */
    struct answer answer;
    const char *reply;
} answers[] = {
    /* mg: a hit, its value or not */
    { "mg a v", { S(HIT), .value_len = 5 }, "VA 5" },
    { "mg a v", { S(HIT), .value_len = 0 }, "VA 0" },
    { "mg a", { S(HEAD), .number = 5 }, "HD" },
    { "mg a v C7", { S(HEAD), .number = 5 }, "HD" },
    { "mg a q v", { S(HIT), .value_len = 5 }, "VA 5" },
    { "mg a q", { S(HEAD) }, "HD" },
    /* ... what it tells, in the order asked */
    { "mg a s", { S(HEAD), .number = 5, .value_len = 9 }, "HD s5" },
    { "mg a s v", { S(HIT), .number = 9, .value_len = 5 }, "VA 5 s5" },
    { "mg a f", { S(HEAD), .client_flags = 4294967295 }, "HD f4294967295" },
    { "mg a f", { S(HEAD) }, "HD f0" },
    { "mg a c", { S(HEAD), .version = 7 }, "HD c7" },
    { "mg a c", { S(HEAD), .version = UINT64_MAX }, "HD c18446744073709551615" },
    { "mg a c", { S(HEAD), .version = 7, .token = 8 }, "HD c7" },
    { "mg a c", { S(HEAD), .version = 7, .token = 8, .marks = MARK_TOKEN }, "HD c8" },
    { "mg a l", { S(HEAD), .idle_s = 12 }, "HD l12" },
    { "mg a h", { S(HEAD) }, "HD h0" },
    { "mg a h", { S(HEAD), .marks = MARK_FETCHED }, "HD h1" },
    { "mg a k", { S(HEAD) }, "HD ka" },
    { "mg a Oxyz", { S(HEAD) }, "HD Oxyz" },
    { "mg a O", { S(HEAD) }, "HD O" },
    { "mg a c f h k l Oo s t v q u",
      { S(HIT), .version = 1, .client_flags = 2, .marks = MARK_FETCHED, .idle_s = 4,
        .ttl_ms = 5000, .value_len = 6 }, "VA 6 c1 f2 h1 ka l4 Oo s6 t5" },
    { "mg a u q v t s Oo l k h f c",
      { S(HIT), .version = 1, .client_flags = 2, .marks = MARK_FETCHED, .idle_s = 4,
        .ttl_ms = 5000, .value_len = 6 }, "VA 6 t5 s6 Oo l4 ka h1 f2 c1" },
    { "mg a M L P I x D1 J1 F1 E1 C1 R1", { S(HEAD) }, "HD" },
    /* ... seconds to live, a begun one in full */
    { "mg a t", { S(HEAD), .ttl_ms = TTL_NEVER }, "HD t-1" },
    { "mg a t", { S(HEAD), .ttl_ms = 1 }, "HD t1" },
    { "mg a t", { S(HEAD), .ttl_ms = 1000 }, "HD t1" },
    { "mg a t", { S(HEAD), .ttl_ms = 1001 }, "HD t2" },
    /* ... as they are at this place of the line */
    { "mg a t T30", { S(HEAD), .ttl_ms = 5000 }, "HD t5" },
    { "mg a T30 t", { S(HEAD), .ttl_ms = 5000 }, "HD t30" },
    { "mg a T0 t", { S(HEAD), .ttl_ms = 5000 }, "HD t-1" },
    { "mg a T-1 t", { S(HEAD), .ttl_ms = 5000 }, "HD t0" },
    { "mg a N30 t", { S(HEAD), .ttl_ms = 5000 }, "HD t5" },
    { "mg a R30 t", { S(HEAD), .ttl_ms = 5000 }, "HD t5" },
    { "mg a N30 t", { S(HEAD), .marks = MARK_CREATED | MARK_WIN }, "HD t30 W" },
    { "mg a t N30", { S(HEAD), .marks = MARK_CREATED | MARK_WIN, .ttl_ms = 5000 },
      "HD t-1 W" },
    { "mg a N30 t T60", { S(HEAD), .marks = MARK_CREATED | MARK_WIN }, "HD t30 W" },
    { "mg a T60 t N30", { S(HEAD), .marks = MARK_CREATED | MARK_WIN }, "HD t60 W" },
    { "mg a T60 N30 t", { S(HEAD), .marks = MARK_CREATED | MARK_WIN }, "HD t30 W" },
    { "mg a N0 t", { S(HEAD), .marks = MARK_CREATED | MARK_WIN }, "HD t-1 W" },
    { "mg a N30 v", { S(HIT), .marks = MARK_CREATED | MARK_WIN }, "VA 0 W" },
    /* ... and behind all others who won */
    { "mg a k", { S(HEAD), .marks = MARK_WIN }, "HD ka W" },
    { "mg a k", { S(HEAD), .marks = MARK_STALE }, "HD ka X" },
    { "mg a k", { S(HEAD), .marks = MARK_WON }, "HD ka Z" },
    { "mg a", { S(HEAD), .marks = MARK_STALE | MARK_WIN }, "HD X W" },
    { "mg a", { S(HEAD), .marks = MARK_STALE | MARK_WON }, "HD Z X" },
    { "mg a", { S(HEAD), .marks = MARK_WON | MARK_STALE | MARK_WIN }, "HD Z X W" },
    { "mg a v", { S(HIT), .marks = MARK_STALE | MARK_WIN, .value_len = 1 }, "VA 1 X W" },
    /* ... the key as the item has it, not as it was asked for */
    { "mg a k", { S(HEAD), .marks = MARK_KEY_ENCODED }, "HD kYQ== b" },
    { "mg YQ== b k", { S(HEAD) }, "HD ka" },
    { "mg YQ== k b", { S(HEAD), .marks = MARK_KEY_ENCODED }, "HD kYQ== b" },
    { "mg AA0K b k Oo", { S(HEAD), .marks = MARK_KEY_ENCODED }, "HD kAA0K b Oo" },
    { "mg YQ== b", { S(HEAD), .marks = MARK_KEY_ENCODED }, "HD" },

    /* mg: a miss tells what it was sent */
    { "mg a", { S(NOT_FOUND) }, "EN" },
    { "mg a v s t c f h l", { S(NOT_FOUND) }, "EN" },
    { "mg a Oo v k", { S(NOT_FOUND) }, "EN Oo ka" },
    { "mg a k T30 Oo", { S(NOT_FOUND) }, "EN ka Oo" },
    { "mg YQ== k b", { S(NOT_FOUND) }, "EN kYQ== b" },
    { "mg a q", { S(NOT_FOUND) }, NULL },
    { "mg a q k Oo", { S(NOT_FOUND) }, NULL },

    /* me */
    { "me a", { S(HEAD), .number = 5, .version = 7 },
      "ME a exp=-1 la=0 cas=7 fetch=no cls=1 size=70" },
    { "me a", { S(HEAD), .number = 0, .version = 7, .token = 9, .ttl_ms = 1500, .idle_s = 3,
                .marks = MARK_FETCHED | MARK_TOKEN | MARK_STALE | MARK_WON },
      "ME a exp=2 la=3 cas=9 fetch=yes cls=1 size=65" },
    { "me YQ== b", { S(HEAD), .marks = MARK_KEY_ENCODED },
      "ME YQ== exp=-1 la=0 cas=0 fetch=no cls=1 size=65" },
    { "me YQ== b", { S(HEAD) }, "ME a exp=-1 la=0 cas=0 fetch=no cls=1 size=65" },
    { "me a k q Oo", { S(NOT_FOUND) }, "EN" },
    { "me YQ== b", { S(NOT_FOUND) }, "EN" },

    /* ms: all its flags, whatever became of it */
    { "ms a 5", { S(STORED), .version = 7, .number = 5 }, "HD" },
    { "ms a 5 k c s Oo", { S(STORED), .version = 7, .number = 5 }, "HD ka c7 s5 Oo" },
    { "ms a 5 Oo s c k", { S(STORED), .version = 7, .number = 5 }, "HD Oo s5 c7 ka" },
    { "ms a 5 c E9", { S(STORED), .version = 7, .token = 9, .marks = MARK_TOKEN }, "HD c9" },
    { "ms a 5 MA s", { S(STORED), .number = 25 }, "HD s25" },
    { "ms YQ== 5 b k", { S(STORED) }, "HD kYQ== b" },
    { "ms YQ== 5 k b", { S(EXISTS) }, "EX kYQ== b" },
    { "ms a 5 t f h l v", { S(STORED) }, "HD" },
    { "ms a 5 q", { S(STORED) }, NULL },
    { "ms a 5 q k c s", { S(STORED) }, NULL },
    { "ms a 5 ME", { S(NOT_STORED) }, "NS" },
    { "ms a 5 ME q k c s Oo", { S(NOT_STORED) }, "NS ka c0 s5 Oo" },
    { "ms a 5 C7 q k c s", { S(EXISTS) }, "EX ka c0 s5" },
    { "ms a 5 C7 q s", { S(NOT_FOUND) }, "NF s5" },
    { "ms a 5 q k", { S(TOO_LARGE) }, "SERVER_ERROR object too large for cache" },
    { "ms a 5 q k", { S(NO_MEMORY) }, "SERVER_ERROR out of memory storing object" },

    /* md: opaque and key only */
    { "md a", { S(DELETED) }, "HD" },
    { "md a k Oo", { S(DELETED), .version = 7 }, "HD ka Oo" },
    { "md a c s t f h l v Oo", { S(DELETED), .version = 7 }, "HD Oo" },
    { "md YQ== Oo b k", { S(DELETED) }, "HD Oo kYQ== b" },
    { "md a q k", { S(DELETED) }, NULL },
    { "md a q k", { S(NOT_FOUND) }, "NF ka" },
    { "md a C7 q Oo", { S(EXISTS) }, "EX Oo" },
    { "md a x q", { S(NO_MEMORY) }, "SERVER_ERROR out of memory" },

    /* ma: with v the number, too */
    { "ma a", { S(NUMBER), .number = 12 }, "HD" },
    { "ma a v", { S(NUMBER), .number = 12 }, "VA 2\r\n12" },
    { "ma a v", { S(NUMBER), .number = 0 }, "VA 1\r\n0" },
    { "ma a k v", { S(NUMBER), .number = UINT64_MAX }, "VA 20 ka\r\n18446744073709551615" },
    { "ma a c t k Oo", { S(NUMBER), .version = 7, .ttl_ms = 5000 }, "HD c7 t5 ka Oo" },
    { "ma a c", { S(NUMBER), .version = 7, .token = 9, .marks = MARK_TOKEN }, "HD c9" },
    { "ma a t T30", { S(NUMBER), .ttl_ms = 5000 }, "HD t5" },
    { "ma a T30 t", { S(NUMBER), .ttl_ms = 5000 }, "HD t30" },
    { "ma a N30 t", { S(NUMBER), .ttl_ms = 5000 }, "HD t5" },
    { "ma a N30 t", { S(NUMBER), .marks = MARK_CREATED }, "HD t30" },
    { "ma a t N30", { S(NUMBER), .marks = MARK_CREATED }, "HD t-1" },
    { "ma a s f h l", { S(NUMBER), .number = 12 }, "HD" },
    { "ma YQ== b k", { S(NUMBER) }, "HD kYQ== b" },
    { "ma a q v", { S(NUMBER), .number = 12 }, NULL },
    { "ma a q k v c", { S(NOT_FOUND) }, "NF ka" },
    { "ma a q Oo C7", { S(EXISTS) }, "EX Oo" },
    { "ma a q k", { S(NON_NUMERIC) },
      "CLIENT_ERROR cannot increment or decrement non-numeric value" },
    { "ma a q k", { S(NO_MEMORY) }, "SERVER_ERROR out of memory" },
};

/* Writes what the command is told into `out`; returns its length. */
static size_t answer_to(const char *line, const struct answer *a, char *out)
{
    char *data = joined(line, strlen(line), "\r\n", 2), *reply = malloc(META_LINE_MAX);
    struct result r;
    const struct cmd *cmd = &r.cmd;
    size_t len;

    assert_non_null(reply);
    parse_line(&r, data, strlen(line) + 2);
    assert_int_equal(cmd->error, CMD_OK);
    cmd_settle_times(&r.cmd, WALL_MS);
    len = (size_t)(meta_put(reply, &cmd->form, cmd->verb, cmd->key, cmd->key_len, a) - reply);
    assert_true(len <= META_LINE_MAX);
    memcpy(out, reply, len);
    out[len] = '\0';
    free(reply);
    free(data);
    return len;
}

static void an_answer_becomes_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_OF(answers); i++) {
        char got[META_LINE_MAX + 1], want[META_LINE_MAX];
        const char *reply = answers[i].reply;
        size_t len = answer_to(answers[i].line, &answers[i].answer, got);

        snprintf(want, sizeof(want), "%s%s", reply != NULL ? reply : "", reply ? "\r\n" : "");
        if (len != strlen(want) || memcmp(got, want, len) != 0)
            fail_msg("%s (case %zu)\n is: %s\nnot: %s", answers[i].line, i, got, want);
    }
}

/* All that can be told of the longest key: the room that is promised is enough. */
static void the_longest_lines_fit(void **state)
{
    static const struct answer hit = {
        S(HEAD), .marks = MARKS_ALL, .version = UINT64_MAX, .token = UINT64_MAX,
        .number = UINT64_MAX, .client_flags = UINT32_MAX, .ttl_ms = INT64_MAX,
        .idle_s = UINT32_MAX,
    };
    static const char *const commands[] = {
        "mg " K250 " c f h k l s t " O31, "me " K250, "mg " A248 " b c f h k l s t " O31,
    };
    static const struct answer sum = {
        S(NUMBER), .marks = MARK_TOKEN, .token = UINT64_MAX, .number = UINT64_MAX,
        .ttl_ms = INT64_MAX,
    };
    char reply[META_LINE_MAX + 1];

    (void)state;
    for (size_t i = 0; i < N_OF(commands); i++) {
        assert_in_range(answer_to(commands[i], &hit, reply), 300, META_LINE_MAX);
        assert_string_equal(reply + strlen(reply) - 2, "\r\n");
    }
    assert_in_range(answer_to("ma " A248 " b c k t v " O31, &sum, reply), 300, META_LINE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_meta_line_becomes_its_command),
        cmocka_unit_test(a_line_of_three_bytes_is_malformed),
        cmocka_unit_test(a_decoded_key_is_where_the_parse_keeps_it),
        cmocka_unit_test(a_line_without_an_end_is_too_long),
        cmocka_unit_test(times_are_settled_for_the_store_and_for_the_answer),
        cmocka_unit_test(an_answer_becomes_its_line),
        cmocka_unit_test(the_longest_lines_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

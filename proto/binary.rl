%%{
    machine binary_grammar;

    #
    # memcached's binary protocol: the head that begins every request.
    #
    #      magic opcode key_length extras_length type vbucket body_length opaque cas
    #        1     1        2            1         1     2          4       4    8
    #
    # Numbers are big-endian.  Extras, key and value follow, as long as the head
    # says.  Any head that begins with the magic is accepted; one whose opcode
    # is known and has the extras and the key that belong to it ends with
    # `whole`.
    #

    magic  = 0x80;
    key    = any any - ( 0 0 );         # its length
    no_key = 0 0;
    rest   = any{19};

    # Retrieval

    get = 0x00 @get | 0x09 @getq | 0x0c @getk | 0x0d @getkq;
    gat = 0x1c @touch | 0x1d @gat | 0x1e @gatq | 0x23 @gatk | 0x24 @gatkq;

    # Storage

    store = 0x01 @set | 0x02 @add | 0x03 @replace
          | 0x11 @setq | 0x12 @addq | 0x13 @replaceq;
    join  = 0x0e @append | 0x0f @prepend | 0x19 @appendq | 0x1a @prependq;

    # Change and removal

    delete     = 0x04 @delete | 0x14 @deleteq;
    arithmetic = 0x05 @incr | 0x06 @decr | 0x15 @incrq | 0x16 @decrq;
    flush      = 0x08 @flush | 0x18 @flushq;

    # About the server

    stat  = 0x10 @stat;
    plain = 0x07 @quit | 0x17 @quitq | 0x0a @noop | 0x0b @version;

    request = magic ( get        key     0
                    | gat        key     4
                    | store      key     8
                    | join       key     0
                    | delete     key     0
                    | arithmetic key     20
                    | flush      no_key  ( 0 | 4 )
                    | stat       any{2}  0
                    | plain      no_key  0 )  rest  @whole;

    head = request | magic any{23};
}%%

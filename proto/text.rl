%%{
    machine text_grammar;

    #
    # memcached's text protocol, classic and meta commands: one command line,
    # its end cut off.
    #
    # Words are told apart, not judged: a number here is any word.  How long a
    # key may be and what a number must be is judged afterwards, because a line
    # with a bad word must still say how long the block behind it is.
    #
    # Blanks part words and mean nothing at the end.  Every line is accepted;
    # one that has the whole form of its command ends with `whole`.  Whether it
    # is to be silent, its last word says: see `words`.
    #

    sp   = " "+;
    word = ^" "+;
    more = ( sp word )*;            # words that nobody asked for are ignored

    key        = word  >key_begun %key;
    flags      = word  %flags;
    exptime    = word  %exptime;
    bytes      = word  %bytes;
    cas_unique = word  %cas_unique;
    delta      = word  %delta;
    flag       = word  %flag;
    delay      = ( word - "noreply" )  %exptime;
    keys       = ( key ( sp key )* )  >args;
    args       = ( word ( sp word )* )  >args;

    # Retrieval

    gets = ( "get" %get | "gets" %gets )  sp keys;
    gats = ( "gat" %gat | "gats" %gats )  sp exptime  sp keys;

    # Storage: a block of `bytes` bytes and a line end follow

    store_verb = "set" %set | "add" %add | "replace" %replace
               | "append" %append | "prepend" %prepend;
    store      = store_verb   sp key sp flags sp exptime sp bytes  more;
    cas        = "cas" %cas   sp key sp flags sp exptime sp bytes
                              ( sp cas_unique more )?;

    # Change and removal

    arithmetic = ( "incr" %incr | "decr" %decr )  sp key sp delta  more;
    touch      = "touch" %touch    sp key sp exptime  more;
    delete     = "delete" %delete  sp key ( sp "0" )? ( sp "noreply" )?;
    flush_all  = "flush_all" %flush_all  ( sp delay more | sp "noreply" )?;

    # Meta commands: a flag is a letter and, without a blank, its argument

    meta     = ( "mg" %mg | "md" %md | "ma" %ma | "me" %me )  sp key ( sp flag )*;
    meta_set = "ms" %ms  sp key sp bytes ( sp flag )*;

    # About the server

    noop           = "mn" %noop            more;

    verbosity      = "verbosity" %verbosity            sp delta  more;
    cache_memlimit = "cache_memlimit" %cache_memlimit  sp delta  more;
    stats          = "stats" %stats        ( sp args )?;
    shutdown       = "shutdown" %shutdown  ( sp args )?;
    watch          = "watch" %watch              ( sp args )?;
    lru_crawler    = "lru_crawler" %lru_crawler  ( sp args )?;
    slabs          = "slabs" %slabs              ( sp args )?;
    version        = "version" %version    more;
    quit           = "quit" %quit          more;

    command = ( gets | gats | store | cas | arithmetic | touch | delete
              | meta | meta_set | noop | flush_all | verbosity | cache_memlimit | stats | shutdown
              | watch | lru_crawler | slabs | version | quit )  sp?  %whole;

    # The verb of a line that is too short for it

    verb = "get" %get | "gets" %gets | "gat" %gat | "gats" %gats
         | store_verb | "cas" %cas | "incr" %incr | "decr" %decr
         | "touch" %touch | "delete" %delete | "verbosity" %verbosity
         | "cache_memlimit" %cache_memlimit | "mg" %mg | "md" %md | "ma" %ma
         | "me" %me | "ms" %ms;

    # Any line is words, the last of which may ask for silence, and it is
    # bytes, some of them stray

    words = sp?  ( word >begin %end  ( sp word >begin %end )*  sp? )?;
    bytes_of_it = ( ( any - ( 0 | "\r" ) ) | ( 0 | "\r" ) @stray )*;

    # `words` comes first: where one ends, `end` runs before `key` and the like

    line = words | bytes_of_it | command | verb;
}%%

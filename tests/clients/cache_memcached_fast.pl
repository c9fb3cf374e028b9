# cache_memcached_fast.pl HOST PORT - the whole of Cache::Memcached::Fast, text only.
# Prints TAP.
use strict;
use warnings;
use utf8;

use Cache::Memcached::Fast;
use Test::More;

my ($host, $port) = @ARGV;
my $server = "$host:$port";
my $bound_s = 20;
my $any_bytes = join('', map { chr } 0 .. 255) . "\r\nEND\r\nVALUE a 0 1\r\n\0";
my $large = join('', map { chr($_ * 31 % 251) } 0 .. 999) x 900;

sub client
{
    return Cache::Memcached::Fast->new({
        servers => [ { address => $server, noreply => 0 } ],
        connect_timeout => $bound_s,
        io_timeout => $bound_s,
        @_,
    });
}

my $c = client();

sub fresh
{
    my ($sentence, $body) = @_;
    subtest $sentence => sub {
        $c->flush_all;
        $body->();
    };
}

fresh 'what is set can be read' => sub {
    ok $c->set('a', 'hello');
    is $c->get('a'), 'hello';
    is $c->get('absent'), undef;
};

fresh 'empty and binary and large values come back whole' => sub {
    for my $value ('', $any_bytes, $large) {
        ok $c->set('v', $value);
        ok $c->get('v') eq $value;
    }
};

fresh 'too large a value is refused and the client goes on' => sub {
    my $wide = client(max_size => 3000000);
    $wide->set('big', 'old');
    ok !$wide->set('big', 'x' x 2000000);
    is $wide->get('big'), undef;
    ok $wide->set('big', 'new');
};

fresh 'add and replace look first' => sub {
    ok !$c->replace('a', 0);
    ok $c->add('a', 1);
    ok !$c->add('a', 2);
    ok $c->replace('a', 3);
    is $c->get('a'), 3;
};

fresh 'append and prepend join' => sub {
    ok !$c->append('a', '>');
    ok !$c->prepend('a', '<');
    $c->set('a', 'middle');
    ok $c->append('a', '>');
    ok $c->prepend('a', '<');
    is $c->get('a'), '<middle>';
};

fresh 'cas stores over what was read only' => sub {
    is $c->gets('a'), undef;
    ok !$c->cas('a', 1, 'no');
    $c->set('a', 1);
    my ($token, $value) = @{ $c->gets('a') };
    is $value, 1;
    ok $c->cas('a', $token, 2);
    ok !$c->cas('a', $token, 3);
    is $c->get('a'), 2;
};

fresh 'deleted is gone' => sub {
    $c->set('a', 1);
    ok $c->delete('a');
    ok !$c->delete('a');
    $c->set('a', 1);
    ok $c->remove('a');
    is $c->get('a'), undef;
};

fresh 'numbers go up and down' => sub {
    ok !$c->incr('n');
    ok !$c->decr('n');
    $c->set('n', 10);
    is $c->incr('n', 5), 15;
    is $c->incr('n'), 16;
    cmp_ok $c->decr('n', 20), '==', 0;
    $c->set('n', 'x');
    ok !$c->incr('n');
};

fresh 'items end when they are told to' => sub {
    my $now = time;
    for ([ 0, 1 ], [ 1000, 1 ], [ $now + 1000, 1 ], [ -1, 0 ], [ $now - 10, 0 ]) {
        my ($end, $stays) = @$_;
        $c->set('a', 'x', $end);
        is $c->get('a'), $stays ? 'x' : undef, "the end is $end";
    }
};

fresh 'touch and gat move the end' => sub {
    ok !$c->touch('a', 1000);
    is $c->gat(1000, 'a'), undef;
    $c->set('a', 'x');
    ok $c->touch('a', 1000);
    is $c->gat(1000, 'a'), 'x';
    is $c->gats(0, 'a')->[1], 'x';
    ok $c->touch('a', -1);
    is $c->get('a'), undef;
    $c->set('a', 'x');
    is $c->gat(-1, 'a'), 'x';
    is $c->get('a'), undef;
};

fresh 'many keys go and come at once' => sub {
    my %pairs = map { ("key$_" => "value$_") } 0 .. 999;
    my @results = $c->set_multi(map { [ $_, $pairs{$_} ] } keys %pairs);
    is scalar(grep { $_ } @results), 1000;
    is_deeply $c->get_multi(keys %pairs, 'absent'), \%pairs;
    my $tokens = $c->gets_multi(keys %pairs);
    is_deeply { map { ($_ => $tokens->{$_}[1]) } keys %$tokens }, \%pairs;
    my $swapped = $c->cas_multi([ 'key1', $tokens->{key1}[0], 'x' ],
                                [ 'key2', $tokens->{key2}[0] + 1000000, 'x' ]);
    ok $swapped->{key1};
    ok !$swapped->{key2};
    is_deeply $c->get_multi('key1', 'key2'), { key1 => 'x', key2 => 'value2' };
    my @deleted = $c->delete_multi(map { "key$_" } 0 .. 499);
    is scalar(grep { $_ } @deleted), 500;
    is scalar(keys %{ $c->get_multi(keys %pairs) }), 500;
};

fresh 'every command is there for many keys' => sub {
    is_deeply scalar $c->add_multi([ 'a', 1 ], [ 'b', 2 ]), { a => 1, b => 1 };
    ok !$c->add_multi([ 'a', 1 ])->{a};
    my $replaced = $c->replace_multi([ 'a', 10 ], [ 'absent', 1 ]);
    ok $replaced->{a} && !$replaced->{absent};
    ok $c->append_multi([ 'a', 0 ])->{a};
    ok $c->prepend_multi([ 'a', 1 ])->{a};
    is_deeply scalar $c->incr_multi('b', [ 'a', 5 ]), { a => 1105, b => 3 };
    is_deeply scalar $c->decr_multi('b', [ 'a', 5 ]), { a => 1100, b => 2 };
    is_deeply $c->gat_multi(1000, 'a', 'b', 'absent'), { a => '1100', b => 2 };
    is $c->gats_multi(1000, 'a')->{a}[1], '1100';
    my $touched = $c->touch_multi([ 'a', -1 ], [ 'b', 1000 ]);
    ok $touched->{a} && $touched->{b};
    is_deeply $c->get_multi('a', 'b'), { b => 2 };
};

fresh 'what wants no answer is done before the next' => sub {
    my $quiet = client(servers => [ { address => $server, noreply => 1 } ]);
    for my $i (0 .. 999) {
        $quiet->set("q$i", 'x');
    }
    $quiet->append('q1', 'y');
    $quiet->prepend('q1', 'w');
    $quiet->add('q2', 'no');
    $quiet->replace('q3', 5);
    $quiet->incr('q3', 3);
    $quiet->decr('q3');
    $quiet->delete('q4');
    $quiet->touch('q5', -1);
    is_deeply $quiet->get_multi('q1', 'q2', 'q3', 'q4', 'q5', 'q999'),
        { q1 => 'wxy', q2 => 'x', q3 => 7, q999 => 'x' };
    $quiet->flush_all;
    is $quiet->get('q999'), undef;
};

fresh 'answers that are not waited for come until they are' => sub {
    my $push = client(nowait => 1);
    for my $i (0 .. 999) {
        $push->set("p$i", $i);
    }
    $push->nowait_push;
    is $c->get('p0'), 0;
    is $c->get('p999'), 999;
};

fresh 'keys have a namespace' => sub {
    my $own = client(namespace => 'mine:');
    is $own->namespace, 'mine:';
    $own->set('a', 1);
    is $c->get('mine:a'), 1;
    is_deeply $own->get_multi('a', 'b'), { a => 1 };
    $own->namespace('yours:');
    is $own->get('a'), undef;
};

fresh 'objects and texts come back as what they were' => sub {
    my $value = { list => [ 1, 2, { three => 3 } ], none => undef };
    ok $c->set('o', $value);
    is_deeply $c->get('o'), $value;
    my $text = client(utf8 => 1);
    $text->set('t', "Käse \x{30c1}");
    is $text->get('t'), "Käse \x{30c1}";
};

fresh 'values are compressed' => sub {
    my $zip = client(compress_threshold => 1000);
    my $raw = client(compress_methods => [ sub { 0 }, sub { ${ $_[1] } = ${ $_[0] }; 1 } ]);
    ok $zip->set('z', $large);
    ok $zip->get('z') eq $large;
    ok length $raw->get('z') < 100000;
    $zip->enable_compress(0);
    ok $zip->set('z', $large);
    ok $raw->get('z') eq $large;
};

fresh 'flush empties the cache' => sub {
    $c->set('a', 1);
    is_deeply $c->flush_all, { $server => 1 };
    is $c->get('a'), undef;
    $c->set('a', 1);
    $c->flush_all(1000);
    is $c->get('a'), 1;
};

fresh 'the version is understood' => sub {
    like $c->server_versions->{$server}, qr/^\S+$/;
};

fresh 'after disconnecting it connects again' => sub {
    $c->set('a', 1);
    $c->disconnect_all;
    is $c->get('a'), 1;
};

done_testing;

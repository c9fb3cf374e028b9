<?php
// php_memcached.php HOST PORT [binary] - the whole of PHP's Memcached.  Prints TAP.

[, $host, $port] = $argv;
$binary = ($argv[3] ?? '') === 'binary';
$any_bytes = implode('', array_map('chr', range(0, 255))) . "\r\nEND\r\nVALUE a 0 1\r\n\0";
$large = str_repeat(implode('', array_map(fn($i) => chr($i * 31 % 251), range(0, 999))), 900);

const BOUND_MS = 20000;

function client(array $options = []): Memcached
{
    global $host, $port, $binary;
    $client = new Memcached();
    $client->setOptions($options + [
        Memcached::OPT_BINARY_PROTOCOL => $binary,
        Memcached::OPT_TCP_NODELAY => true,
        Memcached::OPT_CONNECT_TIMEOUT => BOUND_MS,
        Memcached::OPT_POLL_TIMEOUT => BOUND_MS,
    ]);
    $client->addServer($host, (int)$port);
    return $client;
}

function is($got, $expected): void
{
    if ($got !== $expected) {
        $short = fn($v) => substr(json_encode($v, JSON_INVALID_UTF8_SUBSTITUTE), 0, 100);
        throw new Exception($short($got) . ' is not ' . $short($expected));
    }
}

function code(int $expected): void
{
    global $c;
    is($c->getResultCode(), $expected);
}

$tests = [
    'what is set can be read' => function (Memcached $c) {
        is($c->set('a', 'hello'), true);
        is($c->get('a'), 'hello');
        is($c->get('absent'), false);
        code(Memcached::RES_NOTFOUND);
        is($c->getResultMessage(), 'NOT FOUND');
    },
    'empty and binary and large values come back whole' => function (Memcached $c) {
        global $any_bytes, $large;
        $c->setOption(Memcached::OPT_COMPRESSION, false);
        foreach (['', $any_bytes, $large] as $value) {
            is($c->set('v', $value), true);
            is($c->get('v'), $value);
        }
    },
    'too large a value is refused and the client goes on' => function (Memcached $c) {
        $c->setOption(Memcached::OPT_COMPRESSION, false);
        is($c->set('big', str_repeat('x', 2000000)), false);
        is($c->set('big', 'new'), true);
        is($c->get('big'), 'new');
    },
    'values come back as what they were' => function (Memcached $c) {
        foreach ([Memcached::SERIALIZER_PHP, Memcached::SERIALIZER_JSON_ARRAY] as $serializer) {
            $c->setOption(Memcached::OPT_SERIALIZER, $serializer);
            foreach ([true, false, 42, -1, 3.5, 'text', null, [1, ['a' => 'b']]] as $value) {
                is($c->set('o', $value), true);
                is($c->get('o'), $value);
            }
        }
    },
    'values are compressed' => function (Memcached $c) {
        global $large;
        foreach ([Memcached::COMPRESSION_ZLIB, Memcached::COMPRESSION_FASTLZ] as $type) {
            $c->setOptions([Memcached::OPT_COMPRESSION => true,
                            Memcached::OPT_COMPRESSION_TYPE => $type]);
            is($c->set('z', $large), true);
            is($c->get('z'), $large);
        }
    },
    'flags are kept' => function (Memcached $c) {
        $c->setOption(Memcached::OPT_USER_FLAGS, 65535);
        is($c->set('f', 'x'), true);
        is($c->get('f', null, Memcached::GET_EXTENDED)['flags'], 65535);
    },
    'add and replace look first' => function (Memcached $c) {
        is($c->replace('a', 0), false);
        is($c->add('a', 1), true);
        is($c->add('a', 2), false);
        is($c->replace('a', 3), true);
        is($c->get('a'), 3);
    },
    'append and prepend join' => function (Memcached $c) {
        $c->setOption(Memcached::OPT_COMPRESSION, false);
        is($c->append('a', '>'), false);
        code(Memcached::RES_NOTSTORED);
        is($c->prepend('a', '<'), false);
        $c->set('a', 'middle');
        is($c->append('a', '>'), true);
        is($c->prepend('a', '<'), true);
        is($c->get('a'), '<middle>');
    },
    'cas stores over what was read only' => function (Memcached $c) {
        $c->set('a', 1);
        ['value' => $value, 'cas' => $token] = $c->get('a', null, Memcached::GET_EXTENDED);
        is($value, 1);
        is($c->cas($token, 'a', 2), true);
        is($c->cas($token, 'a', 3), false);
        code(Memcached::RES_DATA_EXISTS);
        is($c->get('a'), 2);
        is($c->cas($token, 'absent', 1), false);
        code(Memcached::RES_NOTFOUND);
    },
    'a callback reads through' => function (Memcached $c) {
        $calls = 0;
        $read = function ($client, $key, &$value) use (&$calls) {
            $calls++;
            $value = "made for $key";
            return true;
        };
        is($c->get('a', $read), 'made for a');
        is($c->get('a', $read), 'made for a');
        is($calls, 1);
    },
    'deleted is gone' => function (Memcached $c) {
        $c->set('a', 1);
        is($c->delete('a'), true);
        is($c->delete('a'), false);
        code(Memcached::RES_NOTFOUND);
        is($c->get('a'), false);
    },
    'numbers go up and down' => function (Memcached $c) use ($binary) {
        is($c->increment('n'), false);
        is($c->decrement('n'), false);
        $c->set('n', 10);
        is($c->increment('n', 5), 15);
        is($c->increment('n'), 16);
        is($c->decrement('n', 20), 0);
        $c->set('n', 'x');
        is($c->increment('n'), false);
        if ($binary) {
            is($c->increment('m', 1, 10, 1000), 10);
            is($c->increment('m', 5, 10, 1000), 15);
            is($c->decrement('l', 1, 7), 7);
        }
    },
    'items end when they are told to' => function (Memcached $c) use ($binary) {
        $ends = [[0, true], [1000, true], [time() + 1000, true], [time() - 10, false]];
        if (!$binary)
            $ends[] = [-1, false];
        foreach ($ends as [$end, $stays]) {
            $c->set('a', 'x', $end);
            is($c->get('a'), $stays ? 'x' : false);
        }
    },
    'touch moves the end' => function (Memcached $c) {
        is($c->touch('a', 1000), false);
        $c->set('a', 'x');
        is($c->touch('a', 1000), true);
        is($c->get('a'), 'x');
        is($c->touch('a', time() - 10), true);
        is($c->get('a'), false);
    },
    'many keys go and come at once' => function (Memcached $c) {
        $pairs = [];
        for ($i = 0; $i < 1000; $i++)
            $pairs["key$i"] = "value$i";
        is($c->setMulti($pairs), true);
        $keys = array_keys($pairs);
        is($c->getMulti($keys, Memcached::GET_PRESERVE_ORDER), $pairs);
        $found = $c->getMulti([...$keys, 'absent'], Memcached::GET_EXTENDED);
        is(count($found), 1000);
        is($found['key7']['value'], 'value7');
        is($c->cas($found['key7']['cas'], 'key7', 'x'), true);
        is($c->cas($found['key7']['cas'], 'key7', 'y'), false);
        $deleted = $c->deleteMulti(array_slice($keys, 0, 500));
        is(count(array_filter($deleted, fn($result) => $result === true)), 500);
        is(count($c->getMulti($keys)), 500);
        is($c->deleteMulti(['absent'])['absent'], Memcached::RES_NOTFOUND);
    },
    'what was asked for is fetched later' => function (Memcached $c) {
        $c->setMulti(['a' => 1, 'b' => 2, 'c' => 3]);
        is($c->getDelayed(['a', 'absent', 'b'], true), true);
        $found = [];
        while ($item = $c->fetch())
            $found[$item['key']] = $item['value'];
        ksort($found);
        is($found, ['a' => 1, 'b' => 2]);
        is($c->getDelayed(['a', 'b', 'c']), true);
        is(count($c->fetchAll()), 3);
        $seen = 0;
        $c->getDelayed(['a', 'b'], false, function ($client, $item) use (&$seen) {
            $seen += $item['value'];
        });
        is($seen, 3);
    },
    'every command is there with a key of the server' => function (Memcached $c) {
        $c->setOption(Memcached::OPT_COMPRESSION, false);
        is($c->setByKey('s', 'a', '1'), true);
        is($c->addByKey('s', 'a', '2'), false);
        is($c->replaceByKey('s', 'a', '3'), true);
        is($c->appendByKey('s', 'a', '4'), true);
        is($c->prependByKey('s', 'a', '2'), true);
        $found = $c->getByKey('s', 'a', null, Memcached::GET_EXTENDED);
        is($found['value'], '234');
        is($c->casByKey($found['cas'], 's', 'a', '5'), true);
        is($c->setMultiByKey('s', ['b' => 1, 'c' => 2]), true);
        is($c->incrementByKey('s', 'b', 4), 5);
        is($c->decrementByKey('s', 'b', 2), 3);
        is($c->getMultiByKey('s', ['a', 'b']), ['a' => '5', 'b' => 3]);
        is($c->getDelayedByKey('s', ['b', 'c']), true);
        is(count($c->fetchAll()), 2);
        is($c->touchByKey('s', 'a', 1000), true);
        is($c->deleteByKey('s', 'a'), true);
        is($c->deleteMultiByKey('s', ['b', 'c']), ['b' => true, 'c' => true]);
    },
    'keys have a prefix' => function (Memcached $c) {
        $own = client([Memcached::OPT_PREFIX_KEY => 'mine:']);
        is($own->set('a', 1), true);
        is($own->getMulti(['a', 'b']), ['a' => 1]);
        is($c->get('mine:a'), 1);
    },
    'what wants no answer is done before the next' => function (Memcached $c) {
        $c->setOption(Memcached::OPT_NOREPLY, true);
        for ($i = 0; $i < 1000; $i++)
            $c->set("q$i", $i);
        $c->delete('q0');
        is($c->getMulti(['q0', 'q1', 'q999']), ['q1' => 1, 'q999' => 999]);
    },
    'requests that are kept back arrive with the next' => function (Memcached $c) {
        $c->setOption(Memcached::OPT_BUFFER_WRITES, true);
        for ($i = 0; $i < 1000; $i++)
            $c->set("b$i", $i);
        is($c->flushBuffers(), true);
        is(count($c->getMulti(array_map(fn($i) => "b$i", range(0, 999)))), 1000);
    },
    'it does not wait where it need not' => function (Memcached $c) {
        $c->setOption(Memcached::OPT_NO_BLOCK, true);
        for ($i = 0; $i < 1000; $i++)
            $c->set("w$i", str_repeat('x', 1000));
        is(count($c->getMulti(array_map(fn($i) => "w$i", range(0, 999)))), 1000);
    },
    'version and stats are understood' => function (Memcached $c) use ($host, $port) {
        is(array_keys($c->getVersion()), ["$host:$port"]);
        is($c->getStats()["$host:$port"]['pid'] > 0, true);
        is(isset($c->getStats('settings')["$host:$port"]['maxbytes']), true);
        is(count($c->getServerList()), 1);
    },
    'flush empties the cache' => function (Memcached $c) {
        $c->setMulti(['a' => 1, 'b' => 2]);
        is($c->flush(), true);
        is($c->getMulti(['a', 'b']), []);
        $c->set('a', 1);
        is($c->flush(1000), true);
        is($c->get('a'), 1);
    },
    'after quitting it connects again' => function (Memcached $c) {
        $c->set('a', 1);
        is($c->quit(), true);
        is($c->get('a'), 1);
    },
];

echo '1..', count($tests), "\n";
$number = $failed = 0;
foreach ($tests as $sentence => $test) {
    $number++;
    try {
        $c = client();
        $c->flush();
        $test($c);
        echo "ok $number - $sentence\n";
    } catch (Throwable $e) {
        $failed++;
        $line = $e->getTrace()[0]['line'] ?? $e->getLine();
        $said = $c->getResultMessage();
        echo "not ok $number - $sentence\n# line $line: {$e->getMessage()} ($said)\n";
    }
}
exit($failed > 0 ? 1 : 0);

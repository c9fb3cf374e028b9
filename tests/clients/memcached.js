// memcached.js HOST PORT - the whole of node's memcached, text only.  Prints TAP.
'use strict';

const assert = require('assert');
const { promisify } = require('util');
const Memcached = require('memcached');

const server = `${process.argv[2]}:${process.argv[3]}`;
const BOUND_MS = 20000;
const COMMANDS = ['get', 'gets', 'getMulti', 'set', 'add', 'replace', 'append', 'prepend', 'cas',
    'incr', 'decr', 'increment', 'decrement', 'del', 'delete', 'touch', 'flush', 'flushAll',
    'version', 'stats', 'settings', 'items', 'slabs'];

// A client whose commands return promises.
function client(options = {}) {
    const plain = new Memcached(server, { timeout: BOUND_MS, ...options });
    const c = { end: () => plain.end() };
    for (const name of COMMANDS)
        c[name] = promisify(plain[name].bind(plain));
    return c;
}

const refused = (promise) => assert.rejects(promise);

const tests = {
    'what is set can be read': async (c) => {
        assert.strictEqual(await c.set('a', 'hello', 0), true);
        assert.strictEqual(await c.get('a'), 'hello');
        assert.strictEqual(await c.get('absent'), undefined);
    },
    'empty and binary and large values come back whole': async (c) => {
        const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
        assert.strictEqual(await c.set('e', '', 0), true);
        assert.strictEqual(await c.get('e'), '');
        await c.set('b', all, 0);
        assert.deepStrictEqual(await c.get('b'), all);
        const large = 'end of line\r '.repeat(69000);
        await c.set('l', large, 0);
        assert.strictEqual(await c.get('l'), large);
    },
    'too large a value is refused': async (c) => {
        // Not as an error; and this client then takes the server for a bad one.
        const wide = client({ maxValue: 3000000 });
        assert.notStrictEqual(await wide.set('big', 'x'.repeat(2000000), 0), true);
        wide.end();
        await c.set('big', 'new', 0);
        assert.strictEqual(await c.get('big'), 'new');
    },
    'values come back as what they were': async (c) => {
        for (const value of ['t\u00e9xt \u30c1', 42, 3.5, true, null, [1, { a: 'b' }]]) {
            await c.set('o', value, 0);
            assert.deepStrictEqual(await c.get('o'), value);
        }
    },
    'add and replace look first': async (c) => {
        await refused(c.replace('a', '0', 0));
        assert.strictEqual(await c.add('a', '1', 0), true);
        await refused(c.add('a', '2', 0));
        assert.strictEqual(await c.replace('a', '3', 0), true);
        assert.strictEqual(await c.get('a'), '3');
    },
    'append and prepend join': async (c) => {
        await refused(c.append('a', '>'));
        await refused(c.prepend('a', '<'));
        await c.set('a', 'middle', 0);
        assert.strictEqual(await c.append('a', '>'), true);
        assert.strictEqual(await c.prepend('a', '<'), true);
        assert.strictEqual(await c.get('a'), '<middle>');
    },
    'cas stores over what was read only': async (c) => {
        assert.strictEqual(await c.gets('a'), undefined);
        await c.set('a', '1', 0);
        const read = await c.gets('a');
        assert.strictEqual(read.a, '1');
        assert.strictEqual(await c.cas('a', '2', read.cas, 0), true);
        assert.strictEqual(await c.cas('a', '3', read.cas, 0), false);
        assert.strictEqual(await c.get('a'), '2');
    },
    'deleted is gone': async (c) => {
        await c.set('a', '1', 0);
        assert.strictEqual(await c.del('a'), true);
        assert.strictEqual(await c.delete('a'), false);
        assert.strictEqual(await c.get('a'), undefined);
    },
    'numbers go up and down': async (c) => {
        assert.strictEqual(await c.incr('n', 1), false);
        assert.strictEqual(await c.decr('n', 1), false);
        await c.set('n', 10, 0);
        assert.strictEqual(await c.incr('n', 5), 15);
        assert.strictEqual(await c.increment('n', 1), 16);
        assert.strictEqual(await c.decr('n', 6), 10);
        assert.strictEqual(await c.decrement('n', 20), 0);
        await c.set('n', 'x', 0);
        await refused(c.incr('n', 1));
    },
    'items end when they are told to': async (c) => {
        const now = Math.floor(Date.now() / 1000);
        for (const [end, stays] of [[0, true], [1000, true], [now + 1000, true], [-1, false],
            [now - 10, false]]) {
            await c.set('a', 'x', end);
            assert.strictEqual(await c.get('a'), stays ? 'x' : undefined);
        }
    },
    'touch moves the end': async (c) => {
        assert.strictEqual(await c.touch('a', 1000), false);
        await c.set('a', 'x', 0);
        assert.strictEqual(await c.touch('a', 1000), true);
        assert.strictEqual(await c.get('a'), 'x');
        assert.strictEqual(await c.touch('a', -1), true);
        assert.strictEqual(await c.get('a'), undefined);
    },
    'many keys go and come at once': async (c) => {
        const pairs = Object.fromEntries(
            Array.from({ length: 1000 }, (_, i) => [`key${i}`, `value${i}`]));
        await Promise.all(Object.entries(pairs).map(([key, value]) => c.set(key, value, 0)));
        assert.deepStrictEqual(await c.getMulti([...Object.keys(pairs), 'absent']), pairs);
        assert.deepStrictEqual(await c.get(['key1', 'key2']), { key1: 'value1', key2: 'value2' });
        await Promise.all(Object.keys(pairs).map((key) => c.del(key)));
        assert.deepStrictEqual(await c.getMulti(Object.keys(pairs)), {});
    },
    'keys may be long, unicode or with a namespace': async (c) => {
        const own = client({ namespace: 'mine:' });
        await own.set('a', '1', 0);
        assert.strictEqual(await c.get('mine:a'), '1');
        assert.deepStrictEqual(await own.getMulti(['a', 'b']), { a: '1' });
        own.end();
        for (const key of ['k\u00e4se', 'k'.repeat(250), 'k'.repeat(1000)]) {
            await c.set(key, 'x', 0);
            assert.strictEqual(await c.get(key), 'x');
        }
    },
    'version and stats are understood': async (c) => {
        assert.strictEqual((await c.version())[0].server, server);
        assert.ok((await c.stats())[0].pid > 0);
        assert.ok((await c.settings())[0].maxbytes > 0);
        assert.ok(Array.isArray(await c.items()));
        assert.ok(Array.isArray(await c.slabs()));
    },
    'flush empties the cache': async (c) => {
        await c.set('a', '1', 0);
        assert.deepStrictEqual(await c.flush(), [true]);
        assert.strictEqual(await c.get('a'), undefined);
        assert.deepStrictEqual(await c.flushAll(), [true]);
    },
};

async function main() {
    const c = client();
    let number = 0;
    let failed = 0;
    console.log(`1..${Object.keys(tests).length}`);
    for (const [sentence, body] of Object.entries(tests)) {
        number++;
        try {
            await c.flush();
            await body(c);
            console.log(`ok ${number} - ${sentence}`);
        } catch (e) {
            failed = 1;
            console.log(`not ok ${number} - ${sentence}`);
            console.log(String(e && e.stack || e).replace(/^/gm, '# '));
        }
    }
    // What a failed test has left open does not keep it.
    process.exit(failed);
}

main();

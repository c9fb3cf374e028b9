// memjs.js HOST PORT - the whole of memjs, binary only.  Prints TAP.
'use strict';

const assert = require('assert');
const { Client } = require('memjs');

const server = `${process.argv[2]}:${process.argv[3]}`;
const BOUND_S = 20;

function client(options = {}) {
    return Client.create(server, {
        timeout: BOUND_S,
        retries: 1,
        logger: { log: () => {} },
        ...options,
    });
}

// Its calls for all servers have no promises.
function each(c, method, ...args) {
    return new Promise((resolve, reject) => {
        c[method](...args, (err, name, result) => (err ? reject(err) : resolve([name, result])));
    });
}

const text = async (promise) => {
    const { value } = await promise;
    return value === null ? null : value.toString();
};

const tests = {
    'what is set can be read': async (c) => {
        assert.strictEqual(await c.set('a', 'hello', {}), true);
        assert.strictEqual(await text(c.get('a')), 'hello');
        assert.strictEqual(await text(c.get('absent')), null);
    },
    'empty and binary and large values come back whole': async (c) => {
        const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
        for (const value of [Buffer.alloc(0), all, Buffer.concat(Array(3600).fill(all))]) {
            await c.set('v', value, {});
            assert.ok((await c.get('v')).value.equals(value));
        }
    },
    'too large a value is refused and the client goes on': async (c) => {
        await assert.rejects(async () => {
            if (!await c.set('big', Buffer.alloc(2000000), {}))
                throw new Error('refused');
        });
        await c.set('big', 'new', {});
        assert.strictEqual(await text(c.get('big')), 'new');
    },
    'flags are kept': async (c) => {
        const flagged = client({
            serializer: {
                serialize: (opcode, value, extras) => {
                    extras.writeUInt32BE(4294967295, 0);
                    return { value, extras };
                },
                deserialize: (opcode, value, extras) => ({ value, extras }),
            },
        });
        await flagged.set('f', 'x', {});
        assert.strictEqual((await c.get('f')).flags.readUInt32BE(0), 4294967295);
        flagged.close();
    },
    'add and replace look first': async (c) => {
        assert.strictEqual(await c.replace('a', '0', {}), false);
        assert.strictEqual(await c.add('a', '1', {}), true);
        assert.strictEqual(await c.add('a', '2', {}), false);
        assert.strictEqual(await c.replace('a', '3', {}), true);
        assert.strictEqual(await text(c.get('a')), '3');
    },
    'append and prepend join': async (c) => {
        await assert.rejects(c.append('a', '>'));
        await assert.rejects(c.prepend('a', '<'));
        await c.set('a', 'middle', {});
        assert.strictEqual(await c.append('a', '>'), true);
        assert.strictEqual(await text(c.get('a')), 'middle>');
        assert.strictEqual(await c.prepend('a', '<'), true);
        // memjs 1.3 sends an append for a prepend.
        assert.match(await text(c.get('a')), /^(<middle>|middle><)$/);
    },
    'deleted is gone': async (c) => {
        await c.set('a', '1', {});
        assert.strictEqual(await c.delete('a'), true);
        assert.strictEqual(await c.delete('a'), false);
        assert.strictEqual(await text(c.get('a')), null);
    },
    'numbers go up and down and may begin anywhere': async (c) => {
        assert.strictEqual((await c.increment('n', 1, { initial: 10 })).value, 10);
        assert.strictEqual((await c.increment('n', 5, {})).value, 15);
        assert.strictEqual((await c.decrement('n', 20, {})).value, 0);
        assert.strictEqual((await c.decrement('m', 1, { initial: 7, expires: 1000 })).value, 7);
        assert.strictEqual(await text(c.get('m')), '7');
    },
    'items end when they are told to': async (c) => {
        const now = Math.floor(Date.now() / 1000);
        for (const [expires, stays] of [[0, true], [1000, true], [now + 1000, true],
            [now - 10, false]]) {
            await c.set('a', 'x', { expires });
            assert.strictEqual(await text(c.get('a')), stays ? 'x' : null);
        }
    },
    'touch moves the end': async (c) => {
        assert.strictEqual(await c.touch('a', 1000), false);
        await c.set('a', 'x', {});
        assert.strictEqual(await c.touch('a', 1000), true);
        assert.strictEqual(await text(c.get('a')), 'x');
        assert.strictEqual(await c.touch('a', Math.floor(Date.now() / 1000) - 10), true);
        assert.strictEqual(await text(c.get('a')), null);
    },
    'many requests are on their way at once': async (c) => {
        const keys = Array.from({ length: 1000 }, (_, i) => `key${i}`);
        await Promise.all(keys.map((key) => c.set(key, `value of ${key}`, {})));
        const found = await Promise.all(keys.map((key) => text(c.get(key))));
        assert.deepStrictEqual(found, keys.map((key) => `value of ${key}`));
    },
    'keys may be long and unicode': async (c) => {
        for (const key of ['k\u00e4se', '\u30c1\u30fc\u30ba', 'k'.repeat(250)]) {
            await c.set(key, 'x', {});
            assert.strictEqual(await text(c.get(key)), 'x');
        }
    },
    'stats are understood': async (c) => {
        const [name, stats] = await each(c, 'stats');
        assert.strictEqual(name, server);
        assert.ok(stats.pid > 0);
        assert.ok((await each(c, 'statsWithKey', 'settings'))[1].maxbytes > 0);
        await each(c, 'resetStats');
    },
    'flush empties the cache': async (c) => {
        await c.set('a', '1', {});
        assert.deepStrictEqual(await c.flush(), { [server]: true });
        assert.strictEqual(await text(c.get('a')), null);
    },
    'a name and password are not asked for': async () => {
        const named = Client.create(`anybody:anything@${server}`, { timeout: BOUND_S });
        assert.strictEqual(await named.set('a', '1', {}), true);
        named.close();
    },
    'it ends with quit': async () => {
        const other = client();
        await other.set('a', '1', {});
        other.quit();
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

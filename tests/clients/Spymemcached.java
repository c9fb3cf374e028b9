// Spymemcached HOST PORT [binary] - the whole of spymemcached.  Prints TAP.

import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.logging.Level;
import java.util.logging.Logger;

import net.spy.memcached.CASMutation;
import net.spy.memcached.CASMutator;
import net.spy.memcached.CASResponse;
import net.spy.memcached.CASValue;
import net.spy.memcached.CachedData;
import net.spy.memcached.ConnectionFactoryBuilder;
import net.spy.memcached.ConnectionFactoryBuilder.Protocol;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.transcoders.LongTranscoder;
import net.spy.memcached.transcoders.SerializingTranscoder;
import net.spy.memcached.transcoders.Transcoder;

public final class Spymemcached {
    private static final int BOUND_MS = 20000;

    private static MemcachedClient c;
    private static boolean binary;

    private interface Body {
        void run() throws Exception;
    }

    private static void is(Object got, Object expected) {
        if (!Objects.equals(got, expected))
            throw new IllegalStateException(cut(got) + " is not " + cut(expected));
    }

    private static String cut(Object value) {
        String text = String.valueOf(value);
        return text.substring(0, Math.min(100, text.length()));
    }

    private static int secondsFromNow(int seconds) {
        return (int) (System.currentTimeMillis() / 1000) + seconds;
    }

    /** Bytes as they are, with flags of one's own. */
    private static final class Raw implements Transcoder<byte[]> {
        private final int flags;
        private int seen;

        Raw(int flags) {
            this.flags = flags;
        }

        public boolean asyncDecode(CachedData data) {
            return false;
        }

        public CachedData encode(byte[] value) {
            return new CachedData(flags, value, getMaxSize());
        }

        public byte[] decode(CachedData data) {
            seen = data.getFlags();
            return data.getData();
        }

        public int getMaxSize() {
            return 3000000;
        }
    }

    private static void whatIsSetCanBeRead() throws Exception {
        is(c.set("a", 0, "hello").get(), true);
        is(c.get("a"), "hello");
        is(c.asyncGet("a").get(), "hello");
        is(c.get("absent"), null);
    }

    private static void emptyAndBinaryAndLargeValuesComeBackWhole() throws Exception {
        byte[] large = new byte[900000];
        for (int i = 0; i < large.length; i++)
            large[i] = (byte) (i * 31 + i / 256);
        byte[] lines = "\r\nEND\r\nVALUE a 0 1\r\n\0".getBytes("ISO-8859-1");
        Raw raw = new Raw(0);
        for (byte[] value : new byte[][] { {}, lines, large }) {
            is(c.set("v", 0, value, raw).get(), true);
            is(Arrays.equals(c.get("v", raw), value), true);
        }
    }

    private static void tooLargeAValueIsRefusedAndTheClientGoesOn() throws Exception {
        boolean stored;
        try {
            stored = c.set("big", 0, new byte[2000000], new Raw(0)).get();
        } catch (ExecutionException e) {
            stored = false;
        }
        is(stored, false);
        is(c.set("big", 0, "new").get(), true);
        is(c.get("big"), "new");
    }

    private static void flagsAreKept() throws Exception {
        for (int flags : new int[] { 0, 1, 65536, Integer.MAX_VALUE }) {
            Raw raw = new Raw(flags);
            c.set("f", 0, new byte[] { 1 }, raw).get();
            c.get("f", raw);
            is(raw.seen, flags);
        }
    }

    private static void objectsComeBackAsWhatTheyWere() throws Exception {
        List<Object> list = new ArrayList<>(Arrays.asList("one", 2, 3.0));
        for (Object value : new Object[] { "text \u30c1", 42, 42L, true, 3.5, (byte) 7, list }) {
            c.set("o", 0, value).get();
            is(c.get("o"), value);
        }
        is(c.set("l", 0, 42L, new LongTranscoder()).get(), true);
        is(c.get("l", new LongTranscoder()), 42L);
    }

    private static void valuesAreCompressed() throws Exception {
        SerializingTranscoder zip = new SerializingTranscoder();
        zip.setCompressionThreshold(100);
        String large = String.join("", Collections.nCopies(90000, "compressed"));
        is(c.set("z", 0, large, zip).get(), true);
        is(c.get("z", zip), large);
    }

    private static void addAndReplaceLookFirst() throws Exception {
        is(c.replace("a", 0, "0").get(), false);
        is(c.add("a", 0, "1").get(), true);
        is(c.add("a", 0, "2").get(), false);
        is(c.replace("a", 0, "3").get(), true);
        is(c.get("a"), "3");
    }

    private static void appendAndPrependJoin() throws Exception {
        is(c.append("a", ">").get(), false);
        is(c.prepend("a", "<").get(), false);
        c.set("a", 0, "middle").get();
        is(c.append("a", ">").get(), true);
        is(c.prepend("a", "<").get(), true);
        is(c.get("a"), "<middle>");
        if (binary) {
            long token = c.gets("a").getCas();
            is(c.append(token, "a", ">").get(), true);
            is(c.prepend(token, "a", "<").get(), false);
            is(c.get("a"), "<middle>>");
        }
    }

    private static void casStoresOverWhatWasReadOnly() throws Exception {
        is(c.gets("a"), null);
        is(c.cas("a", 1, "no"), CASResponse.NOT_FOUND);
        c.set("a", 0, "1").get();
        CASValue<Object> read = c.gets("a");
        is(read.getValue(), "1");
        is(c.asyncGets("a").get().getCas(), read.getCas());
        is(c.cas("a", read.getCas(), 1000, "2"), CASResponse.OK);
        is(c.asyncCAS("a", read.getCas(), "3").get(), CASResponse.EXISTS);
        is(c.get("a"), "2");
        if (binary) {
            is(c.delete("a", read.getCas()).get(), false);
            is(c.delete("a", c.gets("a").getCas()).get(), true);
        }
    }

    private static void aValueIsChangedByWhatItWas() throws Exception {
        CASMutator<Object> mutator = new CASMutator<>(c, c.getTranscoder());
        CASMutation<Object> longer = old -> old + "!";
        is(mutator.cas("a", "first", 0, longer), "first");
        is(mutator.cas("a", "first", 0, longer), "first!");
        is(c.get("a"), "first!");
    }

    private static void deletedIsGone() throws Exception {
        c.set("a", 0, "1").get();
        is(c.delete("a").get(), true);
        is(c.delete("a").get(), false);
        is(c.get("a"), null);
    }

    private static void numbersGoUpAndDown() throws Exception {
        is(c.incr("n", 1), -1L);
        is(c.decr("n", 1), -1L);
        c.set("n", 0, "10").get();
        is(c.incr("n", 5), 15L);
        is(c.decr("n", 20L), 0L);
        is(c.asyncIncr("n", 7).get(), 7L);
        is(c.asyncDecr("n", 2L).get(), 5L);
        is(c.incr("m", 1, 10), 10L);
        is(c.incr("m", 1, 10), 11L);
        is(c.decr("l", 1, 7L, 1000), 7L);
        is(c.decr("l", 1, 7L, 1000), 6L);
    }

    private static void itemsEndWhenTheyAreToldTo() throws Exception {
        for (int end : new int[] { 0, 1000, secondsFromNow(1000) }) {
            c.set("a", end, "x").get();
            is(c.get("a"), "x");
        }
        c.set("a", secondsFromNow(-10), "x").get();
        is(c.get("a"), null);
        if (!binary) {
            c.set("a", -1, "x").get();
            is(c.get("a"), null);
        }
    }

    private static void touchMovesTheEnd() throws Exception {
        is(c.touch("a", 1000).get(), false);
        c.set("a", 0, "x").get();
        is(c.touch("a", 1000).get(), true);
        is(c.get("a"), "x");
        if (binary) {
            is(c.getAndTouch("absent", 1000), null);
            is(c.getAndTouch("a", 1000).getValue(), "x");
            is(c.asyncGetAndTouch("a", 1000).get().getValue(), "x");
        }
        is(c.touch("a", secondsFromNow(-10)).get(), true);
        is(c.get("a"), null);
    }

    private static void manyKeysGoAndComeAtOnce() throws Exception {
        Map<String, Object> pairs = new HashMap<>();
        for (int i = 0; i < 1000; i++)
            pairs.put("key" + i, "value" + i);
        for (Map.Entry<String, Object> pair : pairs.entrySet())
            c.set(pair.getKey(), 0, pair.getValue());
        is(c.waitForQueues(BOUND_MS, TimeUnit.MILLISECONDS), true);
        is(c.getBulk(pairs.keySet()), pairs);
        is(c.getBulk("key1", "absent"), Collections.singletonMap("key1", "value1"));
        is(c.asyncGetBulk(pairs.keySet()).get(), pairs);
        // Gets of single keys that wait for each other are sent as one.
        List<Future<Object>> all = new ArrayList<>();
        for (int i = 0; i < 1000; i++)
            all.add(c.asyncGet("key" + i));
        for (int i = 0; i < 1000; i++)
            is(all.get(i).get(), "value" + i);
    }

    private static void keysMayBeLongAndUnicode() throws Exception {
        String longest = String.join("", Collections.nCopies(250, "k"));
        for (String key : new String[] { "k\u00e4se", "\u30c1\u30fc\u30ba", longest }) {
            is(c.set(key, 0, "x").get(), true);
            is(c.getBulk(key), Collections.singletonMap(key, "x"));
        }
    }

    private static void versionAndStatsAreUnderstood() throws Exception {
        is(c.getVersions().size(), 1);
        is(c.getVersions().values().iterator().next().isEmpty(), false);
        is(c.getStats().values().iterator().next().containsKey("pid"), true);
        is(c.getStats("settings").values().iterator().next().containsKey("maxbytes"), true);
        is(c.getAvailableServers().size(), 1);
    }

    private static void flushEmptiesTheCache() throws Exception {
        c.set("a", 0, "1").get();
        is(c.flush().get(), true);
        is(c.get("a"), null);
        c.set("a", 0, "1").get();
        is(c.flush(1000).get(), true);
        // In binary, the delay is left out by the client.
        is(c.get("a"), binary ? null : "1");
    }

    public static void main(String[] args) throws Exception {
        Map<String, Body> tests = new LinkedHashMap<>();
        tests.put("what is set can be read", Spymemcached::whatIsSetCanBeRead);
        tests.put("empty and binary and large values come back whole",
                  Spymemcached::emptyAndBinaryAndLargeValuesComeBackWhole);
        tests.put("too large a value is refused and the client goes on",
                  Spymemcached::tooLargeAValueIsRefusedAndTheClientGoesOn);
        tests.put("flags are kept", Spymemcached::flagsAreKept);
        tests.put("objects come back as what they were",
                  Spymemcached::objectsComeBackAsWhatTheyWere);
        tests.put("values are compressed", Spymemcached::valuesAreCompressed);
        tests.put("add and replace look first", Spymemcached::addAndReplaceLookFirst);
        tests.put("append and prepend join", Spymemcached::appendAndPrependJoin);
        tests.put("cas stores over what was read only",
                  Spymemcached::casStoresOverWhatWasReadOnly);
        tests.put("a value is changed by what it was", Spymemcached::aValueIsChangedByWhatItWas);
        tests.put("deleted is gone", Spymemcached::deletedIsGone);
        tests.put("numbers go up and down and may begin anywhere",
                  Spymemcached::numbersGoUpAndDown);
        tests.put("items end when they are told to", Spymemcached::itemsEndWhenTheyAreToldTo);
        tests.put("touch moves the end", Spymemcached::touchMovesTheEnd);
        tests.put("many keys go and come at once", Spymemcached::manyKeysGoAndComeAtOnce);
        tests.put("keys may be long and unicode", Spymemcached::keysMayBeLongAndUnicode);
        tests.put("version and stats are understood",
                  Spymemcached::versionAndStatsAreUnderstood);
        tests.put("flush empties the cache", Spymemcached::flushEmptiesTheCache);

        binary = args.length > 2 && args[2].equals("binary");
        System.setProperty("net.spy.log.LoggerImpl", "net.spy.memcached.compat.log.SunLogger");
        Logger.getLogger("net.spy.memcached").setLevel(Level.OFF);
        c = new MemcachedClient(new ConnectionFactoryBuilder()
                                    .setProtocol(binary ? Protocol.BINARY : Protocol.TEXT)
                                    .setOpTimeout(BOUND_MS)
                                    .setMaxReconnectDelay(0)
                                    .build(),
                                Collections.singletonList(new InetSocketAddress(
                                    args[0], Integer.parseInt(args[1]))));
        System.out.println("1.." + tests.size());
        int number = 0;
        boolean failed = false;
        for (Map.Entry<String, Body> test : tests.entrySet()) {
            number++;
            try {
                c.flush().get();
                test.getValue().run();
                System.out.println("ok " + number + " - " + test.getKey());
            } catch (Exception e) {
                failed = true;
                System.out.println("not ok " + number + " - " + test.getKey() + "\n# " + e);
            }
        }
        c.shutdown();
        System.exit(failed ? 1 : 0);
    }
}

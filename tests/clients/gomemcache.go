// gomemcache HOST PORT - the whole of gomemcache, text only.  Prints TAP.
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

const bound = 20 * time.Second

var client *memcache.Client

// must ends a test that got something else than it wants.
func must(right bool, format string, args ...interface{}) {
	if !right {
		panic(fmt.Sprintf(format, args...))
	}
}

func answers(err, expected error) {
	must(err == expected, "error %v, not %v", err, expected)
}

func put(key, value string) {
	answers(client.Set(&memcache.Item{Key: key, Value: []byte(value)}), nil)
}

func holds(key, value string) {
	item, err := client.Get(key)
	must(err == nil, "get %s: %v", key, err)
	must(string(item.Value) == value, "%s is %.50q, not %.50q", key, item.Value, value)
}

func misses(key string) {
	_, err := client.Get(key)
	answers(err, memcache.ErrCacheMiss)
}

var tests = []struct {
	sentence string
	run      func()
}{
	{"what is set can be read", func() {
		put("a", "hello")
		holds("a", "hello")
		misses("absent")
	}},
	{"empty and binary and large values come back whole", func() {
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		large := bytes.Repeat(all, 900*4)
		for _, value := range []string{"", string(all) + "\r\nEND\r\nVALUE a 0 1\r\n", string(large)} {
			put("v", value)
			holds("v", value)
		}
	}},
	{"too large a value is refused and the client goes on", func() {
		err := client.Set(&memcache.Item{Key: "big", Value: make([]byte, 2000000)})
		must(err != nil, "it was stored")
		put("big", "new")
		holds("big", "new")
	}},
	{"flags are kept", func() {
		for _, flags := range []uint32{0, 1, 65536, 4294967295} {
			answers(client.Set(&memcache.Item{Key: "f", Value: []byte("x"), Flags: flags}), nil)
			item, err := client.Get("f")
			must(err == nil && item.Flags == flags, "%v: %v", flags, err)
		}
	}},
	{"the longest key is taken and a longer one is not", func() {
		key := strings.Repeat("k", 250)
		put(key, "x")
		holds(key, "x")
		answers(client.Set(&memcache.Item{Key: key + "k"}), memcache.ErrMalformedKey)
	}},
	{"add and replace look first", func() {
		item := &memcache.Item{Key: "a", Value: []byte("1")}
		answers(client.Replace(item), memcache.ErrNotStored)
		answers(client.Add(item), nil)
		answers(client.Add(item), memcache.ErrNotStored)
		answers(client.Replace(&memcache.Item{Key: "a", Value: []byte("2")}), nil)
		holds("a", "2")
	}},
	{"cas stores over what was read only", func() {
		put("a", "1")
		item, err := client.Get("a")
		answers(err, nil)
		item.Value = []byte("2")
		answers(client.CompareAndSwap(item), nil)
		item.Value = []byte("3")
		answers(client.CompareAndSwap(item), memcache.ErrCASConflict)
		holds("a", "2")
		answers(client.Delete("a"), nil)
		// An older gomemcache takes this for a miss, a newer one says not stored.
		err = client.CompareAndSwap(item)
		must(err == memcache.ErrCacheMiss || err == memcache.ErrNotStored, "%v", err)
	}},
	{"deleted is gone", func() {
		put("a", "1")
		answers(client.Delete("a"), nil)
		answers(client.Delete("a"), memcache.ErrCacheMiss)
		misses("a")
	}},
	{"numbers go up and down", func() {
		_, err := client.Increment("n", 1)
		answers(err, memcache.ErrCacheMiss)
		_, err = client.Decrement("n", 1)
		answers(err, memcache.ErrCacheMiss)
		put("n", "10")
		n, err := client.Increment("n", 5)
		must(err == nil && n == 15, "%d, %v", n, err)
		n, err = client.Decrement("n", 20)
		must(err == nil && n == 0, "%d, %v", n, err)
		put("n", "18446744073709551614")
		n, err = client.Increment("n", 1)
		must(err == nil && n == 18446744073709551615, "%d, %v", n, err)
		put("n", "x")
		_, err = client.Increment("n", 1)
		must(err != nil && strings.Contains(err.Error(), "non-numeric"), "%v", err)
	}},
	{"items end when they are told to", func() {
		now := int32(time.Now().Unix())
		for _, end := range []int32{0, 1000, now + 1000} {
			answers(client.Set(&memcache.Item{Key: "a", Value: []byte("x"), Expiration: end}), nil)
			holds("a", "x")
		}
		for _, end := range []int32{-1, now - 10} {
			answers(client.Set(&memcache.Item{Key: "a", Value: []byte("x"), Expiration: end}), nil)
			misses("a")
		}
	}},
	{"touch moves the end", func() {
		answers(client.Touch("a", 1000), memcache.ErrCacheMiss)
		put("a", "x")
		answers(client.Touch("a", 1000), nil)
		holds("a", "x")
		answers(client.Touch("a", -1), nil)
		misses("a")
	}},
	{"many keys come at once", func() {
		keys := []string{"absent"}
		for i := 0; i < 1000; i++ {
			key := fmt.Sprintf("key%d", i)
			put(key, "value of "+key)
			keys = append(keys, key)
		}
		found, err := client.GetMulti(keys)
		must(err == nil && len(found) == 1000, "%d, %v", len(found), err)
		for key, item := range found {
			must(string(item.Value) == "value of "+key, "%s is %q", key, item.Value)
		}
		found["key7"].Value = []byte("x")
		answers(client.CompareAndSwap(found["key7"]), nil)
	}},
	{"many goroutines use one client", func() {
		var all sync.WaitGroup
		results := make([]error, 16)
		put("n", "0")
		for i := range results {
			all.Add(1)
			go func(i int) {
				defer all.Done()
				for j := 0; j < 50 && results[i] == nil; j++ {
					_, results[i] = client.Increment("n", 1)
				}
			}(i)
		}
		all.Wait()
		for _, err := range results {
			answers(err, nil)
		}
		n, err := client.Increment("n", 0)
		must(err == nil && n == uint64(50*len(results)), "%d, %v", n, err)
	}},
	{"delete all and flush all empty the cache", func() {
		put("a", "1")
		answers(client.DeleteAll(), nil)
		misses("a")
		put("a", "1")
		answers(client.FlushAll(), nil)
		misses("a")
	}},
	{"servers may be chosen", func() {
		list := new(memcache.ServerList)
		answers(list.SetServers(net.JoinHostPort(os.Args[1], os.Args[2])), nil)
		other := memcache.NewFromSelector(list)
		other.Timeout = bound
		put("a", "1")
		item, err := other.Get("a")
		must(err == nil && string(item.Value) == "1", "%v", err)
	}},
}

// run answers what was wrong, or nothing.
func run(test func()) (wrong string) {
	defer func() {
		if r := recover(); r != nil {
			wrong = fmt.Sprint(r)
		}
	}()
	answers(client.FlushAll(), nil)
	test()
	return ""
}

func main() {
	client = memcache.New(net.JoinHostPort(os.Args[1], os.Args[2]))
	client.Timeout = bound
	failed := 0
	fmt.Printf("1..%d\n", len(tests))
	for i, test := range tests {
		if wrong := run(test.run); wrong == "" {
			fmt.Printf("ok %d - %s\n", i+1, test.sentence)
		} else {
			fmt.Printf("not ok %d - %s\n# %s\n", i+1, test.sentence, wrong)
			failed = 1
		}
	}
	os.Exit(failed)
}

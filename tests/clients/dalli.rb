# dalli.rb HOST PORT - the whole of dalli 3, binary only.  Prints TAP.
require 'dalli'

SERVER = "#{ARGV[0]}:#{ARGV[1]}".freeze
ANY_BYTES = ((0..255).to_a.pack('C*') + "\r\nEND\r\nVALUE a 0 1\r\n\0").b.freeze
LARGE = ((0..999).map { |i| i * 31 % 251 }.pack('C*') * 900).freeze
BOUND_S = 20
TESTS = {}

Dalli.logger.level = Logger::FATAL

def test(sentence, &body)
  TESTS[sentence] = body
end

def client(options = {})
  Dalli::Client.new(SERVER, { socket_timeout: BOUND_S }.merge(options))
end

def is(got, expected)
  return if got == expected

  raise "#{got.inspect[0, 100]} is not #{expected.inspect[0, 100]}"
end

# What is false depends on the version.
def refused(got)
  is [nil, false, 0].include?(got), true
end

def fails(kind)
  yield
rescue kind
  nil
else
  raise "no #{kind}"
end

test 'what is set can be read' do |c|
  is c.set('a', 'hello').class, Integer
  is c.get('a'), 'hello'
  is c.get('absent'), nil
end

test 'empty and binary and large values come back whole' do |c|
  ['', ANY_BYTES, LARGE].each do |value|
    [true, false].each do |raw|
      c.set('v', value, nil, raw: raw, compress: false)
      is c.get('v', raw: raw).b, value.b
    end
  end
end

test 'too large a value is refused and the client goes on' do |c|
  fails(Dalli::ValueOverMaxSize) { c.set('big', 'x' * 2_000_000, nil, raw: true, compress: false) }
  c.set('big', 'new')
  is c.get('big'), 'new'
end

test 'objects come back as what they were' do |c|
  [true, 42, 3.5, 'text', :symbol, [1, { 'a' => [2, 3] }]].each do |value|
    c.set('o', value)
    is c.get('o'), value
  end
end

test 'values are compressed' do |c|
  zip = client(compress: true, compression_min_size: 100)
  zip.set('z', LARGE)
  is zip.get('z'), LARGE
  is c.get('z'), LARGE
end

test 'add and replace look first' do |c|
  refused c.replace('a', 0)
  is c.add('a', 1).class, Integer
  refused c.add('a', 2)
  is c.replace('a', 3).class, Integer
  is c.get('a'), 3
end

test 'append and prepend join' do |c|
  refused c.append('a', '>')
  refused c.prepend('a', '<')
  c.set('a', 'middle', nil, raw: true)
  is c.append('a', '>'), true
  is c.prepend('a', '<'), true
  is c.get('a', raw: true), '<middle>'
end

test 'cas stores over what was read only' do |c|
  is c.cas('a') { 'never' }, nil
  is c.cas!('a') { |old| [old, 'first'] }.class, Integer
  is c.cas('a') { |old| old + ['second'] }.class, Integer
  is c.get('a'), [nil, 'first', 'second']
  is(c.cas('a') do
    client.set('a', 'by another')
    'mine'
  end, false)
  is c.get('a'), 'by another'
end

test 'tokens are given and taken' do |c|
  is c.get_cas('a')[0], nil
  first = c.set_cas('a', 1, 0)
  is c.get_cas('a'), [1, first]
  second = c.set_cas('a', 2, first)
  refused c.set_cas('a', 3, first)
  refused c.replace_cas('a', 3, first)
  third = c.replace_cas('a', 3, second)
  is c.get_multi_cas('a', 'absent'), { 'a' => [3, third] }
  refused c.delete_cas('a', second)
  is c.delete_cas('a', third), true
  is c.get('a'), nil
end

test 'fetch stores what was not there' do |c|
  is c.fetch('a', 1000) { 'made' }, 'made'
  is c.fetch('a') { 'never' }, 'made'
  nils = client(cache_nils: true)
  is nils.fetch('nil') { nil }, nil
  is nils.fetch('nil') { 'never' }, nil
end

test 'deleted is gone' do |c|
  c.set('a', 1)
  is c.delete('a'), true
  refused c.delete('a')
  is c.get('a'), nil
end

test 'numbers go up and down and may begin anywhere' do |c|
  is c.incr('n'), nil
  is c.decr('n'), nil
  is c.incr('n', 1, 1000, 10), 10
  is c.incr('n', 5), 15
  is c.decr('n', 20), 0
  is c.decr('m', 1, 0, 7), 7
  is c.incr('n', 18_446_744_073_709_551_615), 18_446_744_073_709_551_615
  is c.incr('n'), 0
  c.set('n', 'x', nil, raw: true)
  fails(Dalli::DalliError) { c.incr('n') }
end

# A past time cannot be said: dalli takes it for an interval.
test 'items stay as long as they are told to' do |c|
  [0, 1000, 40 * 86_400, Time.now.to_i + 1000].each do |ends|
    c.set('a', 'x', ends)
    is c.get('a'), 'x'
  end
end

test 'touch and gat move the end' do |c|
  refused c.touch('a', 1000)
  is c.gat('a', 1000), nil
  c.set('a', 'x')
  is c.touch('a', 1000), true
  is c.gat('a', 1000), 'x'
  is c.get('a'), 'x'
end

test 'many keys come at once' do |c|
  pairs = (0..999).to_h { |i| ["key#{i}", "value#{i}"] }
  pairs.each { |key, value| c.set(key, value) }
  is c.get_multi(pairs.keys, 'absent'), pairs
  seen = {}
  c.get_multi(pairs.keys) { |key, value| seen[key] = value }
  is seen, pairs
  is c.get_multi_cas(*pairs.keys).transform_values(&:first), pairs
end

test 'what wants no answer is done before the next' do |c|
  c.multi do
    1000.times { |i| c.set("q#{i}", i) }
    c.add('q1', 'no')
    c.replace('q2', 'yes')
    c.delete('q3')
  end
  is c.get_multi('q1', 'q2', 'q3', 'q999'), { 'q1' => 1, 'q2' => 'yes', 'q999' => 999 }
end

test 'keys may be long, unicode or with a namespace' do |c|
  own = client(namespace: 'mine')
  own.set('a', 1)
  is c.get('mine:a'), 1
  is own.get_multi('a', 'b'), { 'a' => 1 }
  ["k\u00e4se", "\u30c1\u30fc\u30ba", 'k' * 250, 'k' * 1000].each do |key|
    c.set(key, 'x')
    is c.get(key), 'x'
  end
end

test 'version and stats are understood' do |c|
  is c.version.keys, [SERVER]
  is c.version[SERVER].empty?, false
  is c.stats[SERVER].key?('pid'), true
  is c.stats(:settings)[SERVER].key?('maxbytes'), true
  %i[items slabs].each { |group| is c.stats(group)[SERVER].class, Hash }
  is c.reset_stats, [true]
  is c.alive!.nil?, false
end

test 'flush empties the cache' do |c|
  c.set('a', 1)
  is c.flush, [true]
  is c.get('a'), nil
  c.set('a', 1)
  is c.flush_all, [true]
  is c.get('a'), nil
end

test 'after closing it connects again' do |c|
  c.set('a', 1)
  c.close
  is c.get('a'), 1
  c.with { |same| is same.get('a'), 1 }
end

failed = 0
puts "1..#{TESTS.size}"
TESTS.each.with_index(1) do |(sentence, body), number|
  c = client
  c.flush
  body.call(c)
  puts "ok #{number} - #{sentence}"
rescue StandardError => e
  failed = 1
  puts "not ok #{number} - #{sentence}\n# #{e.class}: #{e.message}"
  puts e.backtrace.grep(/dalli.rb/).map { |line| "# #{line}" }
ensure
  c.close
end
exit failed

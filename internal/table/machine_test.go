package table

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// tester is what testing.T, testing.F and rapid.T have in common, as far as a machine needs it.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// newTestStore makes a store that hashes alike in every run, so that a failure can be repeated.
func newTestStore(shards int) *Store {
	s := New(shards)
	for i := range s.secret {
		s.secret[i] = 0x9e3779b97f4a7c15 * uint64(i+1)
	}
	return s
}

// edgeLengths are the lengths at which the form of a key or the size of its block changes.
var edgeLengths = []int{1, 7, 8, 31, 32, 33, 63, 64, 65, 128, 192, 193, 255}

// edgeKeys are keys that a store might mistake for one another: of zeros, prefixes of one another,
// alike but for the last byte, and 32 bytes that look like a shorter key and its padding.
func edgeKeys() (keys []string) {
	for _, n := range edgeLengths {
		keys = append(keys,
			strings.Repeat("\x00", n),
			strings.Repeat("a", n),
			strings.Repeat("a", n-1)+"b",
			strings.Repeat("\xff", n),
		)
	}
	for _, k := range keys {
		if len(k) < keyBytes {
			keys = append(keys, lookAlike(k))
		}
	}
	return keys
}

// lookAlike is the key of 32 bytes whose slot looks like that of a shorter one.
func lookAlike(short string) string {
	return short + strings.Repeat("\x00", keyBytes-1-len(short)) + string(rune(len(short)))
}

// The numbers of keys of each sort in a pool.
const (
	poolEqual  = 60  // Of one hash: all but two buckets full go to the stash.
	poolAlike  = 60  // Of one bucket and tag: overflow, false matches, splits.
	poolRandom = 400 // Of 32 bytes.
)

// keyPool is the keys that machines use. It depends on the secrets of newTestStore.
var keyPool = sync.OnceValue(func() []string {
	s := newTestStore(1)
	keys := edgeKeys()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range uint64(poolEqual) {
		keys = append(keys, keyOfHash(s, 0x0123456789abcdef, i))
	}
	for i := range uint64(poolAlike) {
		keys = append(keys, keyOfHash(s, r.Uint64()&^0xfff|0xdef, i))
	}
	for range poolRandom {
		keys = append(keys, randomKey(r, keyBytes))
	}
	return keys
})

func randomKey(r *rand.Rand, n int) string {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return string(b[:n])
}

// entry is what a machine knows of a session.
type entry struct {
	ref     Ref
	created int64
	stamp   uint64
	grace   bool
}

// machine drives a store and a map side by side, as the owner would, and compares.
type machine struct {
	t    tester
	s    *Store
	keys []string
	live map[string]*entry
	// refs are all there ever were; dead some of those whose sessions ended.
	refs  map[Ref]bool
	dead  []Ref
	cells Column[string]
	now   uint64
}

func newMachine(t tester, shards int) *machine {
	return &machine{
		t: t, s: newTestStore(shards), keys: keyPool(),
		live: map[string]*entry{}, refs: map[Ref]bool{}, now: 1,
	}
}

// key is the n-th key of the pool, in a ring.
func (m *machine) key(n int) string { return m.keys[n%len(m.keys)] }

// find looks a key up as the owner does and reports what it found.
func (m *machine) find(id string) (Ref, bool) {
	m.t.Helper()
	k := m.s.Key([]byte(id))
	slot, w, ok, stashed := m.s.Find(&k)
	if ok && stashed {
		m.t.Fatalf("Find(%q) is found and stashed", id)
	}
	locked, lw, lok := m.s.FindLocked(m.s.Shard(&k), &k, []byte(id))
	if ok && (!lok || locked != slot || lw != w) || lok && !ok && !stashed {
		m.t.Fatalf("Find(%q) = %d, %v, stashed %v; FindLocked = %d, %v",
			id, slot, ok, stashed, locked, lok)
	}
	return RefOf(locked, lw), lok
}

// compare looks a key up and compares with the map.
func (m *machine) compare(id string) {
	m.t.Helper()
	got, ok := m.find(id)
	if e := m.live[id]; ok != (e != nil) || ok && got != e.ref {
		m.t.Fatalf("find %q = %#x, %v, want %+v", id, got, ok, e)
	}
}

func (m *machine) insert(id string) {
	m.t.Helper()
	m.compare(id)
	if m.live[id] != nil {
		return
	}
	k := m.s.Key([]byte(id))
	shard := m.s.Shard(&k)
	if m.s.NeedsChunk(shard) {
		first, ok := m.s.AddChunk(shard)
		if !ok {
			m.t.Fatalf("AddChunk(%d): no chunk left", shard)
		}
		m.cells.Grow(first)
	}
	e := &entry{created: int64(len(m.refs)), stamp: m.now}
	e.ref = m.s.Insert(shard, &k, m.now, e.created)
	if m.refs[e.ref] {
		m.t.Fatalf("Insert(%q) = %#x again", id, e.ref)
	}
	cell := m.cells.At(e.ref.Slot())
	if *cell != "" {
		m.t.Fatalf("cell of slot %d holds %q", e.ref.Slot(), *cell)
	}
	*cell = id
	m.refs[e.ref] = true
	m.live[id] = e
}

// outcome is what a touch must give, and what it does to the map's session.
func (e *entry) outcome(stamp uint64) Outcome {
	switch {
	case e == nil:
		return Missing
	case e.grace:
		return InGrace
	case e.stamp >= stamp:
		return Touched
	case stamp == Asleep:
		return Sleepy
	}
	e.stamp = stamp
	return Touched
}

func (m *machine) touch(id string, stamp uint64) {
	m.t.Helper()
	got := m.s.Touch(id, stamp)
	if got == Stashed {
		got = Missing
		if r, ok := m.find(id); ok {
			got = m.s.TouchRef(r, stamp)
		}
	}
	m.stamped(id, stamp, got)
}

// stamped compares the outcome of a touch, and whether the store noted a change, with the map.
func (m *machine) stamped(id string, stamp uint64, got Outcome) {
	m.t.Helper()
	e := m.live[id]
	var before, after uint64
	if e != nil {
		before = e.stamp
	}
	want := e.outcome(stamp)
	if e != nil {
		after = e.stamp
	}
	if noted := m.s.TakeStamped(); got != want || noted != (after != before) {
		m.t.Fatalf("touch of %q at %d = %d, noted %v, want %d, stamps %d, %d",
			id, stamp, got, noted, want, before, after)
	}
}

func (m *machine) touchRef(id string, stamp uint64) {
	m.t.Helper()
	e := m.live[id]
	if e == nil {
		return
	}
	m.stamped(id, stamp, m.s.TouchRef(e.ref, stamp))
}

// touchBatch touches n keys from the n-th on, some twice, and as many dead Refs.
func (m *machine) touchBatch(from, n int, stamp uint64) {
	m.t.Helper()
	var refs []Ref
	want := 0
	for i := range min(n, TouchBatchMax/4) {
		if len(m.dead) > 0 {
			refs = append(refs, m.dead[(from+i)%len(m.dead)])
		}
		e := m.live[m.key(from+i)]
		if e == nil {
			refs = append(refs, Ref(from))
			continue
		}
		for range 1 + i&1 {
			refs = append(refs, e.ref)
			if e.outcome(stamp) == Touched {
				want++
			}
		}
	}
	var rest [TouchBatchMax]uint8
	got, left := TouchBatch(m.s, refs, stamp, &rest)
	for _, i := range rest[:left] {
		if m.s.TouchRef(refs[i], stamp) == Touched {
			got++
		}
	}
	m.s.TakeStamped()
	if got != want {
		m.t.Fatalf("TouchBatch(%#x, %d) = %d, want %d", refs, stamp, got, want)
	}
}

// setGrace puts a session into grace or out of it.
func (m *machine) setGrace(id string, grace bool) {
	m.t.Helper()
	e := m.live[id]
	if e == nil {
		return
	}
	state := Active
	if grace {
		state = Grace
	}
	w, ok := m.s.Is(e.ref)
	if !ok || !m.s.Swap(e.ref.Slot(), w, w.With(state, w.Stamp())) {
		m.t.Fatalf("session %#x of %q does not go to state %d", e.ref, id, state)
	}
	e.grace = grace
}

// end kills the sessions of keys, all of them before any is buried.
func (m *machine) end(ids ...string) {
	m.t.Helper()
	killed := map[int][]uint32{}
	for _, id := range ids {
		e := m.live[id]
		if e == nil {
			continue
		}
		slot := e.ref.Slot()
		if m.s.Kill(slot, m.s.Load(slot)^1) {
			m.t.Fatalf("Kill of %q by a word that is not its", id)
		}
		if !m.s.Kill(slot, m.s.Load(slot)) {
			m.t.Fatalf("Kill of %q failed", id)
		}
		*m.cells.At(slot) = ""
		shard, _ := m.s.ShardOf(e.ref)
		if got := m.s.AppendKey(nil, shard, slot); string(got) != id {
			m.t.Fatalf("AppendKey of a killed session = %q, want %q", got, id)
		}
		killed[shard] = append(killed[shard], slot)
		m.dead = append(m.dead, e.ref)
		delete(m.live, id)
	}
	for shard, slots := range killed {
		m.s.Bury(shard, slots)
	}
	if n := len(m.dead); n > 100 {
		m.dead = m.dead[n-100:]
	}
}

// rekey gives a session the next key of its shard that is free, from the n-th on.
func (m *machine) rekey(id string, n int) {
	m.t.Helper()
	e := m.live[id]
	if e == nil {
		return
	}
	shard, _ := m.s.ShardOf(e.ref)
	for i := range m.keys {
		to := m.key(n + i)
		k := m.s.Key([]byte(to))
		if m.live[to] != nil || m.s.Shard(&k) != shard {
			continue
		}
		m.s.Rekey(shard, e.ref.Slot(), &k)
		*m.cells.At(e.ref.Slot()) = to
		delete(m.live, id)
		m.live[to] = e
		m.compare(id)
		m.compare(to)
		return
	}
}

// check compares all sessions with the map and looks for broken invariants.
func (m *machine) check() {
	m.t.Helper()
	checkStore(m.t, m.s)
	for id, e := range m.live {
		w, ok := m.s.Is(e.ref)
		state := Active
		if e.grace {
			state = Grace
		}
		if !ok || w.State() != state || w.Stamp() != e.stamp {
			m.t.Fatalf("word of %q is %#x, %v, want that of %+v", id, uint64(w), ok, e)
		}
		slot := e.ref.Slot()
		if got := m.s.Created(slot); got != e.created {
			m.t.Fatalf("Created(%q) = %d, want %d", id, got, e.created)
		}
		if got := *m.cells.At(slot); got != id {
			m.t.Fatalf("cell of %q holds %q", id, got)
		}
		shard, _ := m.s.ShardOf(e.ref)
		if got := string(m.s.AppendKey([]byte("x"), shard, slot)); got != "x"+id {
			m.t.Fatalf("AppendKey(x, %d) = %q, want x%q", slot, got, id)
		}
	}
	for _, r := range m.dead {
		if o := m.s.TouchRef(r, m.now); o != Missing {
			m.t.Fatalf("TouchRef(%#x) of a dead session = %d", r, o)
		}
	}
}

// checkStore looks for broken invariants in all shards and for sessions in the wrong number.
func checkStore(t tester, s *Store) {
	t.Helper()
	for shard := range s.Shards() {
		if err := s.checkInvariants(shard); err != nil {
			t.Fatalf("%v", err)
		}
	}
}

// finish ends all sessions and expects the store to be empty.
func (m *machine) finish() {
	m.t.Helper()
	m.end(slices.Collect(maps.Keys(m.live))...)
	m.check()
	for i := range m.s.shards {
		x := &m.s.shards[i].index
		for n := range x.depth {
			if seg := x.dir.Load().segment(uint32(n)); seg.count() != 0 {
				m.t.Fatalf("shard %d segment %d holds %d entries at the end", i, n, seg.count())
			}
		}
		if n := len(x.stash.slots); n != 0 {
			m.t.Fatalf("shard %d: %d entries in the stash at the end", i, n)
		}
	}
}

// insertAll inserts keys that are not there into a store without the help of a machine.
func insertAll(s *Store, ids []string, each func(shard int, r Ref)) {
	for _, id := range ids {
		shard, r := insertKey(s, id)
		if each != nil {
			each(shard, r)
		}
	}
}

func insertKey(s *Store, id string) (shard int, r Ref) {
	k := s.Key([]byte(id))
	shard = s.Shard(&k)
	if s.NeedsChunk(shard) {
		if _, ok := s.AddChunk(shard); !ok {
			panic(fmt.Sprintf("no chunk for %q", id))
		}
	}
	return shard, s.Insert(shard, &k, 1, 0)
}

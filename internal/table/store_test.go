package table

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

// TestEdgeKeys holds all keys that look alike at one time and ends them in another order.
func TestEdgeKeys(t *testing.T) {
	for _, shards := range []int{1, 4} {
		m := newMachine(t, shards)
		keys := edgeKeys()
		for _, id := range keys {
			m.insert(id)
		}
		m.check()
		for i, id := range keys {
			m.now++
			m.touch(id, m.now)
			m.compare(keys[len(keys)-1-i])
		}
		m.check()
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(keys), func(i, j int) {
			keys[i], keys[j] = keys[j], keys[i]
		})
		for i, id := range keys {
			m.end(id)
			for _, other := range keys[i:] {
				m.compare(other)
			}
		}
		m.finish()
	}
}

func TestTouchOfNoKey(t *testing.T) {
	s := New(1)
	for _, id := range []string{"", "a", strings.Repeat("a", 32), strings.Repeat("a", 256)} {
		if o := s.Touch(id, 1); o != Missing {
			t.Errorf("Touch(%q) in an empty store = %d", id, o)
		}
	}
	insertKey(s, "b")
	for _, id := range []string{"", strings.Repeat("b", 256), strings.Repeat("b", 1<<16)} {
		if o := s.Touch(id, 1); o != Missing {
			t.Errorf("Touch of %d bytes = %d", len(id), o)
		}
	}
}

func TestTouchOfNoSlot(t *testing.T) {
	s := New(1)
	_, r := insertKey(s, "a")
	for _, r := range []Ref{0, 1, r + 1, r + 1<<genShift, r | 0xffffffff, ^Ref(0)} {
		if o := s.TouchRef(r, 9); o != Missing {
			t.Errorf("TouchRef(%#x) = %d", r, o)
		}
		if w, ok := s.Is(r); ok {
			t.Errorf("Is(%#x) = %#x", r, uint64(w))
		}
		var rest [TouchBatchMax]uint8
		if n, left := TouchBatch(s, []Ref{r}, 9, &rest); n != 0 || left != 0 {
			t.Errorf("TouchBatch(%#x) = %d alive, %d left", r, n, left)
		}
	}
}

// TestStampsNeverGoBack touches with a stamp from before: it counts, and changes nothing.
func TestStampsNeverGoBack(t *testing.T) {
	m := newMachine(t, 1)
	for _, id := range []string{"short", strings.Repeat("f", 32), strings.Repeat("l", 99)} {
		m.insert(id)
		for _, stamp := range []uint64{5, 4, 5, 0, MaxStamp, 6, Asleep, MaxStamp} {
			m.touch(id, stamp)
			m.touchRef(id, stamp)
			m.check()
		}
	}
}

// TestLastGeneration uses up a slot: it is retired, and none of its Refs comes again.
func TestLastGeneration(t *testing.T) {
	m := newMachine(t, 1)
	const id = "the slot's last sessions"
	m.insert(id)
	slot := m.live[id].ref.Slot()
	m.end(id)
	const gens = 1 << genBits
	m.s.chunkOf(slot).word(slot).Store((gens - 3) << genShift)
	m.check()
	for gen := uint64(gens - 3); gen < gens; gen++ {
		m.insert(id)
		r := m.live[id].ref
		if r.Slot() != slot || uint64(r)>>genShift != gen {
			t.Fatalf("Ref %#x, want slot %d, generation %#x", r, slot, gen)
		}
		m.check()
		m.end(id)
		m.check()
	}
	if w := m.s.Load(slot); w.Live() || w.gen() != 0 {
		t.Fatalf("word of the retired slot is %#x", uint64(w))
	}
	for i := range 2 * chunkSlots {
		m.insert(m.key(i))
		if e := m.live[m.key(i)]; e.ref.Slot() == slot {
			t.Fatalf("the retired slot is in use again")
		}
	}
	for range 5 {
		m.end(m.keys...)
		for i := range m.keys {
			m.insert(m.key(i))
		}
	}
	m.finish()
}

// TestRetiredInBatch retires some slots of a batch that is buried.
func TestRetiredInBatch(t *testing.T) {
	m := newMachine(t, 1)
	ids := m.keys[:200]
	for i, id := range ids {
		m.insert(id)
		if i%3 == 0 {
			e := m.live[id]
			slot := e.ref.Slot()
			w := m.s.Load(slot)&^genMask | genMask
			m.s.chunkOf(slot).word(slot).Store(uint64(w))
			e.ref = RefOf(slot, w)
			m.refs[e.ref] = true
		}
	}
	m.check()
	m.end(ids...)
	m.check()
	for _, id := range m.keys {
		m.insert(id)
	}
	m.check()
}

// TestRekeyKeepsTheRest changes keys between all kinds, often enough for the renewals to wrap.
func TestRekeyKeepsTheRest(t *testing.T) {
	m := newMachine(t, 1)
	var forms []string
	for _, n := range []int{1, 32, 33, 255} {
		forms = append(forms, strings.Repeat("f", n))
	}
	m.insert("first")
	e := m.live["first"]
	m.touch("first", 7)
	m.setGrace("first", true)
	at := "first"
	for i := range 40 {
		to := forms[i%4][:len(forms[i%4])-1] + string([]byte{byte('a' + i)})
		k := m.s.Key([]byte(to))
		before := m.s.Load(e.ref.Slot())
		m.s.Rekey(0, e.ref.Slot(), &k)
		if after := m.s.Load(e.ref.Slot()); (after^before)&renewMask == 0 {
			t.Fatalf("Rekey counts no renewal: word %#x, then %#x", uint64(before), uint64(after))
		}
		delete(m.live, at)
		*m.cells.At(e.ref.Slot()) = to
		m.live[to] = e
		m.compare(at)
		m.compare(to)
		m.check()
		at = to
	}
	m.finish()
}

// TestOvertakenReader compares slots whose words, as a reader took them for a long key's place,
// name blocks that there are not.
func TestOvertakenReader(t *testing.T) {
	s := New(1)
	long := strings.Repeat("l", 100)
	_, r := insertKey(s, long)
	k := s.Key([]byte(long))
	c := s.chunkOf(r.Slot())
	place := c.key(r.Slot())[0].Load()
	for _, word := range []uint64{
		0, ^uint64(0), 1 << 63, 100 << 32, place | 0xffffffff, place + longChunkBlocks,
		255<<32 | place, 33 << 32, 32 << 32, place &^ 0xffffffff00000000, 0x6c6c6c6c6c6c6c6c,
	} {
		var sk slotKey
		sk[0].Store(word)
		sk[1].Store(k.hash)
		if got := s.holds(0, &sk, kindLong, &k.key); got && word != place {
			t.Errorf("place %#x holds the key of place %#x", word, place)
		}
		if got := s.appendKey(nil, 0, &sk, kindLong); len(got) > MaxKey {
			t.Errorf("key of place %#x has %d bytes", word, len(got))
		}
		sk[3].Store(word)
		if got := s.appendKey(nil, 0, &sk, kindShort); len(got) >= keyBytes {
			t.Errorf("short key ending in %#x has %d bytes", word, len(got))
		}
	}
}

func TestClear(t *testing.T) {
	m := newMachine(t, 2)
	for _, id := range m.keys {
		m.insert(id)
	}
	m.s.Clear()
	if n := m.s.Slots(); n != 0 {
		t.Errorf("%d slots after Clear", n)
	}
	for id, e := range m.live {
		k := m.s.Key([]byte(id))
		if _, _, ok, _ := m.s.Find(&k); ok {
			t.Errorf("Find(%q) after Clear", id)
		}
		if o := m.s.Touch(id, 9); o != Missing && o != Stashed {
			t.Errorf("Touch(%q) after Clear = %d", id, o)
		}
		if o := m.s.TouchRef(e.ref, 9); o != Missing {
			t.Errorf("TouchRef(%#x) after Clear = %d", e.ref, o)
		}
		if _, ok := m.s.ShardOf(e.ref); ok || m.s.Load(e.ref.Slot()) != 0 {
			t.Errorf("slot %d is there after Clear", e.ref.Slot())
		}
	}
}

func TestShards(t *testing.T) {
	for n, want := range map[int]int{
		-1: 1, 0: 1, 1: 1, 2: 2, 3: 4, 4: 4, 5: 8, MaxShards: MaxShards, MaxShards + 1: MaxShards,
	} {
		s := New(n)
		if got := s.Shards(); got != want {
			t.Errorf("New(%d) has %d shards, want %d", n, got, want)
		}
		used := map[int]bool{}
		for i := range uint64(8 * want) {
			k := s.Key([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
			used[s.Shard(&k)] = true
		}
		if len(used) < want*9/10 {
			t.Errorf("keys are of %d of %d shards", len(used), want)
		}
	}
}

// TestSpare hands spare chunks to a store, also more than it asks for.
func TestSpare(t *testing.T) {
	m := newMachine(t, 4)
	if m.s.WantsSpare() {
		t.Error("an empty store wants a spare chunk")
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 6 * chunkSlots {
		m.insert(randomKey(r, 32))
		if m.s.WantsSpare() {
			if m.s.WantsSpare() {
				t.Error("a spare chunk is wanted twice")
			}
			m.s.PutSpare(m.s.MakeSpare())
			m.s.PutSpare(m.s.MakeSpare())
		}
	}
	m.check()
}

// TestSizes holds what the layout in memory is built on.
func TestSizes(t *testing.T) {
	if got := unsafe.Sizeof(bucket{}); got != 64 {
		t.Errorf("a bucket has %d bytes, want a cache line of 64", got)
	}
	if got := unsafe.Sizeof(segment{}); got%64 != 0 {
		t.Errorf("a segment has %d bytes, want a multiple of 64", got)
	}
	if got := unsafe.Sizeof(slotKey{}); got != 32 {
		t.Errorf("a slot's key has %d bytes, want 32", got)
	}
	if got := unsafe.Sizeof(chunk{}); got != chunkSlots*48 {
		t.Errorf("a chunk has %d bytes, want 48 a slot", got)
	}
	if got := unsafe.Offsetof(chunk{}.keys); got%64 != 0 {
		t.Errorf("keys begin at byte %d of a chunk", got)
	}
	for _, v := range []any{chunk{}, arena{}} {
		if at, ok := pointerIn(reflect.TypeOf(v)); ok {
			t.Errorf("%T holds a pointer, %s", v, at)
		}
	}
}

// TestAlignment looks at where the collector's allocator puts what should lie on cache lines.
func TestAlignment(t *testing.T) {
	s := New(1)
	for i := range 2000 {
		insertKey(s, strings.Repeat("k", 30)+string([]byte{byte(i), byte(i >> 8)}))
	}
	for i, c := range s.slots.Load().chunks {
		if at := uintptr(unsafe.Pointer(&c.keys)); at%64 != 0 {
			t.Errorf("keys of chunk %d begin at %#x", i, at)
		}
	}
	for i, a := range s.shards[0].index.dir.Load().arenas {
		if at := uintptr(unsafe.Pointer(a)); at%64 != 0 {
			t.Errorf("arena %d begins at %#x", i, at)
		}
	}
}

// pointerIn finds something in a type that the collector would follow.
func pointerIn(t reflect.Type) (string, bool) {
	switch t.Kind() {
	case reflect.Array:
		return pointerIn(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if at, ok := pointerIn(f.Type); ok {
				return f.Name + " " + at, true
			}
		}
		return "", false
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.Map, reflect.Pointer, reflect.Slice,
		reflect.String, reflect.UnsafePointer:
		return t.String(), true
	}
	return "", false
}

func TestPointerIn(t *testing.T) {
	for want, v := range map[string]any{
		"a a *int": struct{ a struct{ a [2]*int } }{}, "b []int": struct{ b []int }{},
		"string": "", "": 1,
	} {
		if got, _ := pointerIn(reflect.TypeOf(v)); got != want {
			t.Errorf("pointerIn(%T) = %q, want %q", v, got, want)
		}
	}
}

// TestAllocs promises that nothing is allocated where the store does not grow.
func TestAllocs(t *testing.T) {
	for _, n := range []int{7, 32, 150} {
		s := New(1)
		r := rand.New(rand.NewPCG(uint64(n), 1))
		var ids []string
		var refs []Ref
		for range 1000 {
			id := randomKey(r, n)
			_, ref := insertKey(s, id)
			ids, refs = append(ids, id), append(refs, ref)
		}
		absent := randomKey(r, n)
		var buf, key []byte
		buf = make([]byte, MaxKey)
		var rest [TouchBatchMax]uint8
		now, i := uint64(1), 0
		next := func() (Key, uint32, Word) {
			i = (i + 1) % len(ids)
			key = append(key[:0], ids[i]...)
			k := s.Key(key)
			slot, w, ok := s.FindLocked(0, &k, key)
			if !ok {
				t.Fatalf("key %d is lost", i)
			}
			return k, slot, w
		}
		for _, test := range []struct {
			name string
			f    func()
		}{
			{"Touch", func() { now++; s.Touch(ids[now%1000], now) }},
			{"Touch again", func() { s.Touch(ids[now%1000], now) }},
			{"Touch nothing", func() { s.Touch(absent, now) }},
			{"TouchRef", func() { now++; s.TouchRef(refs[now%1000], now) }},
			{"TouchBatch", func() { now++; TouchBatch(s, refs[:TouchBatchMax], now, &rest) }},
			{"Find", func() { k, _, _ := next(); s.Find(&k) }},
			{"AppendKey", func() { _, slot, _ := next(); buf = s.AppendKey(buf[:0], 0, slot) }},
			{"Rekey", func() { k, slot, _ := next(); s.Rekey(0, slot, &k) }},
			{"Kill, Bury, Insert", func() {
				k, slot, w := next()
				s.Kill(slot, w)
				s.Bury(0, []uint32{slot})
				s.Insert(0, &k, 1, 0)
			}},
		} {
			if got := testing.AllocsPerRun(500, test.f); got != 0 {
				t.Errorf("%s of keys of %d bytes: %v allocations", test.name, n, got)
			}
		}
	}
}

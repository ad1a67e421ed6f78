package wheel

import "slices"

// tester is what testing.T, testing.F and rapid.T have in common, as far as a machine needs it.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// machine drives a wheel and a map side by side, as an owner would, and compares after each step.
type machine struct {
	t   tester
	w   *Wheel
	ref map[uint32]Tick // the true deadlines of the ids that are filed
	ids uint32          // ids are below it
	due []uint32
}

func newMachine(t tester, now Tick, ids uint32) *machine {
	return &machine{t: t, w: New(now), ref: map[uint32]Tick{}, ids: ids, due: make([]uint32, ids)}
}

func (m *machine) schedule(id uint32, at Tick) {
	m.t.Helper()
	m.w.Schedule(id, at)
	m.ref[id] = min(max(at, m.w.Now()+1), MaxTick)
	if !m.w.Filed(id) {
		m.t.Fatalf("Schedule(%d, %d): not filed", id, at)
	}
}

func (m *machine) cancel(id uint32) {
	m.t.Helper()
	m.w.Cancel(id)
	delete(m.ref, id)
	if m.w.Filed(id) {
		m.t.Fatalf("Cancel(%d): still filed", id)
	}
}

// advance makes one call with a buffer for budget ids. It ends the ids that are due and files the
// others again, unless forget says that those are over too.
func (m *machine) advance(to Tick, budget int, forget bool) (n int, done bool) {
	m.t.Helper()
	before := m.w.Now()
	buf := m.due[:min(budget, len(m.due))]
	n, done = m.w.Advance(to, buf)
	if n > len(buf) {
		m.t.Fatalf("Advance(%d) = %d ids, buffer of %d", to, n, len(buf))
	}
	target := max(before, min(to, MaxTick))
	if now := m.w.Now(); now < before || now > target || done && now != target {
		m.t.Fatalf("Advance(%d) from %d: now at %d, done %v", to, before, now, done)
	}
	for _, id := range buf[:n] {
		at, filed := m.ref[id]
		if !filed {
			m.t.Fatalf("Advance(%d) handed out %d, which is not filed", to, id)
		}
		if at < before {
			m.t.Fatalf("Advance(%d) from %d handed out %d, due at %d", to, before, id, at)
		}
		delete(m.ref, id)
		if m.w.Filed(id) {
			m.t.Fatalf("Advance(%d) handed out %d, and it is still filed", to, id)
		}
		if at > target && !forget {
			m.schedule(id, at)
		}
	}
	return n, done
}

// advanceAll calls until all is handed out.
func (m *machine) advanceAll(to Tick, budget int) {
	m.t.Helper()
	for range 1_000_000 {
		if _, done := m.advance(to, budget, false); done {
			return
		}
	}
	m.t.Fatalf("Advance(%d) with a buffer of %d is never done", to, budget)
}

// next checks that Next names the tick at which Advance has something to do.
func (m *machine) next() {
	m.t.Helper()
	at, ok := m.w.Next()
	if ok != (m.w.Len() > 0) {
		m.t.Fatalf("Next() = %d, %v with %d entries", at, ok, m.w.Len())
	}
	if !ok {
		return
	}
	for id, deadline := range m.ref {
		if at > deadline {
			m.t.Fatalf("Next() = %d, %d is due at %d", at, id, deadline)
		}
	}
	if at > m.w.Now() {
		size := m.w.Len()
		n, done := m.w.Advance(at-1, m.due)
		if again, _ := m.w.Next(); n != 0 || !done || again != at || m.w.Len() != size {
			m.t.Fatalf("Next() = %d, Advance to before it = %d, %v; then Next() = %d",
				at, n, done, again)
		}
	}
}

// nextIsDue checks that Advance to Next makes progress.
func (m *machine) nextIsDue() {
	m.t.Helper()
	at, ok := m.w.Next()
	if !ok {
		return
	}
	entries := m.w.Len()
	if m.advance(at, 1, true); m.w.Len() >= entries {
		m.t.Fatalf("Next() = %d, but Advance drops none of %d entries", at, entries)
	}
}

// compact drops the ids that mod divides; 0 drops none.
func (m *machine) compact(budget int, mod uint32) {
	m.t.Helper()
	entries := m.w.Len()
	examined := m.w.Compact(budget, func(id uint32) bool {
		if _, filed := m.ref[id]; !filed {
			m.t.Fatalf("Compact asked for %d, which is not filed", id)
		}
		if mod == 0 || id%mod != 0 {
			return false
		}
		delete(m.ref, id)
		return true
	})
	if examined > min(max(budget, 0), entries)+chunkIDs-1 {
		m.t.Fatalf("Compact(%d) of %d entries examined %d", budget, entries, examined)
	}
	if m.w.drain.head == 0 && examined < min(budget, m.w.Len()) {
		m.t.Fatalf("Compact(%d) examined %d and left %d", budget, examined, m.w.Len())
	}
}

// compactAll leaves no stale entry outside a bucket that is being drained.
func (m *machine) compactAll() {
	m.t.Helper()
	for range 3 {
		m.compact(m.w.Len(), 0)
	}
	if m.w.drain.head == 0 && (m.w.Stale() != 0 || m.w.Len() != len(m.ref)) {
		m.t.Fatalf("compacted, %d entries of %d stale, want none of %d",
			m.w.Stale(), m.w.Len(), len(m.ref))
	}
}

// check compares the wheel with the map.
func (m *machine) check() {
	m.t.Helper()
	w := m.w
	if err := w.checkInvariants(); err != nil {
		m.t.Fatalf("invariant: %v", err)
	}
	if w.Len()-w.Stale() != len(m.ref) {
		m.t.Fatalf("%d entries, %d stale, want %d filed", w.Len(), w.Stale(), len(m.ref))
	}
	m.checkCounts()
	for id := range m.ids {
		at, filed := m.ref[id]
		if w.Filed(id) != filed {
			m.t.Fatalf("Filed(%d) = %v, want %v", id, !filed, filed)
		}
		// What is due now is gone, but for a drain that is under way and for the end of time.
		late := at < w.Now() || at == w.Now() && w.drain.head == 0 && at != MaxTick
		if filed && late {
			m.t.Fatalf("%d is due at %d and not handed out at %d", id, at, w.Now())
		}
		if !filed {
			continue
		}
		if start := w.start(*w.positions.find(id) & bucketMask); start > at {
			m.t.Fatalf("%d is due at %d, its bucket comes up at %d", id, at, start)
		}
	}
}

// checkCounts compares the counts by level and slot with each other.
func (m *machine) checkCounts() {
	m.t.Helper()
	w, sum := m.w, 0
	for level := range Levels {
		occupied, n := w.Entries(level)
		sum += n
		var slots [Slots]int
		w.Fill(level, &slots)
		filled := 0
		for slot, n := range slots {
			filled += n
			if (n > 0) != (occupied>>slot&1 != 0) {
				m.t.Fatalf("level %d slot %d has %d entries, occupied %b", level, slot, n, occupied)
			}
		}
		if int(w.drain.bucket>>SlotBits) == level {
			filled += int(w.drain.left)
		}
		if filled != n {
			m.t.Fatalf("level %d: slots and drain have %d entries, want %d", level, filled, n)
		}
	}
	if sum != w.Len() || w.Pending(MaxTick) != sum {
		m.t.Fatalf("Entries of all levels = %d, Len() = %d, Pending(MaxTick) = %d",
			sum, w.Len(), w.Pending(MaxTick))
	}
	if now := w.Pending(w.Now()); w.Now() != MaxTick && now != int(w.drain.left) {
		m.t.Fatalf("Pending(now) = %d, %d are left of the drain", now, w.drain.left)
	}
	if at, ok := w.Next(); ok && (w.Pending(at) == 0 || at > w.Now() && w.Pending(at-1) != 0) {
		m.t.Fatalf("Next() = %d, Pending there %d, before it %d", at, w.Pending(at),
			w.Pending(at-1))
	}
}

// finish advances past all deadlines, after which the wheel must be empty.
func (m *machine) finish() {
	m.t.Helper()
	end := m.w.Now()
	for _, at := range m.ref {
		end = max(end, at)
	}
	m.advanceAll(end, 7)
	if len(m.ref) != 0 {
		m.t.Fatalf("past the last deadline %d ids are left: %v", len(m.ref), m.filed())
	}
	m.check()
}

func (m *machine) filed() []uint32 {
	ids := make([]uint32, 0, len(m.ref))
	for id := range m.ref {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

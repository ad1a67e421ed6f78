package load

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// dues are all that a schedule has.
func dues(s schedule) (all []time.Duration) {
	for {
		due, ok := s.next()
		if !ok {
			return all
		}
		all = append(all, due)
		s.taken++
	}
}

// TestSchedule_SharesAreTheWhole holds that what several processes have to do, all together, is
// what one would have.
func TestSchedule_SharesAreTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "start"))
		s := schedule{
			start: start, rate: rapid.Float64Range(0.1, 2000).Draw(t, "rate"), processes: 1,
			end: start + time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "length")),
		}
		want := dues(s)
		var got []time.Duration
		n := rapid.IntRange(1, 9).Draw(t, "processes")
		for process := range n {
			share := s
			share.offset, share.processes = process, n
			mine := dues(share)
			if left := share.left(); left != uint64(len(mine)) {
				t.Fatalf("%d left of process %d, want %d", left, process, len(mine))
			}
			if len(mine) > len(want)/n+1 || len(mine) < len(want)/n {
				t.Fatalf("%d of %d dues for process %d of %d", len(mine), len(want), process, n)
			}
			got = append(got, mine...)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) || !slices.IsSorted(want) {
			t.Fatalf("%d processes have %v, want %v", n, got, want)
		}
	})
}

// TestSchedule_KeepsItsRate holds that as many are due as the rate says, however long it runs.
func TestSchedule_KeepsItsRate(t *testing.T) {
	s := schedule{start: time.Hour, end: time.Hour + 10*time.Second, rate: 3000, processes: 1}
	if n := s.left(); n != 30000 {
		t.Errorf("%d due, want 30000", n)
	}
	s.taken = 29999
	due, ok := s.next()
	if !ok || due.Round(time.Microsecond) != time.Hour+9999667*time.Microsecond {
		t.Errorf("the last is due at %v, %v", due, ok)
	}
	if n := s.left(); n != 1 {
		t.Errorf("%d left, want 1", n)
	}
	s.taken = 1 << 20
	if n := s.left(); n != 0 {
		t.Errorf("%d left after the end, want 0", n)
	}
}

// TestSchedule_LeftIsWhatIsDue holds that as many are left as next will give, where rates and times
// are round and sums are not.
func TestSchedule_LeftIsWhatIsDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := schedule{
			start: time.Duration(rapid.IntRange(0, 100).Draw(t, "start")) * time.Millisecond,
			rate:  float64(rapid.IntRange(1, 500).Draw(t, "rate")),
		}
		tenths := rapid.IntRange(0, 40).Draw(t, "tenths")
		s.end = s.start + time.Duration(tenths)*100*time.Millisecond
		s.processes = rapid.IntRange(1, 4).Draw(t, "processes")
		s.offset = rapid.IntRange(0, s.processes-1).Draw(t, "offset")
		if got, want := s.left(), len(dues(s)); got != uint64(want) {
			t.Fatalf("%d left of %+v, want %d", got, s, want)
		}
	})
	s := schedule{end: 1100 * time.Millisecond, rate: 400, processes: 1}
	if n := s.left(); n != 440 {
		t.Errorf("%d left, want 440", n)
	}
}

func TestSchedule_ThatNeverBegan(t *testing.T) {
	var s schedule
	if due, ok := s.next(); ok { // left would count for ever
		t.Fatalf("something is due at %v by no schedule", due)
	}
	if n := s.left(); n != 0 {
		t.Errorf("%d left, want 0", n)
	}
}

// queueMachine holds a queue against a slice.
type queueMachine struct {
	q    queue
	want []uint64
}

func (m *queueMachine) Push(t *rapid.T) {
	for range rapid.IntRange(1, 200).Draw(t, "n") {
		key := rapid.Uint64().Draw(t, "key")
		m.q.push(key)
		m.want = append(m.want, key)
	}
}

func (m *queueMachine) Pop(t *rapid.T) {
	for range rapid.IntRange(1, 200).Draw(t, "n") {
		key, ok := m.q.pop()
		if ok != (len(m.want) > 0) || ok && key != m.want[0] {
			t.Fatalf("pop() = %d, %v, want the first of %v", key, ok, m.want)
		}
		if ok {
			m.want = m.want[1:]
		}
	}
}

func (m *queueMachine) Check(t *rapid.T) {
	if n := len(m.q.all) - m.q.head; n != len(m.want) {
		t.Fatalf("%d in the queue, want %d", n, len(m.want))
	}
}

func TestQueue_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		t.Repeat(rapid.StateMachineActions(&queueMachine{}))
	})
}

// TestQueue_StaysSmall holds that a queue is no longer than about what is in it, for ever.
func TestQueue_StaysSmall(t *testing.T) {
	var q queue
	for i := range uint64(100) {
		q.push(i)
	}
	for i := range uint64(1e6) {
		if key, _ := q.pop(); key != i {
			t.Fatalf("pop() = %d, want %d", key, i)
		}
		q.push(i + 100)
	}
	if cap(q.all) > 2000 {
		t.Errorf("%d places for 100, want no more than some", cap(q.all))
	}
}

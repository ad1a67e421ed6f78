package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestLateStamps_Until(t *testing.T) {
	var l lateStamps
	l.add(5, 2, 7) // No later than the stamp says by itself.
	l.add(10, 2, 13)
	l.add(20, 2, 500)
	l.add(600, 2, 100)
	for s, want := range map[uint64]uint64{0: 0, 5: 0, 9: 0, 10: 13, 11: 0, 19: 0, 20: 500, 21: 0, 600: 0} {
		if got := l.until(s); got != want {
			t.Errorf("until(%d) = %d, want %d", s, got, want)
		}
	}
	if len(l) != 2 {
		t.Errorf("%d records, want 2", len(l))
	}
}

// However many records there are, none is lost, memory is bounded, and a snapshot stays as it is.
func TestLateStamps_Joining(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var l, snapshot, snapshotCopy lateStamps
	want := map[uint64]uint64{}
	stamp := uint64(0)
	for i := range 10 * maxLate {
		stamp += 1 + r.Uint64N(4)
		until := stamp + 3 + r.Uint64N(1000)
		want[stamp] = until
		l.add(stamp, 2, until)
		if len(l) > maxLate {
			t.Fatalf("%d records, want at most %d", len(l), maxLate)
		}
		if i%777 == 0 {
			if !slices.Equal(snapshot, snapshotCopy) {
				t.Fatal("a snapshot changed")
			}
			snapshot, snapshotCopy = l, slices.Clone(l)
		}
		if i%100 != 0 && i < 10*maxLate-1 {
			continue
		}
		for s, until := range want {
			if got := l.until(s); got < until {
				t.Fatalf("after %d records: until(%d) = %d, want %d or later", i, s, got, until)
			}
		}
	}
	if got := l.until(stamp + 1); got != 0 {
		t.Errorf("until(%d) after the last record = %d, want 0", stamp+1, got)
	}
}

package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestLateStamps_Extra(t *testing.T) {
	var l lateStamps
	l.add(5, 5, 0) // No later than the stamp says by itself.
	l.add(10, 10, 1)
	l.add(20, 20, 478)
	l.add(600, 600, -500)
	for s, want := range map[uint64]int64{
		0: 0, 5: 0, 9: 0, 10: 1, 11: 0, 19: 0, 20: 478, 21: 0, 600: 0,
	} {
		if got := l.extra(s); got != want {
			t.Errorf("extra(%d) = %d, want %d", s, got, want)
		}
	}
	if len(l) != 2 {
		t.Errorf("%d records, want 2", len(l))
	}
}

// Records cover ranges, and one that begins in the last one's range widens it, for those who look
// afterwards only.
func TestLateStamps_Ranges(t *testing.T) {
	var l lateStamps
	l.add(10, 14, 5)
	snapshot := l
	l.add(14, 20, 3)
	for s, want := range map[uint64]int64{9: 0, 10: 5, 14: 5, 15: 5, 20: 5, 21: 0} {
		if got := l.extra(s); got != want {
			t.Errorf("extra(%d) = %d, want %d", s, got, want)
		}
	}
	if got := snapshot.extra(15); got != 0 {
		t.Errorf("extra(15) = %d in an older snapshot, want 0", got)
	}
}

// However many records there are, none is lost, memory is bounded, and a snapshot stays as it is.
func TestLateStamps_Joining(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var l, snapshot, snapshotCopy lateStamps
	want := map[uint64]int64{}
	stamp := uint64(0)
	for i := range 4 * maxLate {
		stamp += 1 + r.Uint64N(4)
		want[stamp] = 1 + r.Int64N(1000)
		l.add(stamp, stamp, want[stamp])
		if len(l) > maxLate {
			t.Fatalf("%d records, want at most %d", len(l), maxLate)
		}
		if i%777 == 0 {
			if !slices.Equal(snapshot, snapshotCopy) {
				t.Fatal("a snapshot changed")
			}
			snapshot, snapshotCopy = l, slices.Clone(l)
		}
		if i%100 != 0 && i < 4*maxLate-1 {
			continue
		}
		for s, nanos := range want {
			if got := l.extra(s); got < nanos {
				t.Fatalf("after %d records: extra(%d) = %d, want %d or more", i, s, got, nanos)
			}
		}
	}
	if got := l.extra(stamp + 1); got != 0 {
		t.Errorf("extra(%d) after the last record = %d, want 0", stamp+1, got)
	}
}

// A process that was stopped for an hour once, and is a little late often, does not have sessions
// wait for an hour for ever after.
func TestLateStamps_OneLongStallStaysAlone(t *testing.T) {
	const hour = int64(3600e9)
	var l lateStamps
	l.add(1000, 1000, hour)
	for s := uint64(2000); len(l) < maxLate || s < 100*maxLate*100; s += 100 {
		l.add(s, s, 3e6)
	}
	if got := l.extra(1000); got < hour {
		t.Errorf("extra of the long stall = %d, want %d or more", got, hour)
	}
	for s := uint64(2000); s < 100*maxLate*100; s += 50 {
		if got := l.extra(s); got > 4e6 {
			t.Fatalf("extra(%d) = %d, want no more than the short stalls'", s, got)
		}
	}
}

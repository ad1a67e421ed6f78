package wheel

import (
	"math/rand/v2"
	"testing"
)

const benchIDs = 1_000_000

// BenchmarkSchedule files ids one after the other, each for the first time.
func BenchmarkSchedule(b *testing.B) {
	for _, bench := range []struct {
		name string
		at   func(id uint32) Tick
	}{
		{"one", func(uint32) Tick { return 360_000 }},
		{"spread", func(id uint32) Tick { return 1 + Tick(id*2654435761)%360_000 }},
	} {
		b.Run("buckets="+bench.name, func(b *testing.B) {
			b.ReportAllocs()
			w, id := New(0), uint32(0)
			for b.Loop() {
				if id == benchIDs {
					b.StopTimer()
					empty(w)
					id = 0
					b.StartTimer()
				}
				w.Schedule(id, w.now+bench.at(id))
				id++
			}
		})
	}
}

// BenchmarkScheduleKept is a touch: the id is filed already and comes up earlier.
func BenchmarkScheduleKept(b *testing.B) {
	for _, order := range []string{"sequential", "random"} {
		b.Run("order="+order, func(b *testing.B) {
			b.ReportAllocs()
			w := New(0)
			ids := make([]uint32, benchIDs)
			for i := range ids {
				ids[i] = uint32(i)
				w.Schedule(ids[i], 360_000)
			}
			if order == "random" {
				rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
			}
			i := 0
			for b.Loop() {
				w.Schedule(ids[i], 400_000)
				if i++; i == len(ids) {
					i = 0
				}
			}
		})
	}
}

// BenchmarkRearm cancels and schedules one id over and over.
func BenchmarkRearm(b *testing.B) {
	b.ReportAllocs()
	w := New(0)
	for b.Loop() {
		w.Cancel(7)
		w.Schedule(7, 3000)
	}
}

// BenchmarkAdvance hands out 1M ids; ns/id is the cost of one. In one bucket that is a visit;
// spread, it is a visit on each of three levels and the filing in between, 16 ids a tick.
func BenchmarkAdvance(b *testing.B) {
	for _, buckets := range []string{"one", "spread"} {
		for _, order := range []string{"sequential", "random"} {
			b.Run("buckets="+buckets+"/ids="+order, func(b *testing.B) {
				ids := make([]uint32, benchIDs)
				for i := range ids {
					ids[i] = uint32(i)
				}
				if order == "random" {
					shuffle(ids)
				}
				after := make([]Tick, benchIDs)
				for i, id := range ids {
					after[id] = 60
					if buckets == "spread" {
						after[id] = 1 + Tick(i/16)
					}
				}
				benchmarkAdvance(b, ids, after)
			})
		}
	}
}

// benchmarkAdvance files ids in their order and hands them out, each after[id] ticks later.
func benchmarkAdvance(b *testing.B, ids []uint32, after []Tick) {
	b.Helper()
	b.ReportAllocs()
	w, due := New(0), make([]uint32, 256)
	for b.Loop() {
		b.StopTimer()
		start := (w.now | (1<<18 - 1)) + 1
		w.Advance(start, due)
		for _, id := range ids {
			w.Schedule(id, start+after[id])
		}
		b.StartTimer()
		for next, ok := w.Next(); ok; next, ok = w.Next() {
			n, _ := w.Advance(next, due)
			for _, id := range due[:n] {
				if at := start + after[id]; at > next {
					w.Schedule(id, at)
				}
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchIDs, "ns/id")
}

// BenchmarkAdvanceEmpty moves by a tick when nothing is due.
func BenchmarkAdvanceEmpty(b *testing.B) {
	b.ReportAllocs()
	w, due := New(0), make([]uint32, 256)
	w.Schedule(1, MaxTick)
	for b.Loop() {
		w.Advance(w.now+1, due)
	}
}

// BenchmarkCompact examines 1M entries in one bucket, none of them stale.
func BenchmarkCompact(b *testing.B) {
	b.ReportAllocs()
	w := New(0)
	for id := range uint32(benchIDs) {
		w.Schedule(id, 60)
	}
	examined := 0
	for b.Loop() {
		examined += w.Compact(256, nil)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(examined), "ns/id")
}

func shuffle(ids []uint32) {
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
}

// empty takes out all ids.
func empty(w *Wheel) {
	due := make([]uint32, 4096)
	for w.Len() > 0 {
		next, _ := w.Next()
		w.Advance(next, due)
	}
}

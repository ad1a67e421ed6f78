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

// BenchmarkAdvance hands out 1M ids; ns/id is the cost of one.
func BenchmarkAdvance(b *testing.B) {
	for _, bench := range []struct {
		name string
		at   func(i, id uint32) Tick
		ids  func([]uint32)
	}{
		{"buckets=one/ids=sequential", func(_, _ uint32) Tick { return 60 }, nil},
		{"buckets=one/ids=random", func(_, _ uint32) Tick { return 60 }, shuffle},
		{"buckets=spread/ids=sequential", func(i, _ uint32) Tick { return 1 + Tick(i/16) }, nil},
		{"buckets=spread/ids=random", func(_, id uint32) Tick { return 1 + Tick(id/16) }, shuffle},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			w, due := New(0), make([]uint32, 256)
			ids := make([]uint32, benchIDs)
			for i := range ids {
				ids[i] = uint32(i)
			}
			if bench.ids != nil {
				bench.ids(ids)
			}
			for b.Loop() {
				b.StopTimer()
				start := (w.now + 1<<20) &^ (1<<18 - 1)
				w.Advance(start, due)
				for i, id := range ids {
					w.Schedule(id, start+bench.at(uint32(i), id))
				}
				b.StartTimer()
				drain(w, start, due, func(i uint32) Tick { return start + bench.at(i, i) })
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchIDs, "ns/id")
		})
	}
}

// drain advances until the wheel is empty and files again what came before its time.
func drain(w *Wheel, start Tick, due []uint32, at func(id uint32) Tick) {
	for {
		next, ok := w.Next()
		if !ok {
			return
		}
		n, _ := w.Advance(next, due)
		if next > start+60 {
			for _, id := range due[:n] {
				if t := at(id); t > next {
					w.Schedule(id, t)
				}
			}
		}
	}
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

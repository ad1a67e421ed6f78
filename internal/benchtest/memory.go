package benchtest

import (
	"bytes"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/baseline"
)

// growthSamples is how often Memory looks while a table doubles.
const growthSamples = 32

// Memory measures what a session takes beside its ID. Every session is created with a string of
// its own that nobody else keeps, so wherever the ID ends up it is counted, and its 32 bytes are
// subtracted.
//
//	B/session        the growth of the live heap, after a collection, which is what a table holds
//	B/session-worst  the same at the worst of 32 moments while the table grew from n/2 to n
//	rss-B/session    the growth of the resident memory after all free memory was given back; it
//	                 differs where memory is taken from the system and not from the heap
//	heap-objects     how many objects the collector has more
//	own-B/session    what the table says itself, if it does
func Memory(b *testing.B, impls []baseline.Impl) {
	b.Helper()
	each(b, impls, func(b *testing.B, impl baseline.Impl, n int) {
		b.Helper()
		for range b.N {
			measureMemory(b, impl, n)
		}
		b.ReportMetric(0, "ns/op") // Says nothing, so it is not shown.
	})
}

func measureMemory(b *testing.B, impl baseline.Impl, n int) {
	b.Helper()
	debug.FreeOSMemory()
	before, resident := liveHeap(), residentBytes()
	s := impl.Open(baseline.Config{Idle: longIdle})
	defer s.Close()
	source := NewIDSource(keySeed)
	create := func(count int) {
		for count > 0 {
			ids := make([]string, min(count, fillWindow))
			source.Fill(ids)
			s.Create(ids)
			count -= len(ids)
		}
	}
	live, worst := n-n/2, 0.0
	create(live)
	for i := range growthSamples {
		more := (n - live) / (growthSamples - i)
		create(more)
		live += more
		worst = max(worst, perSession(liveHeap().bytes-before.bytes, live))
	}
	after := liveHeap()
	debug.FreeOSMemory()
	b.ReportMetric(perSession(after.bytes-before.bytes, n), "B/session")
	b.ReportMetric(worst, "B/session-worst")
	b.ReportMetric(float64(after.objects-before.objects), "heap-objects")
	if now := residentBytes(); now > 0 {
		b.ReportMetric(perSession(now-resident, n), "rss-B/session")
	}
	if own, ok := s.(interface{ Bytes() int64 }); ok {
		b.ReportMetric(perSession(own.Bytes(), n), "own-B/session")
	}
}

func perSession(bytes int64, n int) float64 { return float64(bytes)/float64(n) - IDLen }

type heap struct {
	bytes, objects int64
}

// liveHeap collects and says what is left. The second collection sweeps what the first one found.
func liveHeap() heap {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return heap{int64(m.HeapAlloc), int64(m.HeapObjects)}
}

// residentBytes is the memory of this process that is in use, 0 where the system does not tell.
func residentBytes() int64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

// collections is how many collections GC takes the median of.
const collections = 20

// GC measures what a table of n sessions that nobody uses costs the collector.
//
//	ns/op         how long a forced collection takes, by the clock, the median of at least 20
//	mark-ms       the processor time of marking, more than beside an empty table
//	heap-objects  how many objects the collector has more
func GC(b *testing.B, impls []baseline.Impl) {
	b.Helper()
	each(b, impls, func(b *testing.B, impl baseline.Impl, n int) {
		b.Helper()
		empty := impl.Open(baseline.Config{Idle: longIdle})
		before := liveHeap()
		mark, _ := medianCollection(0)
		empty.Close()
		s := impl.Open(baseline.Config{Idle: longIdle})
		defer s.Close()
		source := NewIDSource(keySeed)
		for left := n; left > 0; {
			ids := make([]string, min(left, fillWindow))
			source.Fill(ids)
			s.Create(ids)
			left -= len(ids)
		}
		after := liveHeap()
		full, took := medianCollection(b.N)
		b.ReportMetric(float64(took), "ns/op")
		b.ReportMetric(1e3*(full-mark), "mark-ms")
		b.ReportMetric(float64(after.objects-before.objects), "heap-objects")
	})
}

// medianCollection collects n times, and at least as often as is enough, and returns the medians of
// the processor time spent on marking, in seconds, and of how long it took.
func medianCollection(n int) (mark float64, took time.Duration) {
	n = max(n, collections)
	marks := make([]float64, n)
	times := make([]time.Duration, n)
	for i := range n {
		from, start := markSeconds(), time.Now()
		runtime.GC()
		marks[i], times[i] = markSeconds()-from, time.Since(start)
	}
	slices.Sort(marks)
	slices.Sort(times)
	return marks[n/2], times[n/2]
}

// markSeconds is the processor time that marking took since the process began, up to the last
// collection.
func markSeconds() float64 {
	samples := []metrics.Sample{
		{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/dedicated:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
	}
	metrics.Read(samples)
	sum := 0.0
	for _, s := range samples {
		if s.Value.Kind() != metrics.KindFloat64 {
			return math.NaN()
		}
		sum += s.Value.Float64()
	}
	return sum
}

// Wait returns after a while, in which the benchmark does nothing itself.
func Wait(d time.Duration) {
	timer := time.NewTimer(d)
	<-timer.C
}

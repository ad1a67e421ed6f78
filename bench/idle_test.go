package bench

import (
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/benchtest"
)

// BenchmarkIdle measures what a table costs that nobody uses and that has nothing to end, beside a
// process that does nothing (n=0).
//
//	cpu-%        processor time of the process, in percent of one processor
//	switches/s   how often a thread of it went to sleep
func BenchmarkIdle(b *testing.B) {
	for _, n := range append([]int{0}, benchtest.Sizes()...) {
		b.Run(fmt.Sprintf("impl=curfew/n=%d", n), func(b *testing.B) {
			t := newTable(b, engine.Options[none]{})
			fill(t, n)
			debug.FreeOSMemory() // Now, and not in the background meanwhile.
			benchtest.Wait(500 * time.Millisecond)
			for range b.N {
				cpu, switches := usage()
				start := time.Now()
				benchtest.Wait(benchtest.Seconds())
				took := time.Since(start)
				cpuAfter, switchesAfter := usage()
				b.ReportMetric(100*float64(cpuAfter-cpu)/float64(took), "cpu-%")
				b.ReportMetric(float64(switchesAfter-switches)/took.Seconds(), "switches/s")
			}
			b.ReportMetric(0, "ns/op")
			if t.Len() != n {
				b.Fatalf("%d of %d sessions ended", n-t.Len(), n)
			}
		})
	}
}

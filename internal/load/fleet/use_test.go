package fleet

import (
	"math"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// at is a moment of the samples below, which stand for a server that uses half a core from 10 s to
// 14 s, and nothing before and after.
func at(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func TestUse_Count(t *testing.T) {
	const mib = 1 << 20
	first := sample{own: 10 * mib, kernel: 100 * mib}
	u := use{
		pid: 1, first: &first, before: sample{cpu: at(1)},
		after: sample{cpu: at(1.5), own: 14 * mib, kernel: 102 * mib},
		series: []sample{
			{at: at(9), cpu: at(1.5), descriptors: 105, voluntary: 10, involuntary: 1},
			{at: at(10), cpu: at(1.5), descriptors: 120, voluntary: 20, involuntary: 2},
			{at: at(14), cpu: at(3.5), descriptors: 110, voluntary: 90, involuntary: 5},
			{at: at(15), cpu: at(3.5), resident: 7, descriptors: 99, voluntary: 95, involuntary: 6},
		},
	}
	part := &result.Part{
		Written: 1000, Phases: []result.Phase{{Name: result.PhaseRun, Start: at(1), End: at(3)}},
	}
	part.Connect.OK = 250 // with those that came back during the run
	u.count(part, 100, int64(at(10)))
	u.total.add(&usage{own: 1, last: sample{resident: 8, descriptors: 109}, descriptorsMax: 5})
	s := u.total.figures()
	if math.Abs(s.CPUPerMessage-1000) > 1e-6 || math.Abs(s.CPUPercent-50) > 1e-6 {
		t.Errorf("%v us a message, %v %%; want 1000, 50", s.CPUPerMessage, s.CPUPercent)
	}
	if s.CPUPerConnect != 5000 || s.BytesPerConn != 4*mib/100. || s.KernelPerConn != 2*mib/100. {
		t.Errorf("%v us, %v bytes, %v bytes of the kernel's a connection; want 5000, %v, %v",
			s.CPUPerConnect, s.BytesPerConn, s.KernelPerConn, 4*mib/100., 2*mib/100.)
	}
	if s.DescriptorsAtMax != 120 || s.Descriptors != 109 || s.RSSBytes != 8 {
		t.Errorf("%d descriptors of %d, %d bytes; want 109 of 120, 8", s.Descriptors,
			s.DescriptorsAtMax, s.RSSBytes)
	}
	// From the sample nearest to 11 s to the one nearest to 13 s.
	if s.Voluntary != 70 || s.Involuntary != 3 {
		t.Errorf("%d and %d context switches, want 70 and 3", s.Voluntary, s.Involuntary)
	}
}

// A server that is not known has used nothing, in numbers.
func TestUse_Nobody(t *testing.T) {
	u, err := newUse(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.sample(beforeConnect); err != nil {
		t.Error(err)
	}
	stop := u.watch(0, 0, 0)
	if err := stop(); err != nil {
		t.Error(err)
	}
	u.count(new(result.Part), 0, 0)
	if got := u.total.figures(); got != (result.Server{}) {
		t.Errorf("figures() = %+v, want nothing", got)
	}
}

package result

import (
	"strings"
	"testing"
	"time"
)

// fine is a part in which everything went as it must.
func fine() *Part {
	p := &Part{Sent: 10, Received: 10}
	p.Connect.OK = 10
	for range 1000 {
		p.Latency.Record(time.Millisecond)
		p.TimingError.Record(10 * time.Microsecond)
	}
	return p
}

func TestJudge_EachPromise(t *testing.T) {
	for want, breaks := range map[string]func(p *Part){
		"1 messages were lost":         func(p *Part) { p.Lost = 1 },
		"2 frames were wrong":          func(p *Part) { p.Wrong = 2 },
		"3 answers came twice":         func(p *Part) { p.Duplicated = 3 },
		"4 answers came out of order":  func(p *Part) { p.Reordered = 4 },
		"5 messages were due":          func(p *Part) { p.Unsent = 5 },
		"6 connections were ended":     func(p *Part) { p.Cut = 6 },
		"7 sessions ended early":       func(p *Part) { p.Expiry.Early = 7 },
		"8 sessions should have ended": func(p *Part) { p.Expiry.Missing = 8 },
		"9 connections failed":         func(p *Part) { p.Connect.Failed = 9 },
		"10 sessions were not resumed": func(p *Part) { p.Resume.Changed = 10 },
		"11 sessions were not resumed": func(p *Part) { p.Resume.Refused = 11 },
		"12 sessions were resumed":     func(p *Part) { p.Resume.Gaps = 12 },
	} {
		p := fine()
		breaks(p)
		r := Of(p)
		r.Judge(0)
		if r.ExitCode != ExitBroken || len(r.Broken) != 1 || !strings.Contains(r.Broken[0], want) {
			t.Errorf("exit %d for %q, want %d for %q", r.ExitCode, r.Broken, ExitBroken, want)
		}
	}
}

func TestJudge_Fine(t *testing.T) {
	p := fine()
	p.Late = 1 // it was lost too, or nothing was given up
	p.Fault = FaultPart{Injected: 3, Cut: 2, Held: 1}
	p.Closes = map[string]uint64{"4200": 1}
	r := Of(p)
	r.ExitCode, r.Broken = 7, []string{"of an earlier verdict"}
	r.Judge(time.Second)
	if r.ExitCode != ExitFine || r.Broken == nil || len(r.Broken) > 0 {
		t.Errorf("exit %d for %q, want 0 for nothing", r.ExitCode, r.Broken)
	}
}

func TestJudge_MaxP99(t *testing.T) {
	p := fine()
	for range 9 { // of 1009: not yet the p99
		p.Latency.Record(time.Second)
	}
	r := Of(p)
	if r.Judge(10 * time.Millisecond); r.ExitCode != ExitFine {
		t.Errorf("exit %d for %q, want 0", r.ExitCode, r.Broken)
	}
	for range 9 {
		p.Latency.Record(time.Second)
	}
	r = Of(p)
	if r.Judge(10 * time.Millisecond); r.ExitCode != ExitBroken ||
		!strings.Contains(r.Broken[0], "p99") {
		t.Errorf("exit %d for %q, want 1 for the p99", r.ExitCode, r.Broken)
	}
	if r.Judge(2 * time.Second); r.ExitCode != ExitFine {
		t.Errorf("exit %d for %q, want 0", r.ExitCode, r.Broken)
	}
}

// TestJudge_Precedence holds that 2 beats 3 and 3 beats 1, and that what else is broken is kept.
func TestJudge_Precedence(t *testing.T) {
	late := func(p *Part) { p.TimingError.Record(501 * time.Millisecond) }
	oftenLate := func(p *Part) {
		for range 20 {
			p.TimingError.Record(11 * time.Millisecond)
		}
	}
	lost := func(p *Part) { p.Lost = 1 }
	nothing := func(p *Part) { p.Connect = ConnectPart{Failed: 10} }
	for name, c := range map[string]struct {
		breaks []func(p *Part)
		code   int
		broken int
	}{
		"late":               {[]func(*Part){late}, ExitSchedule, 1},
		"often late":         {[]func(*Part){oftenLate}, ExitSchedule, 1},
		"late and lost":      {[]func(*Part){late, lost}, ExitSchedule, 2},
		"late and nothing":   {[]func(*Part){late, nothing}, ExitUsage, 2},
		"nothing":            {[]func(*Part){nothing}, ExitUsage, 2},
		"lost, nothing late": {[]func(*Part){lost, nothing, late}, ExitUsage, 3},
	} {
		p := fine()
		for _, b := range c.breaks {
			b(p)
		}
		r := Of(p)
		r.Judge(0)
		if r.ExitCode != c.code || len(r.Broken) != c.broken {
			t.Errorf("%s: exit %d for %q, want %d for %d", name, r.ExitCode, r.Broken, c.code,
				c.broken)
		}
	}
}

func TestJudge_NothingConnected(t *testing.T) {
	r := Of(new(Part))
	if r.Judge(0); r.ExitCode != ExitUsage || len(r.Broken) != 1 {
		t.Errorf("exit %d for %q, want 2 for one", r.ExitCode, r.Broken)
	}
}

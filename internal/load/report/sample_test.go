package report

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// recorded is a run as the harness counts one: so many samples over so many intervals of 100 ms,
// with a server that stalls for 200 ms each second.
func recorded(samples, intervals int) *result.Part {
	rnd := rand.New(rand.NewPCG(1, 2))
	p := &result.Part{Sent: uint64(samples), Received: uint64(samples)}
	p.Connect.OK = 500
	for range 500 {
		took := time.Duration(300+rnd.ExpFloat64()*200) * time.Microsecond
		p.Connect.Latency.Record(took)
		p.Connect.TCP.Record(took / 3)
		p.Connect.Upgrade.Record(2 * took / 3)
		p.Fairness.Record(took)
	}
	each := max(1, samples/max(1, intervals))
	for n := range intervals {
		i := result.Interval{
			Phase: result.PhaseRun, Number: n, Start: time.Duration(n) * 100 * time.Millisecond,
			End:  time.Duration(n+1) * 100 * time.Millisecond,
			Sent: uint64(each), Received: uint64(each), Open: 500,
		}
		if n < 5 {
			c := i
			c.Phase, c.Sent, c.Received, c.Opened, c.Open = result.PhaseConnect, 0, 0, 100,
				uint64(100*(n+1))
			p.Intervals = append(p.Intervals, c)
		}
		for range each {
			took := time.Duration(80+60*math.Exp(rnd.NormFloat64())) * time.Microsecond
			p.Uncorrected.Record(took)
			if stall := n%10 < 2; stall {
				took += time.Duration(rnd.Float64() * float64(200*time.Millisecond))
			}
			p.Latency.Record(took)
			i.Latency.Record(took)
		}
		p.Intervals = append(p.Intervals, i)
	}
	for range 1000 {
		p.TimingError.Record(time.Duration(5+rnd.ExpFloat64()*8) * time.Microsecond)
	}
	p.CPU = time.Duration(samples) * 3 * time.Microsecond
	run := time.Duration(intervals) * 100 * time.Millisecond
	p.Phases = []result.Phase{
		{Name: result.PhaseConnect, End: 500 * time.Millisecond},
		{Name: result.PhaseWarmup, End: run / 10},
		{Name: result.PhaseRun, Start: run / 10, End: run - run/20},
		{Name: result.PhaseDrain, Start: run - run/20, End: run},
	}
	return p
}

// reported is the report of what was recorded, judged.
func reported(p *result.Part, profile string) *result.Result {
	r := result.Of(p)
	r.Profile, r.IntendedRate, r.Started = profile, 2000, "2026-11-28T12:00:00Z"
	r.Environment = result.Environment{
		Version: "v0.1.0", Go: "go1.26", Kernel: "6.1.0", CPU: "Some CPU @ 2.5 GHz", Cores: 2,
		Memory: 8 << 30, Processes: 2, FilesLimit: 20000, Server: "ws://127.0.0.1:8079/ws",
		Protocol: "plain", Seed: 1,
		Sysctls: map[string]string{"net.core.somaxconn": "4096"},
		Settings: map[string]string{
			"connections": "500", "rate": "2000/s", "size": "32", "duration": "10s",
		},
	}
	r.Flags = []string{"load", "--rate", "2000/s", "ws://127.0.0.1:8079/ws"}
	r.Judge(0)
	return r
}

// expiring is a run in which sessions end, some of them as they should not.
func expiring() *result.Part {
	rnd := rand.New(rand.NewPCG(3, 4))
	p := recorded(2000, 30)
	p.Expiry = result.ExpiryPart{Expected: 1000, Observed: 999, Early: 1, Missing: 1}
	for i := range 998 {
		late := time.Duration(rnd.Float64() * float64(22*time.Millisecond))
		p.Expiry.Lateness.Record(late)
		p.Intervals[10+i%20].Expired++
	}
	p.Closes = map[string]uint64{"4200": 999, "1001": 2}
	return p
}

// faulty is a run in which nothing goes well.
func faulty() *result.Part {
	p := expiring()
	p.Lost, p.Wrong, p.Duplicated, p.Reordered, p.Late, p.Unsent = 20, 3, 1, 2, 5, 7
	p.Received -= 20
	p.Connect.Failed = 4
	p.Errors = map[string]uint64{"econnrefused": 4, "eof": 9}
	p.Resume = result.ResumePart{Dropped: 100, Resumed: 96, Changed: 1, Refused: 3, Gaps: 2}
	p.Resume.Latency.Record(12 * time.Millisecond)
	p.Fault = result.FaultPart{Injected: 50, Cut: 48, Held: 2, Sent: 40, Lost: 6}
	p.Cut = 3
	p.Fault.After.Record(40 * time.Second)
	for i := range 8 {
		p.Intervals[15+i].Bad = uint64(i)
		p.Intervals[15+i].Closed = uint64(2 * i)
	}
	return p
}

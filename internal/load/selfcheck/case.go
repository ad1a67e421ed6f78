package selfcheck

import (
	"strconv"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
	"github.com/curfew-go/curfew/internal/load/selfcheck/faulty"
)

// Count is how many of something a report must show.
type Count struct {
	Least, Most uint64
	// Struck adds to both, as many times, how often the server says that its fault struck.
	Struck uint64
}

// exactly is a count that allows nothing else.
func exactly(n uint64) Count { return Count{Least: n, Most: n} }

// upTo is a count for what may happen besides.
func upTo(n uint64) Count { return Count{Most: n} }

// each is a count of n for each time that the fault struck.
func each(n uint64) Count { return Count{Struck: n} }

// some is a count that must not be 0.
func some() Count { return Count{Least: 1, Most: 1 << 62} }

// bounds are those of a count, where the fault struck so often.
func (c Count) bounds(struck uint64) (least, most uint64) {
	return c.Least + c.Struck*struck, c.Most + c.Struck*struck
}

// Time is a figure of a report that must lie between two.
type Time struct {
	Path        string // in the JSON, with dots
	Least, Most float64
}

// Case is one run of the harness and what it must find.
type Case struct {
	Name   string
	Server faulty.Options

	// How the harness is run. Zero values stand for echo over 20 connections, 200 messages of 32
	// bytes a second for 1.5 seconds, by one process.
	Profile     string
	Connections int
	Rate        float64
	Size        int
	Duration    time.Duration
	Processes   int
	ExpectIdle  time.Duration

	// Exit is the code that the command must exit with.
	Exit int
	// Counts are what must be found, by its path in the JSON, as in "expiry.early". What can be
	// wrong and is not named must be 0.
	Counts map[string]Count
	// Times are compared where nothing else runs.
	Times []Time
	// Stall has the latencies compared with its model, whose cost is measured.
	Stall bool
	// Freeze stops a process of the harness for this long, in the middle of the run.
	Freeze time.Duration
	// Quick cases are a few that show in seconds that the rest can be relied on.
	Quick bool
}

// withDefaults fills in what was left out.
func (c Case) withDefaults() Case {
	if c.Profile == "" {
		c.Profile = "echo"
	}
	if c.Connections == 0 {
		c.Connections = 20
	}
	if c.Rate == 0 {
		c.Rate = 200
	}
	if c.Size == 0 {
		c.Size = 32
	}
	if c.Duration == 0 {
		c.Duration = 1500 * time.Millisecond
	}
	if c.Processes == 0 {
		c.Processes = 1
	}
	return c
}

// alone says whether nothing else may run beside a case.
func (c *Case) alone() bool { return len(c.Times) > 0 || c.Stall || c.Freeze > 0 }

// protocol is how the harness must speak.
func (c *Case) protocol() string {
	if c.Server.V1 {
		return "json"
	}
	return "plain"
}

// args are the command's, for a server with a process ID, without the URL and the files.
func (c *Case) args(pid int) []string {
	args := []string{
		"load", "--quiet", "--seed", "7", "--profile", c.Profile, "--protocol", c.protocol(),
		"--connections", strconv.Itoa(c.Connections),
		"--size", strconv.Itoa(c.Size),
		"--duration", c.Duration.String(),
		"--processes", strconv.Itoa(c.Processes),
		"--pid", strconv.Itoa(pid),
	}
	if c.Profile != "idle" && c.Profile != "storm" { // in which nothing falls due at a rate
		args = append(args, "--rate", strconv.FormatFloat(c.Rate, 'f', -1, 64)+"/s")
	}
	if c.ExpectIdle > 0 {
		args = append(args, "--expect-idle", c.ExpectIdle.String())
	}
	return args
}

// model is the stall of a case, where one answer of many costs so much.
func (c *Case) model(cost time.Duration) Stall {
	return Stall{
		Rate: c.Rate, Connections: c.Connections, Stall: c.Server.Delay, Period: c.Server.Period,
		Cost: cost,
	}
}

// flood is a case that finds out what one answer of many costs: far more messages fall due than
// can be answered, over as many connections, on a server without fault.
func (c *Case) flood() Case {
	f := *c
	f.Server.Fault, f.Stall = faulty.None, false
	f.Rate, f.Duration = 200_000, 250*time.Millisecond
	return f
}

// cost is what one answer cost in a flood: all of it went on until the last message that was due
// was answered, which is the one that waited longest.
func cost(flood *result.Result) time.Duration {
	took := flood.Histograms.Latency.Max() + time.Duration(flood.Seconds*float64(time.Second))
	return took / time.Duration(max(flood.Received, 1))
}

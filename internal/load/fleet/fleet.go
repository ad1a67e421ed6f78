package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/curfew-go/curfew/internal/load"
	"github.com/curfew-go/curfew/internal/load/result"
)

// Options say what to run and how.
type Options struct {
	// Plan is what all processes do together. Its Process and Processes are not looked at; its
	// Interval is that of the report, 0: as Intervals says.
	Plan load.Plan
	// Processes is how many workers to start. 0: one a core, more where files run out, and never
	// more than there are connections.
	Processes int
	// Repeat is how often to run the plan. 0: once.
	Repeat int
	// PID is the server's process, whose use of the machine is then in the result. 0: not known.
	PID int
	// MaxP99 is what the latency's p99 must not exceed. 0: anything.
	MaxP99 time.Duration

	// Command is how a worker is started. nil: this executable with the arguments of [WorkerArgs].
	Command []string
	// Stop, closed, ends the run early, with whatever was measured. nil: never.
	Stop <-chan struct{}
	// Progress is told four times a second how it goes, and Remark what a reader should know, a
	// sentence each. Both are called from Run's goroutine. nil: nobody asks.
	Progress func(Live)
	Remark   func(string)

	// Version and Flags are for the report.
	Version string
	Flags   []string

	limits limits // those of defaultLimits, but in tests
}

// WorkerArgs are the arguments by which an executable becomes a worker: it then calls [Work].
func WorkerArgs() []string { return []string{"load", "worker"} }

// intervalsMax is about how many intervals a report has where nobody says how long they are. Each
// has a histogram.
const intervalsMax = 600

// Intervals is how long the intervals of a report are: what a plan says, or a tenth of a second,
// and more where a run is long.
func Intervals(p load.Plan) time.Duration {
	if p.Interval > 0 {
		return p.Interval
	}
	whole := p.Warmup + max(p.Duration, p.ExpectIdle)
	return max(100*time.Millisecond, (whole / intervalsMax).Round(100*time.Millisecond))
}

// liveMax is the longest interval of a worker: by them progress is shown, and a worker's life seen.
const liveMax = 250 * time.Millisecond

// Run runs the plan and makes the result, with its verdict. It returns an error where nothing could
// be measured: a plan or a machine that does not fit, a server's process that is not there. When
// ctx ends all is given up at once.
func Run(ctx context.Context, o Options) (*result.Result, error) {
	o = o.withDefaults()
	if err := o.Plan.Validate(); err != nil {
		return nil, Public(&o.Plan, err)
	}
	processes, files, err := o.size()
	if err != nil {
		return nil, err
	}
	o.Plan.Processes = processes
	use, err := newUse(o.PID)
	if err != nil {
		return nil, err
	}
	s := &series{o: &o, use: use, environment: environment(&o, files), started: now()}
	for n := range o.Repeat {
		if n > 0 && o.stopped() {
			break
		}
		if err := s.run(ctx, n); err != nil {
			err = Public(&o.Plan, err)
			if n == 0 || ctx.Err() != nil {
				return nil, err
			}
			s.broken = append(s.broken, fmt.Sprintf("run %d could not be made: %v", n+1, err))
			o.Remark(s.broken[len(s.broken)-1])
			break
		}
	}
	return s.result(), nil
}

func (o Options) withDefaults() Options {
	o.Plan.Process, o.Plan.Processes = 0, 1
	kept := Intervals(o.Plan)
	o.Plan.Interval = kept
	o.Plan = o.Plan.WithDefaults()
	o.Repeat = max(o.Repeat, 1)
	if o.limits == (limits{}) {
		o.limits = defaultLimits()
	}
	if len(o.Command) == 0 {
		// Where the name is not known, starting it fails and says so.
		self, _ := os.Executable()
		o.Command = append([]string{self}, WorkerArgs()...)
	}
	if o.Progress == nil {
		o.Progress = func(Live) {}
	}
	if o.Remark == nil {
		o.Remark = func(string) {}
	}
	return o
}

// stopped says whether the run is to end early.
func (o *Options) stopped() bool {
	select {
	case <-o.Stop:
		return true
	default:
		return false
	}
}

// errNobody is why a run ended before it began.
var errNobody = errors.New("no process of the harness came up")

// intended is the rate of a plan's messages; profiles without messages have none.
func intended(p *load.Plan) float64 {
	if !p.Profile.Talks() {
		return 0
	}
	return p.Rate
}

// series is the runs of a plan, one after the other.
type series struct {
	o           *Options
	use         *use
	environment result.Environment
	started     time.Time

	all    result.Part
	runs   []result.Result
	last   *result.Result // with its intervals
	broken []string       // what was wrong with the harness itself, all runs
}

// run runs the plan once.
func (s *series) run(ctx context.Context, number int) error {
	started := now()
	t := newTeam(s.o, number)
	usedBefore := s.use.total
	s.use.total = usage{}
	w := newWatch()
	part, err := t.run(ctx, s.use)
	held := w.end()
	used := s.use.total
	s.use.total = usedBefore
	s.use.total.add(&used)
	if err != nil {
		return err
	}
	for _, d := range held {
		part.TimingError.Record(d)
	}
	r := result.Of(part)
	s.finish(r, started, &used, t.broken)
	s.broken = append(s.broken, t.broken...)
	part.Intervals = nil
	s.all.Merge(part)
	s.last = r
	short := *r
	short.Intervals, short.Histograms = []result.IntervalTimes{}, result.Histograms{}
	s.runs = append(s.runs, short)
	return nil
}

// result is that of all runs.
func (s *series) result() *result.Result {
	if s.o.Repeat == 1 {
		return s.last
	}
	r := result.Of(&s.all)
	r.Phases, r.Intervals, r.Runs = s.last.Phases, s.last.Intervals, s.runs
	r.Seconds = 0
	for i := range s.runs {
		r.Seconds += s.runs[i].Seconds
	}
	r.Interrupted = r.Interrupted || len(s.runs) < s.o.Repeat && s.o.stopped()
	s.finish(r, s.started, &s.use.total, s.broken)
	return r
}

// finish fills in what a Part does not know, and judges.
func (s *series) finish(r *result.Result, started time.Time, used *usage, broken []string) {
	r.Started, r.Environment = started.UTC().Format(time.RFC3339), s.environment
	r.Profile, r.IntendedRate = string(s.o.Plan.Profile), intended(&s.o.Plan)
	r.Server = used.figures()
	r.Flags = orEmpty(s.o.Flags)
	r.Phases, r.Intervals = orEmpty(r.Phases), orEmpty(r.Intervals)
	r.Judge(s.o.MaxP99)
	if len(broken) > 0 {
		r.ExitCode = result.ExitSchedule
		r.Broken = append(broken[:len(broken):len(broken)], r.Broken...)
	}
}

// orEmpty is a list that JSON writes as one.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

package result

import (
	"slices"
	"time"
)

// Part is what one process counted in one run. Parts of the processes of a run merge into one.
type Part struct {
	Sent       uint64 `json:"sent"`       // messages written, warm-up not counted
	Received   uint64 `json:"received"`   // right answers to these
	Lost       uint64 `json:"lost"`       // without an answer in time, or on a lost connection
	Wrong      uint64 `json:"wrong"`      // frames that are no answer, or not as they were sent
	Duplicated uint64 `json:"duplicated"` // answers that came again
	Reordered  uint64 `json:"reordered"`  // answers that came after that to a later message
	Late       uint64 `json:"late"`       // answers to messages that had been given up as lost
	Unsent     uint64 `json:"unsent"`     // due, and never sent, since no connection became free
	Cut        uint64 `json:"cut"`        // connections that the server ended unasked

	// Written counts all messages that were written, those that do not count elsewhere included.
	Written uint64 `json:"written"`

	Connect ConnectPart `json:"connect"`
	// Latency runs from when a message was due, Uncorrected from when it was written.
	Latency     Histogram  `json:"latency"`
	Uncorrected Histogram  `json:"uncorrected"`
	Expiry      ExpiryPart `json:"expiry"`
	Resume      ResumePart `json:"resume"`
	Fault       FaultPart  `json:"fault"`
	Fairness    Fairness   `json:"fairness"`

	// Closes counts close frames of the server, which ended a connection or answered ours, by
	// their code, "1005" where one had none.
	Closes map[string]uint64 `json:"closes"`
	// Errors counts what went wrong otherwise, by errno ("econnrefused") or a few words
	// ("upgrade_503", "wrong_subprotocol", "hello_unauthorized", "eof").
	Errors map[string]uint64 `json:"errors"`

	// TimingError is how late the harness itself acted: on a message that was due while a
	// connection was free, and on its own clock ticks. What the server caused is not in it.
	TimingError Histogram `json:"timing_error"`
	// CPU is the harness's own processor time during the run, connecting not counted.
	CPU time.Duration `json:"cpu"`

	Phases    []Phase    `json:"phases"`
	Intervals []Interval `json:"intervals"`
	// Interrupted says that the run was stopped before its end.
	Interrupted bool `json:"interrupted"`
}

// ConnectPart is what came of connecting, over the whole run.
type ConnectPart struct {
	OK     uint64 `json:"ok"`
	Failed uint64 `json:"failed"`
	// Latency is from when a connection was due until messages could be sent over it. TCP is its
	// part until the connection was established, Upgrade from there to the end of the handshakes.
	Latency Histogram `json:"latency"`
	TCP     Histogram `json:"tcp"`
	Upgrade Histogram `json:"upgrade"`
}

// ExpiryPart is what came of sessions that the server had to end.
type ExpiryPart struct {
	Expected uint64 `json:"expected"`
	Observed uint64 `json:"observed"` // ended by the server as expired, early ones included
	Early    uint64 `json:"early"`    // sooner than the session's last sign of life allows
	Missing  uint64 `json:"missing"`  // not ended when the run was over
	// Lateness runs from when a session was due, counted from just before its last sign of life
	// was sent: what that took to arrive is in it, as is the way back.
	Lateness Histogram `json:"lateness"`
}

// ResumePart is what came of sessions whose connection was dropped.
type ResumePart struct {
	Dropped  uint64 `json:"dropped"`
	Resumed  uint64 `json:"resumed"`  // under the ID that they had
	Changed  uint64 `json:"changed"`  // welcomed as another session
	Refused  uint64 `json:"refused"`  // Errors says why
	Gaps     uint64 `json:"gaps"`     // resumed with frames missing, says the server
	Replayed uint64 `json:"replayed"` // answers that came again as they must
	// Latency is from the drop to the answer to the hello that resumed.
	Latency Histogram `json:"latency"`
}

// FaultPart is what came of the connections that were made to misbehave.
type FaultPart struct {
	Injected uint64 `json:"injected"` // connections
	Cut      uint64 `json:"cut"`      // ended by the server
	Held     uint64 `json:"held"`     // still there at the end
	Full     uint64 `json:"full"`     // of slow readers: those that once could write no more
	// Reasons counts how those were cut that were not closed by a close frame.
	Reasons map[string]uint64 `json:"reasons"`
	// Sent counts messages whose answers were not read until the end, of connections that the
	// server held for so long; Lost, those of them whose answer did not come.
	Sent uint64 `json:"sent"`
	Lost uint64 `json:"lost"`
	// After is how long the server bore those that it cut.
	After Histogram `json:"after"`
}

// Fairness compares connections by the mean uncorrected latency of each: what a message waited for
// a connection is none's in particular.
type Fairness struct {
	Means Histogram `json:"means"`
	// Sum and Squares are over the means, in microseconds, for [Fairness.Jain].
	Sum     float64 `json:"sum"`
	Squares float64 `json:"squares"`
	N       uint64  `json:"n"`
}

// Record counts the mean latency of one connection.
func (f *Fairness) Record(mean time.Duration) {
	f.Means.Record(mean)
	us := float64(mean) / float64(time.Microsecond)
	f.Sum += us
	f.Squares += us * us
	f.N++
}

// Jain is Jain's index of fairness: 1 where all connections fare alike, 1/N where one has it all;
// 0 where there is none (Jain, Chiu and Hawe, DEC-TR-301, 1984).
func (f *Fairness) Jain() float64 {
	if f.Squares == 0 {
		return 0
	}
	return f.Sum * f.Sum / (float64(f.N) * f.Squares)
}

// The names of phases.
const (
	PhaseConnect = "connect"
	PhaseWarmup  = "warmup"
	PhaseRun     = "run"
	PhaseDrain   = "drain"
)

// Phase is a stretch of the run. Times are from when the run began, after connecting; those of
// connecting are from when that began.
type Phase struct {
	Name  string        `json:"name"`
	Start time.Duration `json:"start"`
	End   time.Duration `json:"end"`
}

// Interval is what happened in one slice of a phase.
type Interval struct {
	Phase    string        `json:"phase"` // PhaseConnect, or PhaseRun for all after it
	Number   int           `json:"number"`
	Start    time.Duration `json:"start"` // since the phase began, as is End
	End      time.Duration `json:"end"`
	Sent     uint64        `json:"sent"`
	Received uint64        `json:"received"`
	Bad      uint64        `json:"bad"`     // lost, wrong, duplicated or out of order
	Opened   uint64        `json:"opened"`  // connections
	Closed   uint64        `json:"closed"`  // connections, by whoever
	Expired  uint64        `json:"expired"` // sessions
	Open     uint64        `json:"open"`    // connections at its end
	Latency  Histogram     `json:"latency"` // from due, of what was answered in it
}

// Merge adds what another process counted in the same run.
func (p *Part) Merge(o *Part) {
	p.Sent += o.Sent
	p.Received += o.Received
	p.Lost += o.Lost
	p.Wrong += o.Wrong
	p.Duplicated += o.Duplicated
	p.Reordered += o.Reordered
	p.Late += o.Late
	p.Unsent += o.Unsent
	p.Cut += o.Cut
	p.Written += o.Written
	p.Connect.merge(&o.Connect)
	p.Latency.Merge(&o.Latency)
	p.Uncorrected.Merge(&o.Uncorrected)
	p.Expiry.merge(&o.Expiry)
	p.Resume.merge(&o.Resume)
	p.Fault.merge(&o.Fault)
	p.Fairness.merge(&o.Fairness)
	addCounts(&p.Closes, o.Closes)
	addCounts(&p.Errors, o.Errors)
	p.TimingError.Merge(&o.TimingError)
	p.CPU += o.CPU
	p.mergePhases(o.Phases)
	for i := range o.Intervals {
		p.MergeInterval(&o.Intervals[i])
	}
	p.Interrupted = p.Interrupted || o.Interrupted
}

// MergeInterval adds what happened in one interval, of any process.
func (p *Part) MergeInterval(o *Interval) {
	i := slices.IndexFunc(p.Intervals, func(have Interval) bool {
		return have.Phase == o.Phase && have.Number == o.Number
	})
	if i < 0 {
		added := *o
		added.Latency = o.Latency.Clone()
		p.Intervals = append(p.Intervals, added)
		return
	}
	have := &p.Intervals[i]
	have.Start, have.End = min(have.Start, o.Start), max(have.End, o.End)
	have.Sent += o.Sent
	have.Received += o.Received
	have.Bad += o.Bad
	have.Opened += o.Opened
	have.Closed += o.Closed
	have.Expired += o.Expired
	have.Open += o.Open
	have.Latency.Merge(&o.Latency)
}

func (p *Part) mergePhases(others []Phase) {
	for _, o := range others {
		i := slices.IndexFunc(p.Phases, func(have Phase) bool { return have.Name == o.Name })
		if i < 0 {
			p.Phases = append(p.Phases, o)
			continue
		}
		p.Phases[i].Start = min(p.Phases[i].Start, o.Start)
		p.Phases[i].End = max(p.Phases[i].End, o.End)
	}
}

func (c *ConnectPart) merge(o *ConnectPart) {
	c.OK += o.OK
	c.Failed += o.Failed
	c.Latency.Merge(&o.Latency)
	c.TCP.Merge(&o.TCP)
	c.Upgrade.Merge(&o.Upgrade)
}

func (e *ExpiryPart) merge(o *ExpiryPart) {
	e.Expected += o.Expected
	e.Observed += o.Observed
	e.Early += o.Early
	e.Missing += o.Missing
	e.Lateness.Merge(&o.Lateness)
}

func (r *ResumePart) merge(o *ResumePart) {
	r.Dropped += o.Dropped
	r.Resumed += o.Resumed
	r.Changed += o.Changed
	r.Refused += o.Refused
	r.Gaps += o.Gaps
	r.Replayed += o.Replayed
	r.Latency.Merge(&o.Latency)
}

func (f *FaultPart) merge(o *FaultPart) {
	f.Injected += o.Injected
	f.Cut += o.Cut
	f.Held += o.Held
	f.Sent += o.Sent
	f.Lost += o.Lost
	f.Full += o.Full
	addCounts(&f.Reasons, o.Reasons)
	f.After.Merge(&o.After)
}

func (f *Fairness) merge(o *Fairness) {
	f.Means.Merge(&o.Means)
	f.Sum += o.Sum
	f.Squares += o.Squares
	f.N += o.N
}

// addCounts adds the counts of one map to another, which it makes.
func addCounts(to *map[string]uint64, from map[string]uint64) {
	for what, n := range from {
		Count(to, what, n)
	}
}

// kindsMax is how many kinds a map counts apart: some of their names are what a server says.
const kindsMax = 64

// Count adds n to what a map counts under a name, and makes the map. Kinds beyond the first few
// dozen count as "others".
func Count(m *map[string]uint64, what string, n uint64) {
	if *m == nil {
		*m = map[string]uint64{}
	}
	if _, known := (*m)[what]; !known && len(*m) >= kindsMax {
		what = "others"
	}
	(*m)[what] += n
}

package result

import (
	"cmp"
	"slices"
	"time"
)

// Result is the report of a run, or of several (Runs). In JSON every number is there, 0 where it
// does not apply. The names down to Environment are fixed.
type Result struct {
	Profile      string            `json:"profile"`
	IntendedRate float64           `json:"intended_rate"` // messages a second
	Sent         uint64            `json:"sent"`
	Received     uint64            `json:"received"`
	Lost         uint64            `json:"lost"`
	Wrong        uint64            `json:"wrong"`
	Duplicated   uint64            `json:"duplicated"`
	Connect      Connect           `json:"connect"`
	Latency      Latency           `json:"latency"`
	Uncorrected  Latency           `json:"latency_uncorrected"`
	Expiry       Expiry            `json:"expiry"`
	Closes       map[string]uint64 `json:"closes"`
	Errors       map[string]uint64 `json:"errors"`
	Server       Server            `json:"server"`
	TimingError  TimingError       `json:"timing_error"`
	Environment  Environment       `json:"environment"`

	Reordered uint64   `json:"reordered"`
	Late      uint64   `json:"late"`
	Unsent    uint64   `json:"unsent"`
	Cut       uint64   `json:"cut"`
	Written   uint64   `json:"written"`
	Resume    Resume   `json:"resume"`
	Fault     Fault    `json:"fault"`
	Fairness  Fair     `json:"fairness"`
	Client    Client   `json:"client"`
	Seconds   float64  `json:"seconds"` // from the first message due to the end of the schedule
	Started   string   `json:"started"` // RFC 3339
	Flags     []string `json:"flags"`   // the command line, secrets left out

	Interrupted bool `json:"interrupted"`
	// ExitCode and Broken are the verdict: what the command exits with, and why.
	ExitCode int      `json:"exit_code"`
	Broken   []string `json:"broken"`

	Phases    []PhaseMillis   `json:"phases"`
	Intervals []IntervalTimes `json:"intervals"`
	// Histograms hold nanoseconds, in HdrHistogram's V2 encoding.
	Histograms Histograms `json:"histograms"`
	// Runs are the single runs where the command repeated one; they have neither intervals nor
	// histograms. The figures above are then those of all runs together.
	Runs []Result `json:"runs,omitempty"`
}

// Connect says how connecting went.
type Connect struct {
	OK     uint64  `json:"ok"`
	Failed uint64  `json:"failed"`
	P50    float64 `json:"p50_us"`
	P99    float64 `json:"p99_us"`
	Max    float64 `json:"max_us"`
	// TCP is the part until the connection was established, Upgrade the rest.
	TCPP99     float64 `json:"tcp_p99_us"`
	UpgradeP99 float64 `json:"upgrade_p99_us"`
}

// Latency says how long answers took, in microseconds.
type Latency struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50_us"`
	P90   float64 `json:"p90_us"`
	P99   float64 `json:"p99_us"`
	P999  float64 `json:"p999_us"`
	Max   float64 `json:"max_us"`
}

// Expiry says which sessions ended, and how late, in milliseconds.
type Expiry struct {
	Expected uint64  `json:"expected"`
	Observed uint64  `json:"observed"`
	Early    uint64  `json:"early"`
	Missing  uint64  `json:"missing"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
}

// Server is what the server's process used, where its number is known.
type Server struct {
	CPUPerMessage    float64 `json:"cpu_us_per_message"`
	CPUPerConnect    float64 `json:"cpu_us_per_connect"`
	BytesPerConn     float64 `json:"rss_bytes_per_connection"`
	KernelPerConn    float64 `json:"kernel_bytes_per_connection"` // sockets, of the whole machine
	RSSBytes         int64   `json:"rss_bytes"`                   // at the end of the run
	Descriptors      int     `json:"descriptors"`                 // at the end of the run
	DescriptorsAtMax int     `json:"descriptors_max"`
	Voluntary        uint64  `json:"context_switches_voluntary"` // during the run
	Involuntary      uint64  `json:"context_switches_involuntary"`
	CPUPercent       float64 `json:"cpu_percent"` // of one core, during the run
}

// TimingError is how late the harness itself was, in microseconds.
type TimingError struct {
	P50 float64 `json:"p50_us"`
	P99 float64 `json:"p99_us"`
	Max float64 `json:"max_us"`
}

// Environment is where and how the run was made.
type Environment struct {
	Version    string            `json:"version"`
	Go         string            `json:"go"`
	Kernel     string            `json:"kernel"`
	CPU        string            `json:"cpu"`
	Cores      int               `json:"cores"`
	Memory     int64             `json:"memory_bytes"`
	Processes  int               `json:"processes"`
	FilesLimit uint64            `json:"files_limit"`
	Sysctls    map[string]string `json:"sysctls"`
	Server     string            `json:"server"` // the URL, without user and query
	Protocol   string            `json:"protocol"`
	Seed       uint64            `json:"seed"`
	Settings   map[string]string `json:"settings"` // what the flags amount to
}

// Resume says what became of sessions whose connections were dropped.
type Resume struct {
	Dropped  uint64  `json:"dropped"`
	Resumed  uint64  `json:"resumed"`
	Changed  uint64  `json:"changed"`
	Refused  uint64  `json:"refused"`
	Gaps     uint64  `json:"gaps"`
	Replayed uint64  `json:"replayed"`
	P50      float64 `json:"p50_ms"`
	P99      float64 `json:"p99_ms"`
	Max      float64 `json:"max_ms"`
}

// Fault says what became of connections that misbehaved on purpose.
type Fault struct {
	Injected uint64  `json:"injected"`
	Cut      uint64  `json:"cut"`
	Held     uint64  `json:"held"`
	Sent     uint64  `json:"sent"`
	Lost     uint64  `json:"lost"`
	Full     uint64  `json:"full"`
	AfterP50 float64 `json:"cut_after_p50_ms"`
	AfterMax float64 `json:"cut_after_max_ms"`
	// Reasons counts how those were cut that were not closed by a close frame.
	Reasons map[string]uint64 `json:"reasons"`
}

// Fair says how alike the server treated the connections, by the mean uncorrected latency of each.
type Fair struct {
	Jain        float64 `json:"jain_index"`
	Connections uint64  `json:"connections"`
	MeanP50     float64 `json:"mean_p50_us"`
	MeanMax     float64 `json:"mean_max_us"` // of the connection that fared worst
}

// Client is what the harness itself used.
type Client struct {
	CPUPerMessage float64 `json:"cpu_us_per_message"`
}

// PhaseMillis is a [Phase] in milliseconds.
type PhaseMillis struct {
	Name  string  `json:"name"`
	Start float64 `json:"start_ms"`
	End   float64 `json:"end_ms"`
}

// IntervalTimes is an [Interval] with figures to draw.
type IntervalTimes struct {
	Phase    string    `json:"phase"`
	Start    float64   `json:"start_ms"`
	End      float64   `json:"end_ms"`
	Sent     uint64    `json:"sent"`
	Received uint64    `json:"received"`
	Bad      uint64    `json:"bad"`
	Opened   uint64    `json:"opened"`
	Closed   uint64    `json:"closed"`
	Expired  uint64    `json:"expired"`
	Open     uint64    `json:"open"`
	P50      float64   `json:"p50_us"`
	P99      float64   `json:"p99_us"`
	Max      float64   `json:"max_us"`
	Latency  Histogram `json:"histogram"`
}

// Histograms are what the figures of a [Result] come from.
type Histograms struct {
	Latency     Histogram `json:"latency"`
	Uncorrected Histogram `json:"latency_uncorrected"`
	Lateness    Histogram `json:"expiry_lateness"`
	Connect     Histogram `json:"connect"`
	Resume      Histogram `json:"resume"`
	TimingError Histogram `json:"timing_error"`
}

// Of makes the report of what all processes counted together. What a Part does not know (Profile,
// IntendedRate, Server, Environment, Started, Flags, the verdict) is left to the caller.
func Of(p *Part) *Result {
	e, d := &p.Expiry, &p.Resume
	r := &Result{
		Sent: p.Sent, Received: p.Received, Lost: p.Lost, Wrong: p.Wrong,
		Duplicated: p.Duplicated, Reordered: p.Reordered, Late: p.Late, Unsent: p.Unsent,
		Cut: p.Cut, Written: p.Written,
		Connect: Connect{
			OK: p.Connect.OK, Failed: p.Connect.Failed,
			P50: micros(p.Connect.Latency.Quantile(0.5)),
			P99: micros(p.Connect.Latency.Quantile(0.99)), Max: micros(p.Connect.Latency.Max()),
			TCPP99:     micros(p.Connect.TCP.Quantile(0.99)),
			UpgradeP99: micros(p.Connect.Upgrade.Quantile(0.99)),
		},
		Latency:     latencyOf(&p.Latency),
		Uncorrected: latencyOf(&p.Uncorrected),
		Expiry: Expiry{
			Expected: e.Expected, Observed: e.Observed, Early: e.Early, Missing: e.Missing,
			P50: millis(e.Lateness.Quantile(0.5)), P99: millis(e.Lateness.Quantile(0.99)),
			Max: millis(e.Lateness.Max()),
		},
		Closes: orEmpty(p.Closes), Errors: orEmpty(p.Errors),
		TimingError: TimingError{
			P50: micros(p.TimingError.Quantile(0.5)), P99: micros(p.TimingError.Quantile(0.99)),
			Max: micros(p.TimingError.Max()),
		},
		Resume: Resume{
			Dropped: d.Dropped, Resumed: d.Resumed, Changed: d.Changed, Refused: d.Refused,
			Gaps: d.Gaps, Replayed: d.Replayed, P50: millis(d.Latency.Quantile(0.5)),
			P99: millis(d.Latency.Quantile(0.99)), Max: millis(d.Latency.Max()),
		},
		Fault: Fault{
			Injected: p.Fault.Injected, Cut: p.Fault.Cut, Held: p.Fault.Held,
			Sent: p.Fault.Sent, Lost: p.Fault.Lost, Full: p.Fault.Full,
			Reasons:  orEmpty(p.Fault.Reasons),
			AfterP50: millis(p.Fault.After.Quantile(0.5)), AfterMax: millis(p.Fault.After.Max()),
		},
		Fairness: Fair{
			Jain: p.Fairness.Jain(), Connections: p.Fairness.N,
			MeanP50: micros(p.Fairness.Means.Quantile(0.5)),
			MeanMax: micros(p.Fairness.Means.Max()),
		},
		Interrupted: p.Interrupted,
		Histograms: Histograms{
			Latency: p.Latency.Clone(), Uncorrected: p.Uncorrected.Clone(),
			Lateness: e.Lateness.Clone(), Connect: p.Connect.Latency.Clone(),
			Resume: d.Latency.Clone(), TimingError: p.TimingError.Clone(),
		},
	}
	if p.Written > 0 {
		r.Client.CPUPerMessage = micros(p.CPU) / float64(p.Written)
	}
	r.times(p)
	return r
}

// times fills in phases and intervals, in their order.
func (r *Result) times(p *Part) {
	for _, f := range p.Phases {
		r.Phases = append(r.Phases, PhaseMillis{f.Name, millis(f.Start), millis(f.End)})
		if f.Name == PhaseRun {
			r.Seconds = (f.End - f.Start).Seconds()
		}
	}
	slices.SortStableFunc(p.Intervals, func(a, b Interval) int {
		return cmp.Or(cmp.Compare(a.Phase, b.Phase), cmp.Compare(a.Number, b.Number))
	})
	var open uint64
	for i := range p.Intervals {
		v := &p.Intervals[i]
		// Processes end at moments of their own: the sums are what all of them agree on.
		open += v.Opened - v.Closed
		r.Intervals = append(r.Intervals, IntervalTimes{
			Phase: v.Phase, Start: millis(v.Start), End: millis(v.End), Sent: v.Sent,
			Received: v.Received, Bad: v.Bad, Opened: v.Opened, Closed: v.Closed,
			Expired: v.Expired, Open: open, P50: micros(v.Latency.Quantile(0.5)),
			P99: micros(v.Latency.Quantile(0.99)), Max: micros(v.Latency.Max()),
			Latency: v.Latency.Clone(),
		})
	}
}

func latencyOf(h *Histogram) Latency {
	return Latency{
		Count: h.Count(), P50: micros(h.Quantile(0.5)), P90: micros(h.Quantile(0.9)),
		P99: micros(h.Quantile(0.99)), P999: micros(h.Quantile(0.999)), Max: micros(h.Max()),
	}
}

// orEmpty is a map that JSON writes as an object.
func orEmpty(m map[string]uint64) map[string]uint64 {
	if m == nil {
		return map[string]uint64{}
	}
	return m
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

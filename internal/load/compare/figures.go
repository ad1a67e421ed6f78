package compare

import "github.com/curfew-go/curfew/internal/load/result"

// figure is a number of a run.
type figure struct {
	name   string // in JSON
	label  string // in the table
	unit   string
	wanted int // moreWanted or lessWanted
	// of is the figure of a run, and whether it means anything there.
	of func(r *result.Result) (float64, bool)
}

// The units of figures.
const (
	unitMicros = "us"
	unitMillis = "ms"
	unitBytes  = "bytes"
	unitPerSec = "/s"
	unitCount  = ""
)

// What is wanted of a figure.
const (
	moreWanted = 1
	lessWanted = -1
)

// figures are all figures, in the order in which they are shown.
var figures = []figure{
	{"rate_answered", "rate answered", unitPerSec, moreWanted, rateAnswered},
	{"latency_p50_us", "latency p50", unitMicros, lessWanted, latency(
		func(l *result.Latency) float64 { return l.P50 })},
	{"latency_p90_us", "latency p90", unitMicros, lessWanted, latency(
		func(l *result.Latency) float64 { return l.P90 })},
	{"latency_p99_us", "latency p99", unitMicros, lessWanted, latency(
		func(l *result.Latency) float64 { return l.P99 })},
	{"latency_p999_us", "latency p99.9", unitMicros, lessWanted, latency(
		func(l *result.Latency) float64 { return l.P999 })},
	{"latency_max_us", "latency max", unitMicros, lessWanted, latency(
		func(l *result.Latency) float64 { return l.Max })},
	{"latency_uncorrected_p50_us", "uncorrected p50", unitMicros, lessWanted, uncorrected(
		func(l *result.Latency) float64 { return l.P50 })},
	{"latency_uncorrected_p99_us", "uncorrected p99", unitMicros, lessWanted, uncorrected(
		func(l *result.Latency) float64 { return l.P99 })},
	{"connect_p50_us", "connect p50", unitMicros, lessWanted, connect(
		func(c *result.Connect) float64 { return c.P50 })},
	{"connect_p99_us", "connect p99", unitMicros, lessWanted, connect(
		func(c *result.Connect) float64 { return c.P99 })},
	{
		"connect_failed", "connections failed", unitCount, lessWanted,
		func(r *result.Result) (float64, bool) {
			return float64(r.Connect.Failed), r.Connect.OK+r.Connect.Failed > 0
		},
	},
	{"lost", "lost", unitCount, lessWanted, ledger(
		func(r *result.Result) uint64 { return r.Lost })},
	{"wrong", "wrong", unitCount, lessWanted, ledger(
		func(r *result.Result) uint64 { return r.Wrong })},
	{"duplicated", "duplicated", unitCount, lessWanted, ledger(
		func(r *result.Result) uint64 { return r.Duplicated })},
	{"early", "expired early", unitCount, lessWanted, expiry(
		func(e *result.Expiry) float64 { return float64(e.Early) })},
	{"missing", "expiry missing", unitCount, lessWanted, expiry(
		func(e *result.Expiry) float64 { return float64(e.Missing) })},
	{"expiry_p50_ms", "expiry late p50", unitMillis, lessWanted, lateness(
		func(e *result.Expiry) float64 { return e.P50 })},
	{"expiry_p99_ms", "expiry late p99", unitMillis, lessWanted, lateness(
		func(e *result.Expiry) float64 { return e.P99 })},
	{"expiry_max_ms", "expiry late max", unitMillis, lessWanted, lateness(
		func(e *result.Expiry) float64 { return e.Max })},
	{
		"server_cpu_us_per_message", "server CPU/message", unitMicros, lessWanted,
		server(func(r *result.Result) (float64, uint64) { return r.Server.CPUPerMessage, r.Sent }),
	},
	{
		"server_cpu_us_per_connect", "server CPU/connect", unitMicros, lessWanted,
		server(func(r *result.Result) (float64, uint64) {
			return r.Server.CPUPerConnect, r.Connect.OK
		}),
	},
	{
		"server_rss_bytes_per_connection", "server RSS/connection", unitBytes, lessWanted,
		server(func(r *result.Result) (float64, uint64) {
			return r.Server.BytesPerConn, r.Connect.OK
		}),
	},
	{"timing_error_p99_us", "timing error p99", unitMicros, lessWanted, timing(
		func(t *result.TimingError) float64 { return t.P99 })},
	{"timing_error_max_us", "timing error max", unitMicros, lessWanted, timing(
		func(t *result.TimingError) float64 { return t.Max })},
}

// values are a figure's of those runs in which it means anything.
func (f *figure) values(runs []result.Result) []float64 {
	var values []float64
	for i := range runs {
		if v, ok := f.of(&runs[i]); ok {
			values = append(values, v)
		}
	}
	return values
}

func rateAnswered(r *result.Result) (float64, bool) {
	if r.Seconds <= 0 || r.Sent == 0 {
		return 0, false
	}
	return float64(r.Received) / r.Seconds, true
}

func latency(of func(*result.Latency) float64) func(*result.Result) (float64, bool) {
	return func(r *result.Result) (float64, bool) { return of(&r.Latency), r.Latency.Count > 0 }
}

func uncorrected(of func(*result.Latency) float64) func(*result.Result) (float64, bool) {
	return func(r *result.Result) (float64, bool) {
		return of(&r.Uncorrected), r.Uncorrected.Count > 0
	}
}

func connect(of func(*result.Connect) float64) func(*result.Result) (float64, bool) {
	return func(r *result.Result) (float64, bool) { return of(&r.Connect), r.Connect.OK > 0 }
}

func ledger(of func(*result.Result) uint64) func(*result.Result) (float64, bool) {
	return func(r *result.Result) (float64, bool) { return float64(of(r)), r.Sent > 0 }
}

// expiry counts where sessions were expected to end, or ended all the same.
func expiry(of func(*result.Expiry) float64) func(*result.Result) (float64, bool) {
	return func(r *result.Result) (float64, bool) {
		return of(&r.Expiry), r.Expiry.Expected+r.Expiry.Observed > 0
	}
}

// lateness is only that of sessions which ended.
func lateness(of func(*result.Expiry) float64) func(*result.Result) (float64, bool) {
	return func(r *result.Result) (float64, bool) { return of(&r.Expiry), r.Expiry.Observed > 0 }
}

// server is a figure of the server's process for each of something; it is known where anything is
// known of that process, and may then be 0.
func server(of func(*result.Result) (float64, uint64)) func(*result.Result) (float64, bool) {
	return func(r *result.Result) (float64, bool) {
		v, n := of(r)
		return v, n > 0 && r.Server != result.Server{}
	}
}

// timing is known of every run that began.
func timing(of func(*result.TimingError) float64) func(*result.Result) (float64, bool) {
	return func(r *result.Result) (float64, bool) {
		return of(&r.TimingError), r.TimingError.Max > 0
	}
}

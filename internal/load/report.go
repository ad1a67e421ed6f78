package load

import (
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// Latency says how long answers took, from when their messages were due.
type Latency struct {
	Count uint64        `json:"count"`
	P50   time.Duration `json:"p50"`
	P99   time.Duration `json:"p99"`
	P999  time.Duration `json:"p999"`
	Max   time.Duration `json:"max"`
}

// latencyOf is a histogram in the figures of a report.
func latencyOf(h *result.Histogram) Latency {
	return Latency{
		Count: h.Count(), P50: h.Quantile(0.5), P99: h.Quantile(0.99), P999: h.Quantile(0.999),
		Max: h.Max(),
	}
}

// ConnectReport says what came of connecting.
type ConnectReport struct {
	OK     int           `json:"ok"`
	Failed int           `json:"failed"`
	Wall   time.Duration `json:"wall"`
	// Latency is from when a connection was due until it was open: to its upgrade, or to the answer
	// to its hello.
	Latency Latency `json:"latency"`
	// Errors counts why connections failed, by a few words.
	Errors map[string]int `json:"errors,omitempty"`
}

// EchoReport says what came of an exchange of messages.
type EchoReport struct {
	Sent     int `json:"sent"`
	Received int `json:"received"` // right answers
	Wrong    int `json:"wrong"`    // messages that were nobody's answer
	Lost     int `json:"lost"`     // without an answer; Sent = Received + Lost
	Unsent   int `json:"unsent"`   // due, and never sent
	// Wall is from the first message that was due to the last answer.
	Wall    time.Duration `json:"wall"`
	Latency Latency       `json:"latency"`
	// Closes counts connections that ended meanwhile, by close code or a few words.
	Closes map[string]int `json:"closes,omitempty"`
}

// Rate is the answers a second.
func (r EchoReport) Rate() float64 { return float64(r.Received) / r.Wall.Seconds() }

// HoldReport says what came of holding still.
type HoldReport struct {
	Open int           `json:"open"` // at the end
	Wall time.Duration `json:"wall"`
	// Messages counts what came uninvited.
	Messages int `json:"messages"`
	// Closes counts connections that ended meanwhile, by close code or a few words.
	Closes map[string]int `json:"closes,omitempty"`
}

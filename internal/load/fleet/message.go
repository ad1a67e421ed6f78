package fleet

import (
	"github.com/curfew-go/curfew/internal/load"
	"github.com/curfew-go/curfew/internal/load/result"
)

// order is what the parent tells a worker, one of these at a time.
type order struct {
	Plan    *load.Plan `json:"plan,omitempty"`
	Connect bool       `json:"connect,omitempty"`
	Begin   int64      `json:"begin,omitempty"` // nanoseconds of CLOCK_MONOTONIC
	Stop    bool       `json:"stop,omitempty"`
}

// word is what a worker tells the parent. Error comes alone, or with the Part that it left.
type word struct {
	Ready     bool             `json:"ready,omitempty"`
	Interval  *result.Interval `json:"interval,omitempty"`
	Connected *connected       `json:"connected,omitempty"`
	Part      *result.Part     `json:"part,omitempty"`
	Error     string           `json:"error,omitempty"`
}

// connected is what came of connecting, as far as the parent must know to decide how to go on.
type connected struct {
	OK uint64 `json:"ok"`
}

// wordBytesMax is the longest line of a worker. Histograms are the longest part of one, and are
// bounded by their precision.
const wordBytesMax = 16 << 20

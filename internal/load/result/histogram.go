package result

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// lowest is the smallest difference that a histogram shows where values are small.
	lowest = time.Microsecond
	// highest is the longest value that a histogram holds.
	highest = time.Hour
	// digits and digitsCoarse are how many significant digits a value keeps.
	digits, digitsCoarse = 3, 2
)

// Histogram counts durations. The zero value is empty and ready. It is an HdrHistogram of
// nanoseconds; in JSON it stands in that project's V2 encoding, compressed, in base64.
type Histogram struct{ h *hdrhistogram.Histogram }

// Coarse is an empty histogram of two significant digits, an eighth as large: there are many
// intervals.
func Coarse() Histogram {
	return Histogram{hdrhistogram.New(int64(lowest), int64(highest), digitsCoarse)}
}

// Record counts a duration. Negative ones count as 0, those over an hour as an hour.
func (h *Histogram) Record(d time.Duration) {
	// It only fails for what is out of range.
	_ = h.hdr().RecordValue(int64(min(max(d, 0), highest)))
}

func (h *Histogram) hdr() *hdrhistogram.Histogram {
	if h.h == nil {
		h.h = hdrhistogram.New(int64(lowest), int64(highest), digits)
	}
	return h.h
}

// HDR is the histogram as its library has it, in nanoseconds, for logs and plots. It is not a copy.
func (h *Histogram) HDR() *hdrhistogram.Histogram { return h.hdr() }

// Count is how many durations were recorded.
func (h *Histogram) Count() uint64 {
	if h.h == nil {
		return 0
	}
	return uint64(h.h.TotalCount())
}

// Quantile is a duration that the part q of all, 0 to 1, does not exceed; 0 where there is none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.h == nil {
		return 0
	}
	return time.Duration(h.h.ValueAtQuantile(q * 100))
}

// Max is the longest duration, rounded up within the histogram's precision.
func (h *Histogram) Max() time.Duration {
	if h.Count() == 0 {
		return 0
	}
	return time.Duration(h.h.Max())
}

// Mean is the mean duration.
func (h *Histogram) Mean() time.Duration {
	if h.h == nil {
		return 0
	}
	return time.Duration(h.h.Mean())
}

// Merge adds what another one counted. An empty one takes its precision on.
func (h *Histogram) Merge(other *Histogram) {
	switch {
	case other.Count() == 0:
	case h.h == nil:
		h.h = other.h.Clone()
	default:
		h.h.Merge(other.h)
	}
}

// Reset forgets everything.
func (h *Histogram) Reset() {
	if h.h != nil {
		h.h.Reset()
	}
}

// Clone is an independent copy.
func (h *Histogram) Clone() Histogram {
	if h.Count() == 0 {
		return Histogram{}
	}
	return Histogram{h.h.Clone()}
}

// MarshalJSON writes the histogram; "" stands for an empty one.
func (h Histogram) MarshalJSON() ([]byte, error) {
	if h.Count() == 0 {
		return []byte(`""`), nil
	}
	encoded, err := h.h.EncodeV2()
	if err != nil {
		return nil, fmt.Errorf("result: histogram: %w", err)
	}
	return json.Marshal(string(encoded))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Histogram) UnmarshalJSON(b []byte) error {
	var encoded string
	if err := json.Unmarshal(b, &encoded); err != nil {
		return err
	}
	h.h = nil
	if encoded == "" {
		return nil
	}
	decoded, err := hdrhistogram.Decode([]byte(encoded))
	if err != nil {
		return fmt.Errorf("result: histogram: %w", err)
	}
	h.h = decoded
	return nil
}

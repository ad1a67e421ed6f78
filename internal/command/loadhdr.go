package command

import (
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/curfew-go/curfew/internal/load/result"
)

// The tags of the lines of an HdrHistogram log.
const (
	tagLatency     = "latency"             // from due, one line an interval; of several runs, one
	tagUncorrected = "latency_uncorrected" // from the write, one line for the whole run
	tagExpiry      = "expiry_lateness"     // one line for the whole run
)

// writeHDR writes the histograms as the log that HdrHistogram's own tools read: values are
// nanoseconds, times are seconds since the epoch.
func writeHDR(w io.Writer, r *result.Result) error {
	started, err := time.Parse(time.RFC3339, r.Started)
	if err != nil {
		return err
	}
	base := started.UnixMilli()
	log := hdrhistogram.NewHistogramLogWriter(w)
	log.SetBaseTime(base)
	for _, err := range []error{
		log.OutputComment("[Latency in nanoseconds, by curfew load. Tag " + tagLatency +
			": from when a message was due; " + tagUncorrected + ": from when it was written]"),
		log.OutputLogFormatVersion(), log.OutputBaseTime(base), log.OutputStartTime(base),
		log.OutputLegend(),
	} {
		if err != nil {
			return err
		}
	}
	line := func(tag string, h *result.Histogram, start, end float64) error {
		if h.Count() == 0 {
			return nil
		}
		one := h.HDR()
		one.SetTag(tag)
		one.SetStartTimeMs(base + int64(start))
		one.SetEndTimeMs(base + int64(end))
		defer one.SetTag("")
		return log.OutputIntervalHistogram(one)
	}
	begun := connecting(r)
	end := begun + r.Seconds*1e3
	if len(r.Runs) > 0 { // the intervals are those of one of them
		if err := line(tagLatency, &r.Histograms.Latency, begun, end); err != nil {
			return err
		}
	} else {
		for i := range r.Intervals {
			v := &r.Intervals[i]
			if v.Phase == result.PhaseConnect {
				continue
			}
			end = max(end, begun+v.End)
			if err := line(tagLatency, &v.Latency, begun+v.Start, begun+v.End); err != nil {
				return err
			}
		}
	}
	if err := line(tagUncorrected, &r.Histograms.Uncorrected, begun, end); err != nil {
		return err
	}
	return line(tagExpiry, &r.Histograms.Lateness, begun, end)
}

// connecting is how long it took to connect, in milliseconds: the run began after it.
func connecting(r *result.Result) float64 {
	for _, f := range r.Phases {
		if f.Name == result.PhaseConnect {
			return f.End
		}
	}
	return 0
}

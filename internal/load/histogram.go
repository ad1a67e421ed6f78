package load

import "github.com/curfew-go/curfew/internal/load/result"

// latencyOf is a histogram in the figures of a report.
func latencyOf(h *result.Histogram) Latency {
	return Latency{
		Count: h.Count(), P50: h.Quantile(0.5), P99: h.Quantile(0.99), P999: h.Quantile(0.999),
		Max: h.Max(),
	}
}

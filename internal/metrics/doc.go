// Package metrics shows the daemon's numbers to Prometheus.
//
//	h, err := metrics.Handler(metrics.Source{Table: t.Stats, Network: s.Stats, ...}, log)
//	mux.Handle("/metrics", h)
//
// # Terms
//
// A family is a metric's name with all its series: one for each combination of label values. A
// [Source] is what the numbers are read from. docs/metrics.md lists all families, and a test writes
// it.
//
// # Design
//
// Nothing is counted here. The parts count what they do for themselves; a scrape reads each of them
// once and translates. So a scrape costs the same however many sessions there are, and a part that
// does something new must be taught to count it, not to know this package.
//
// Families are rows of tables: a name, a sentence, and how to read the values. All label values
// come from the fixed sets in labels.go, and all of them are there from the first scrape on: rates
// of what has never happened are 0 and not missing, and nothing that a client says makes a series.
// A value outside of its set is counted as "other". No label names a session, a user or an address.
//
// # Histograms
//
// Lateness and the time of a sweep come as [engine.Histogram], whose buckets are at most 6.25 %
// wide. Both forms that Prometheus knows are made of the same copy in one go, in one family, so
// that they and _count and _sum always agree: classic buckets with the bounds of a table, and a
// native histogram of schema 4, whose buckets are 4.4 % wide. What the engine counted is taken to
// be as long as the upper end of its bucket:
//
//   - A classic bucket has nothing that exceeded its bound. It may lack what was up to 6.25 % below
//     the bound. So a share of sessions that were in time is never flattered.
//   - A quantile of the native histogram, wherever in its bucket it is read, is at most 4.3 % below
//     the true one and at most 11 % above.
//   - What took less than a microsecond (2^-20 s) is in the zero bucket.
//
// Native histograms travel in the protobuf format only; whoever asks for text sees the classic
// buckets. The durations of requests to the application have classic buckets only, those that
// backend counts in.
//
// # Concurrency
//
// Scrapes may run side by side. The functions of a Source are called from any of them.
//
// # Limits
//
// At most eight scrapes run at once; others are told 503. A counter starts at 0 with the process.
package metrics

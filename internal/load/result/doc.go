// Package result is what came of a load run: what each process of the harness counted, what all of
// them amount to, and whether the server kept its promises.
//
//	var all result.Part
//	for _, p := range parts {
//		all.Merge(p) // counters and histograms add up, intervals by their number
//	}
//	r := result.Of(&all)
//	r.Judge(maxP99) // sets ExitCode, and why
//	err := json.NewEncoder(f).Encode(r) // the fixed names of the JSON report
//
// # Terms
//
// A Part is what one process counted, exact and mergeable. A Result is the report: figures that are
// ready to be read, and the histograms that they come from, so that a page or a comparison can be
// made from the file alone. Latency runs from when a message was due; uncorrected latency from when
// it was written, which is what closed-loop tools show. An interval is a slice of the run, numbered
// from when all processes began together. A promise is what a server must keep whatever the load:
// each message comes back once, unchanged and in order, no session ends early, none stays.
//
// # Limits
//
// Histograms hold 1 us to 1 hour with three significant digits, those of intervals with two; what
// is longer counts as an hour.
//
// # Concurrency
//
// Nothing here may be used by two goroutines at a time.
package result

// Package report writes the page of a load run: one HTML file that needs nothing beside it.
//
//	err := report.Write(f, r) // r: *result.Result, judged
//
// The page says first whether the server kept its promises and whether the harness kept its
// schedule, then shows the figures as tables and how they came about as plots. What does not apply
// to the profile is not there.
//
// # Design
//
// Everything that can be computed is computed here; the page's script only draws. Tables hold
// whatever the plots show, so that a reader without scripts, or one that reads aloud, misses
// nothing. Plots are drawn by uPlot, which stands in internal/uplot with its licence and is
// written into the page. Intervals are merged until a plot has at most pointsMax of them, exactly,
// by their histograms.
//
// # Guarantees
//
//  1. The page loads nothing, from nowhere; its own content security policy forbids it.
//  2. No text that came from outside (addresses, names of errors, settings) can become markup or
//     script. The policy names the one script that may run by its hash.
//  3. The size of the page does not grow with the number of samples, and not beyond pointsMax
//     with the number of intervals.
package report

// Command benchreport makes docs/benchmarks.md, its plots, and one sentence of docs/profiling.md,
// from the raw files of bench/results, so that no figure in them is written by hand:
//
//	benchreport [-root DIR] [-also FILE,...] [FILE...]
//
// It takes the newest file of each set, with -also some others, or the files that are named. Where
// an older file has a server or an implementation that the newest lacks, it says so. Two formats
// are read, both below head lines such as `commit: 0123`: the output of go test -bench, and the
// lines of netbench, `server=NAME conns=N ... round=R FIGURE=VALUE ...`.
//
// What is measured stands in the files; what it is worth stands here: goals.go says what was asked
// for and where, units.go which way a figure is better, sections.go what is shown how. What a peer
// does better, and what misses its goal, is found by comparing, and is never left out: a file or a
// figure that those tables do not know is shown all the same.
//
// The same files give the same bytes. A test holds the page to the files that it names.
package main

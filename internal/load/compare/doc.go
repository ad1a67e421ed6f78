// Package compare holds the runs of two sides beside each other and says which differences are more
// than noise.
//
//	err := compare.Write(os.Stdout, before, after, false)
//
// # Terms
//
// A run is one run of the load harness. A report of several runs (--repeat) stands for these, and
// what its own figures say is left aside, since merged figures hide how far runs differ. A figure
// is one number of a run, such as the p99 of its latency; what it is on a side is the median of the
// side's runs, and its spread how far the run that is farthest off is from there. A change is
// significant where the Mann-Whitney U test, which assumes nothing about how figures are spread,
// gives two sides of one kind a chance below [Alpha] to differ so much.
//
// # Limits
//
// Few runs can prove nothing: two sides of three that do not overlap at all still have a chance of
// one in ten. Where even the clearest difference could not be significant, a change is shown with a
// question mark and a remark says so. Where many figures are compared at a time, one in twenty of
// those that did not change will look as if it had.
package compare

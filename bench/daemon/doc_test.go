// Package daemon has benchmarks of the whole daemon, in the process of the test, so that all of the
// tools of go test -bench look at it: profiles of processors, memory, mutexes and blocking. Its
// clients are a process of netbench, so that no profile has their work in it.
//
// A benchmark's operation is one exchange of a fixed length, and its time says nothing; what counts
// is `cpu-us/msg`, the processor time of the process for a message that came back.
package daemon

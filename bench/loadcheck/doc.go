// Command loadcheck proves that `curfew load` finds faults: it runs it against servers with one
// known fault each and prints what was found. It exits with 1 where anything was missed.
// bench/run.sh loadcheck builds all that it needs and keeps its output.
//
// Each row that is there is a line that begins with server=, and at the end stands a table of all.
// `loadcheck serve OPTIONS` is one of the servers.
package main

// Package hostile holds the tests that attack the daemon over real sockets. It has no other code.
//
// # Terms
//
// A mode is a way in which the daemon serves; each attack runs against all that this build has. An
// attack that needs a setting which the daemon does not know is skipped.
//
// The daemon under attack is a process of its own, which is this test binary once more, so that
// its files, memory, processor time and goroutines are its alone, and tests beside each other do
// not disturb what the others measure. It tells of its inside when asked (see probe) and stops
// when its standard input ends, so that none is left behind.
//
// The neighbour is a connection that behaves well, one in each daemon: it sends numbered messages
// throughout and wants each answered, in order. An attack that it notices has succeeded.
//
// The ledger is read from the daemon's log when it stops: every session that began has ended, once.
//
// # The chaos run
//
// TestChaos puts a proxy that delays, cuts, stalls, chokes and breaks connections between many
// clients and the daemon. What a client gets must be exactly what it sent, in order, up to wherever
// the connection broke. It takes seconds in an ordinary run; `make chaos` runs it for minutes. The
// seed is printed, and -seed repeats the faults of a run, as far as two runs are ever alike.
//
// The tests are built on Linux only: they read /proc.
package hostile

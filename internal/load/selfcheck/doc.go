// Package selfcheck proves that the load harness finds faults: it runs `curfew load` against
// servers with one known fault each ([faulty]) and holds what the harness reports against what the
// server says it did.
//
//	b := selfcheck.Bench{Curfew: "build/curfew", Server: []string{self, "serve"}}
//	rows := b.RunAll(ctx, selfcheck.Cases(), nil)
//	selfcheck.WriteTable(os.Stdout, rows)
//
// # Terms
//
// A case is a fault, a way to run the harness, and what must be found: exactly so many of each
// thing that can be wrong, 0 where the case names none, and the exit code. A count may be relative
// to how often the server says that its fault struck. A row is what came of a case.
//
// # Design
//
// The harness is known by its command line and its JSON report and by nothing else. Server and
// harness are processes of their own. Cases that are about counts run side by side; those that are
// about times run alone. Where the harness says itself that its numbers are not to be believed
// (exit 3), or times alone are off, a case is run again, alone, for the machine may be why, and its
// row says so. If the harness is late to the end, a case that is about counts is judged by those,
// and by the exit code that they would have given: it proves the counts and not the code.
//
// # The model of a stall
//
// Messages fall due R times a second, spread evenly, over N connections with one in flight each.
// The server answers nothing for s of every T, and answers one message after another otherwise,
// each in c, with R c < 1. What c is, is measured: as many connections are flooded.
//
// Take a message that is due u after a stall began. R u messages fell due before it in this stall,
// and all of them are answered from s on, in the order in which they fell due. It is answered at
// s + R u c, so that its latency, from when it was due, is
//
//	L(u) = s + R u c - u = s - u (1 - R c)      for 0 <= u <= s / (1 - R c)
//
// which holds during the stall and then while the backlog drains, until L is 0 and the queue is
// empty. Due times are spread evenly over T, so
//
//	P(L > x) = (s - x) / (T (1 - R c))          for 0 <= x <= s
//
// L is uniform over 0..s for the part s / (T (1 - R c)) of all messages, and nothing for the
// others. Turned round, the part q of all messages waits no longer than
//
//	L(q) = max(0, s - (1 - q) T (1 - R c))
//
// The uncorrected latency runs from when a message was written. In a stall the first N messages are
// written when they are due and are charged with what is left of it, s - k / R for the k-th. Then
// all connections are busy, and the messages that wait for one are written when the stall is over.
// So
//
//	P(U > x) = (s - x) / T                      for s - n / R <= x <= s, where n = min(N, R s)
//	P(U > x) = n / (R T)                        for what is less, down to N c
//
// and with N < R T / 100 the uncorrected p99 does not show the stall at all, however long it is.
// This is what closed-loop tools report, known as coordinated omission. All of it is on top of what
// an answer takes without a stall. A test holds the formulas against a simulation of the queue.
//
// # Concurrency
//
// A Bench may be used by one goroutine at a time; it starts its own.
//
// # Limits
//
// Times are compared with a tolerance of 5 % and 5 ms, for the machine that all of it shares. Linux
// only, as the harness is.
package selfcheck

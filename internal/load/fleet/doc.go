// Package fleet runs one load.Plan by several processes, since a process may open only so many
// files and one loop uses only one core, and makes one result.Result of what they count.
//
//	r, err := fleet.Run(ctx, fleet.Options{Plan: plan, Stop: interrupted})
//
//	err := fleet.Work(ctx, os.Stdin, os.Stdout) // what a worker's process does
//
// # Design
//
// The parent starts the workers, which are the same executable, and gives each the plan on its
// standard input: no secret stands in a command line. Both speak JSON, one object a line.
//
//	parent   plan ─────> connect ──────────────> begin at T ──────────────> end of input
//	worker         ready          interval.. connected      interval.. part          ends
//
// T is a moment of CLOCK_MONOTONIC, which all processes of a machine share, so that all begin
// together and intervals of the same number mean the same time. A worker's loop has an operating
// system's thread for itself and never waits for the parent: what it tells goes through a queue.
//
// An interval is also the sign that a worker lives. One that dies, falls silent or makes no sense
// is told of, and the others go on; the result then has exit code 3, since its figures are not
// those of the load that was asked for.
//
// # Terms
//
// To stop is to end the schedules and to collect what was counted. Workers ignore SIGINT and
// SIGTERM, which a terminal or a supervisor sends to all processes at once, and end when their
// standard input does, whatever became of the parent.
//
// # Limits
//
// Linux only, as the loop is. The kernel's memory is that of the whole machine, so it says
// something only where nothing else runs, and holds the harness's sockets too.
package fleet

// Package audit writes down, one line of JSON each, which sessions ended and what operators did.
//
//	l, err := audit.Open(audit.Options{Path: "/var/log/curfew/audit.jsonl", Logger: log})
//	l.End(audit.End{Session: id, Reason: "idle", ...})
//	l.Reopen() // after the file was moved away
//	err = l.Close(ctx)
//
// # Lines
//
//	{"at":"...","event":"session_end","session":"...","user":"...",
//	 "remote":"192.0.2.1:50000","reason":"idle","late_ms":3.1}
//	{"at":"...","event":"admin_action","method":"DELETE","path":"...","remote":"...","status":204}
//	{"at":"...","event":"lost","lost":12}
//
// at is RFC 3339 in UTC, to the microsecond. A field without a value is left out: the user of a
// session that has none, the remote of one that is detached, late_ms where something else than time
// ended it, the error of an action that was done, and missed, how many requests before it were
// refused and have no line.
//
// # Who waits for whom
//
// Nobody waits for the disk. An entry goes into a queue of bounded length, under a lock that is
// never held during input or output; one goroutine takes all that is there, and writes it in large
// pieces. What finds no room, and what could not be written, is counted, and a line "lost" says how
// many when there is room again. A line that was cut off, by a full disk or since the process was
// killed, is ended before the next one is written, also by the next process. A file that cannot be
// written is tried anew with the next lines; the daemon's log tells of it once a second at most.
package audit

package netlooptest

import "time"

// now is for deadlines of real sockets only.
func now() time.Time { return time.Now() }

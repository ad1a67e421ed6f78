//go:build !linux

package notify

// monotonicMicros is 0: systemd, who asks for it, runs on Linux.
func monotonicMicros() int64 { return 0 }

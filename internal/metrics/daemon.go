package metrics

import "time"

// daemonFamilies are about the process, and what it was told to keep.
var daemonFamilies = []family{
	{
		name: "build_info", labels: []string{"version", "goversion", "mode", "wheel"},
		help: "1, with what the daemon is and how it serves.",
		read: func(sn *snapshot, e emit) {
			s := sn.source
			e(1, s.Version, s.GoVersion, s.Mode, s.WheelKind)
		},
	},
	{
		name: "start_time_seconds",
		help: "When the daemon started, in Unix time.",
		read: one(func(sn *snapshot) float64 { return unix(sn.source.Started) }),
	},
	{
		name: "draining",
		help: "1 while the daemon lets its clients go, else 0.",
		read: one(func(sn *snapshot) int {
			if sn.drain.IsZero() {
				return 0
			}
			return 1
		}),
	},
	{
		name: "drain_start_time_seconds",
		help: "When the drain began, in Unix time; 0 while there is none.",
		read: one(func(sn *snapshot) float64 {
			if sn.drain.IsZero() {
				return 0
			}
			return unix(sn.drain)
		}),
	},
	{
		name: "drain_window_seconds",
		help: "Over how long a drain lets clients go.",
		read: one(func(sn *snapshot) float64 { return sn.limits.DrainWindow.Seconds() }),
	},
	{
		name: "memory_bytes", labels: []string{"part"},
		help: "What holds how much: the table of sessions, frames kept for replay, buffers " +
			"(unfinished messages and what waits to be written), messages that wait for the " +
			"application, and connections in the loops.",
		read: func(sn *snapshot, e emit) {
			e(float64(sn.table.Bytes), "sessions")
			e(float64(sn.gateway.ReplayBytes), "replay")
			e(float64(sn.network.Buffers), "buffers")
			e(float64(sn.gateway.WaitingBytes), "waiting")
			e(float64(sn.network.Slots), "connections")
		},
	},
	{
		name: "buffer_limit_bytes",
		help: "How much buffers may hold; above it the connection that holds most is closed.",
		read: one(func(sn *snapshot) int64 { return sn.limits.BufferBytes }),
	},
}

// unix is a moment in seconds since 1970.
func unix(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

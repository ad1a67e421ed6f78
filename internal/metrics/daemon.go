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
		name: "config_last_reload_successful",
		help: "1 where the configuration was taken when it was read last, at the start or on " +
			"SIGHUP; 0: it was refused, and the settings from before stay.",
		read: one(func(sn *snapshot) int { return oneIf(!sn.reload.Failed) }),
	},
	{
		name: "config_last_reload_success_timestamp_seconds",
		help: "When the configuration was last taken, in Unix time.",
		read: one(func(sn *snapshot) float64 { return unix(sn.reload.Succeeded) }),
	},
	{
		name: "draining",
		help: "1 while the daemon lets its clients go, else 0.",
		read: one(func(sn *snapshot) int { return oneIf(!sn.drain.IsZero()) }),
	},
	{
		name: "drain_start_time_seconds",
		help: "When the drain began, in Unix time; 0 while there is none.",
		read: one(func(sn *snapshot) float64 { return unixOr0(sn.drain) }),
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

// oneIf is a yes or no as Prometheus has it: 1 or 0.
func oneIf(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// unix is a moment in seconds since 1970.
func unix(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// unixOr0 is a moment in seconds since 1970, 0 where it is none.
func unixOr0(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return unix(t)
}

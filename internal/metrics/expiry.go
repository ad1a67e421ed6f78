package metrics

import "strconv"

// expiryFamilies are about how sessions end on time, and the timing wheel that most end by.
var expiryFamilies = []family{
	{
		name: "expiry_lateness_seconds", kind: histogram,
		help: "How long after they were due sessions ended that time ended.",
		readHistograms: func(sn *snapshot, e emitHistogram) {
			e(fromEngine(&sn.table.Lateness, latenessBoundsOf(sn.limits.Tick)))
		},
	},
	{
		name: "sessions_expired_early_total", kind: counter,
		help: "Sessions that time ended before they were due; anything but 0 is a fault.",
		read: one(func(sn *snapshot) uint64 { return sn.table.Early }),
	},
	{
		name: "tick_seconds",
		help: "The resolution of deadlines.",
		read: one(func(sn *snapshot) float64 { return sn.limits.Tick.Seconds() }),
	},
	{
		name: "sweep_duration_seconds", kind: histogram,
		help: "How long one batch of expiry took, what it called included.",
		readHistograms: func(sn *snapshot, e emitHistogram) {
			e(fromEngine(&sn.table.Sweep, sweepBounds))
		},
	},
	{
		name: "wheel_entries", labels: []string{"level"},
		help: "Entries of the timing wheel by level, the finest first, stale ones included; " +
			"0 of a wheel that has no levels.",
		read: func(sn *snapshot, e emit) {
			var entries [wheelLevels]int
			for i, l := range sn.wheel {
				entries[min(i, wheelLevels-1)] += l.Entries
			}
			for i, n := range entries {
				e(float64(n), strconv.Itoa(i))
			}
		},
	},
	{
		name: "wheel_stale_entries",
		help: "Entries of the timing wheel that belong to no session.",
		read: one(func(sn *snapshot) int { return sn.table.Stale }),
	},
	{
		name: "wheel_backlog_entries",
		help: "Entries of the timing wheel that have come up and are not looked at yet.",
		read: one(func(sn *snapshot) int { return sn.table.Backlog }),
	},
	{
		name: "wheel_behind_seconds",
		help: "How long ago the first of the backlog came up.",
		read: one(func(sn *snapshot) float64 { return sn.table.Behind.Seconds() }),
	},
	{
		name: "callback_panics_total", kind: counter,
		help: "Panics of what expiry calls; anything but 0 is a fault.",
		read: one(func(sn *snapshot) uint64 { return sn.table.CallbackPanics }),
	},
}

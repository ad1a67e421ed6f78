package metrics

// sessionFamilies are about sessions and their clients' returns.
var sessionFamilies = []family{
	{
		name: "sessions", labels: []string{"state"},
		help: "Sessions at the moment. One that is detached is never in grace here.",
		read: func(sn *snapshot, e emit) {
			e(float64(sn.gateway.Live), "live")
			e(float64(sn.gateway.Detached), "detached")
			e(float64(sn.gateway.Grace), "grace")
		},
	},
	{
		name: "sessions_limit",
		help: "How many sessions there may be; 0: as many as memory holds.",
		read: one(func(sn *snapshot) int { return sn.limits.Sessions }),
	},
	{
		name: "sessions_created_total", kind: counter,
		help: "Sessions that began.",
		read: one(func(sn *snapshot) uint64 { return sn.gateway.Created }),
	},
	{
		name: "sessions_ended_total", kind: counter, labels: []string{"reason"},
		help: "Sessions that ended, by reason.",
		read: func(sn *snapshot, e emit) { byName(e, reasons, text, sn.gateway.Ended) },
	},
	{
		name: "sessions_rejected_total", kind: counter,
		help: "Newcomers that were refused since the table was full.",
		read: one(func(sn *snapshot) uint64 { return sn.gateway.Rejected }),
	},
	{
		name: "sessions_revived_total", kind: counter,
		help: "Sessions that were touched in grace.",
		read: one(func(sn *snapshot) uint64 { return sn.table.Revived }),
	},
	{
		name: "sessions_detached_total", kind: counter,
		help: "Connections whose loss left a session detached.",
		read: one(func(sn *snapshot) uint64 { return sn.gateway.DetachedEver }),
	},
	{
		name: "sessions_pending",
		help: "Newcomers about whom the application is being asked.",
		read: one(func(sn *snapshot) int { return sn.gateway.Pending }),
	},
	{
		name: "hellos_refused_total", kind: counter, labels: []string{"error"},
		help: "Hellos of newcomers that were refused, by the error that the client was told.",
		read: func(sn *snapshot, e emit) { byName(e, helloErrors, text, sn.gateway.HelloRefused) },
	},
	{
		name: "resumes_total", kind: counter,
		help: "Sessions that were resumed, takeovers included.",
		read: one(func(sn *snapshot) uint64 { return sn.gateway.Resumed }),
	},
	{
		name: "takeovers_total", kind: counter,
		help: "Sessions that were resumed while they were still connected.",
		read: one(func(sn *snapshot) uint64 { return sn.gateway.TakenOver }),
	},
	{
		name: "resumes_refused_total", kind: counter, labels: []string{"error"},
		help: "Resumes that were refused, by the error that the client was told.",
		read: func(sn *snapshot, e emit) {
			byName(e, resumeErrors, text, sn.gateway.ResumeRefused)
		},
	},
	{
		name: "replayed_frames_total", kind: counter,
		help: "Frames that were sent again to clients that resumed.",
		read: one(func(sn *snapshot) uint64 { return sn.gateway.Replayed }),
	},
	{
		name: "replayed_bytes_total", kind: counter,
		help: "Bytes of frames that were sent again.",
		read: one(func(sn *snapshot) uint64 { return sn.gateway.ReplayedBytes }),
	},
	{
		name: "replay_gaps_total", kind: counter,
		help: "Resumes for which frames were no longer there.",
		read: one(func(sn *snapshot) uint64 { return sn.gateway.ReplayGaps }),
	},
	{
		name: "users",
		help: "Users that have a session.",
		read: one(func(sn *snapshot) int { return sn.gateway.Users }),
	},
	{
		name: "tombstones",
		help: "Sessions that have ended and whose reason is kept for a late resume.",
		read: one(func(sn *snapshot) int { return sn.gateway.Tombstones }),
	},
}

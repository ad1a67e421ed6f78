package metrics

// auditFamilies are about the audit log; all is 0 where there is none.
var auditFamilies = []family{
	{
		name: "audit_entries_total", kind: counter, labels: []string{"result"},
		help: "Entries of the audit log; lost are those that found no room, since the disk was " +
			"too slow, or that could not be written.",
		read: func(sn *snapshot, e emit) {
			e(float64(sn.audit.Written), "written")
			e(float64(sn.audit.Lost), "lost")
		},
	},
	{
		name: "audit_errors_total", kind: counter,
		help: "Times that the audit log could not be written, or not be opened again.",
		read: one(func(sn *snapshot) uint64 { return sn.audit.Errors }),
	},
}

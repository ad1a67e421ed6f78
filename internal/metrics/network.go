package metrics

import (
	"strconv"

	"github.com/curfew-go/curfew/internal/netloop"
)

// networkFamilies are about connections and what goes over them.
var networkFamilies = []family{
	{
		name: "connections",
		help: "Connections at the moment, those included that come or go.",
		read: one(func(sn *snapshot) int { return sn.network.Open }),
	},
	{
		name: "connections_accepted_total", kind: counter,
		help: "Connections that were accepted.",
		read: one(func(sn *snapshot) uint64 { return sn.network.Accepted }),
	},
	{
		name: "handshakes_total", kind: counter, labels: []string{"status"},
		help: "Handshakes by the HTTP status that answered them; 101 became WebSocket.",
		read: func(sn *snapshot, e emit) {
			e(float64(sn.network.Upgraded), "101")
			byName(e, statuses, strconv.Itoa, sn.network.Refused)
		},
	},
	{
		name: "tls_handshakes_failed_total", kind: counter,
		help: "TLS handshakes that failed, but for those of clients that said nothing; why is in " +
			"the log at level debug.",
		read: one(func(sn *snapshot) uint64 { return sn.network.TLSFailed }),
	},
	{
		name: "tls_certificate_expiry_timestamp_seconds",
		help: "When the certificate that is shown to clients expires, in Unix time; 0 without TLS.",
		read: one(func(sn *snapshot) float64 { return unixOr0(sn.certificate) }),
	},
	{
		name: "connections_closed_total", kind: counter, labels: []string{"side", "code"},
		help: "Connections that were open and closed, by who closed and the code of the close " +
			"frame that came first; 1005 is a close frame without a code.",
		read: closes,
	},
	{
		name: "connections_ended_total", kind: counter, labels: []string{"cause"},
		help: "Connections that were open and ended, by cause; slow are those whose clients did " +
			"not read, and those that were evicted.",
		read: func(sn *snapshot, e emit) {
			byName(e, causes, netloop.Cause.String, sn.network.Ended)
		},
	},
	{
		name: "connections_evicted_total", kind: counter,
		help: "Connections that were closed since all buffers together held too much.",
		read: one(func(sn *snapshot) uint64 { return sn.network.Evicted }),
	},
	{
		name: "connections_starved_total", kind: counter,
		help: "Connections that came when no file was free.",
		read: one(func(sn *snapshot) uint64 { return sn.network.Starved }),
	},
	{
		name: "frames_total", kind: counter, labels: []string{"direction"},
		help: "WebSocket frames, control frames included.",
		read: func(sn *snapshot, e emit) { inOut(e, sn.network.FramesIn, sn.network.FramesOut) },
	},
	{
		name: "messages_total", kind: counter, labels: []string{"direction"},
		help: "Whole messages, text and binary.",
		read: func(sn *snapshot, e emit) {
			inOut(e, sn.network.MessagesIn, sn.network.MessagesOut)
		},
	},
	{
		name: "frame_bytes_total", kind: counter, labels: []string{"direction"},
		help: "Bytes of frames as they are on the wire, TLS not counted.",
		read: func(sn *snapshot, e emit) { inOut(e, sn.network.BytesIn, sn.network.BytesOut) },
	},
	{
		name: "queue_bytes",
		help: "Bytes that wait to be written to clients, in the buffers that memory_bytes has.",
		read: one(func(sn *snapshot) int64 { return sn.network.Queued }),
	},
	{
		name: "messages_dropped_total", kind: counter,
		help: "Messages that were dropped since their clients did not read in time.",
		read: one(func(sn *snapshot) uint64 { return sn.network.Dropped }),
	},
	{
		name: "pushes_total", kind: counter, labels: []string{"result"},
		help: "Messages of operators and the application to sessions, each session counted.",
		read: func(sn *snapshot, e emit) {
			e(float64(sn.gateway.Pushed), "sent")
			e(float64(sn.gateway.PushRefused), "refused")
		},
	},
	{
		name: "loop_connections", labels: []string{"loop"},
		help: "Connections of each loop; none in goroutine mode.",
		read: loops(func(l *netloop.LoopStats) float64 { return float64(l.Connections) }),
	},
	{
		name: "loop_busy_seconds_total", kind: counter, labels: []string{"loop"},
		help: "Time that each loop did not wait for its sockets.",
		read: loops(func(l *netloop.LoopStats) float64 { return l.Busy.Seconds() }),
	},
	{
		name: "loop_turns_total", kind: counter, labels: []string{"loop"},
		help: "Times that each loop looked at its sockets.",
		read: loops(func(l *netloop.LoopStats) float64 { return float64(l.Turns) }),
	},
}

// inOut gives a count by direction, as the daemon sees it.
func inOut(e emit, in, out uint64) {
	e(float64(in), "in")
	e(float64(out), "out")
}

// closes gives the closes by side and code. Where nobody sent a close frame there is no code.
func closes(sn *snapshot, e emit) {
	var none uint64
	by := make(map[netloop.Side]map[netloop.Code]uint64, len(sides))
	for _, side := range sides {
		by[side] = make(map[netloop.Code]uint64, len(closeCodes))
	}
	for how, n := range sn.network.Closed {
		if codes := by[how.Side]; codes != nil {
			codes[how.Code] += n
		} else {
			none += n
		}
	}
	for _, side := range sides {
		byName(e, closeCodes, code, by[side], side.String())
	}
	e(float64(none), netloop.SideNone.String(), "none")
}

// loops reads a value of each loop. Their number does not change.
func loops(value func(*netloop.LoopStats) float64) func(*snapshot, emit) {
	return func(sn *snapshot, e emit) {
		for i := range sn.network.Loops {
			e(value(&sn.network.Loops[i]), strconv.Itoa(i))
		}
	}
}

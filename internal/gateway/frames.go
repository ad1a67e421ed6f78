package gateway

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/backend"
	"github.com/curfew-go/curfew/internal/netloop"
)

// The frames that the server sends. Each is built in a borrowed buffer, from parts that are JSON
// already: what came from a client goes back as it came.

// timeFormat is RFC 3339 in UTC with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

var scratch = sync.Pool{New: func() any { return new([]byte) }}

// scratchKept bounds the memory of a buffer that is lent again.
const scratchKept = 256 << 10

// borrow gives a buffer to build a frame in; it is given back.
func borrow() *[]byte { return scratch.Get().(*[]byte) }

func giveBack(b *[]byte) {
	if cap(*b) <= scratchKept {
		scratch.Put(b)
	}
}

// send builds a frame and queues it. Where the connection has ended meanwhile, its client does not
// wait for the frame any more.
func send(c netloop.Conn, build func(b []byte) []byte) {
	buf := borrow()
	defer giveBack(buf)
	*buf = build((*buf)[:0])
	c.Send(netloop.Text, *buf)
}

// resumeAck is what a hello_ack says more where the session can be resumed.
type resumeAck struct {
	token   []byte
	resumed bool
	gap     bool
	seq     uint64
	window  time.Duration
	node    string
	epoch   uint32
}

// sendHelloAck welcomes a client; r is nil where its session cannot be resumed.
func sendHelloAck(c netloop.Conn, s engine.Session[link], idle time.Duration, r *resumeAck) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"hello_ack","ok":true,"session_id":"`...)
		b = s.AppendID(b) // base64url: nothing to escape
		b = append(b, `","idle_s":`...)
		b = appendSeconds(b, idle)
		if r == nil {
			return append(b, '}')
		}
		b = append(b, `,"resume_token":"`...)
		b = append(b, r.token...)
		b = append(b, `","resumed":`...)
		b = strconv.AppendBool(b, r.resumed)
		b = append(b, `,"gap":`...)
		b = strconv.AppendBool(b, r.gap)
		b = append(b, `,"seq":`...)
		b = strconv.AppendUint(b, r.seq, 10)
		b = append(b, `,"resume_window_s":`...)
		b = appendSeconds(b, r.window)
		b = append(b, `,"node":"`...)
		b = append(b, r.node...)
		b = append(b, `","epoch":`...)
		return append(strconv.AppendUint(b, uint64(r.epoch), 10), '}')
	})
}

func sendHelloRefusal(c netloop.Conn, r refusal) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"hello_ack","ok":false,"error":"`...)
		b = append(b, r.name...)
		b = append(b, '"')
		if r.retryAfter > 0 {
			b = append(b, `,"retry_after":`...)
			b = strconv.AppendInt(b, wholeSeconds(r.retryAfter), 10)
		}
		return append(b, '}')
	})
}

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// appendHead begins a frame with its op, its number where it has one, and the request that it is
// about, and says where that stands.
func appendHead(b []byte, op string, seq uint64, requestID []byte) (frame []byte, requestIDAt int) {
	b = append(b, `{"op":"`...)
	b = append(b, op...)
	b = append(b, '"')
	if seq > 0 {
		b = append(b, `,"seq":`...)
		b = strconv.AppendUint(b, seq, 10)
	}
	if requestID == nil {
		return b, 0
	}
	b = append(b, `,"request_id":`...)
	at := len(b)
	return append(b, requestID...), at
}

// appendError appends an error.
func appendError(b []byte, seq uint64, requestID []byte, e *backend.Error) ([]byte, int) {
	b, _ = appendHead(b, "error", seq, nil)
	b = append(b, `,"error":{"code":"`...)
	b = append(b, e.Code...)
	b = append(b, '"')
	b = appendField(b, "message", quote(e.Message))
	b = append(b, '}')
	b = appendField(b, "request_id", requestID)
	return append(b, '}'), len(b) - len(requestID)
}

func sendError(c netloop.Conn, requestID []byte, e *backend.Error) {
	send(c, func(b []byte) []byte {
		b, _ = appendError(b, 0, requestID, e)
		return b
	})
}

func sendCallAck(c netloop.Conn, requestID []byte, name string, timeout time.Duration) {
	send(c, func(b []byte) []byte {
		b, _ = appendHead(b, "call_tool_ack", 0, requestID)
		b = append(b, `,"accepted":true,"timeout":`...)
		b = appendSeconds(b, timeout)
		return append(appendField(b, "name", quote(name)), '}')
	})
}

func sendProgress(c netloop.Conn, requestID []byte, name string, t time.Time) {
	send(c, func(b []byte) []byte {
		b, _ = appendHead(b, "progress", 0, requestID)
		b = appendField(b, "name", quote(name))
		b = append(b, `,"t":`...)
		return append(appendTime(b, t), '}')
	})
}

func sendTools(c netloop.Conn, requestID []byte, tools []backend.Tool) {
	list, err := json.Marshal(tools)
	if err != nil || tools == nil {
		list = []byte("[]") // a schema that is no JSON: the application is to blame
	}
	send(c, func(b []byte) []byte {
		b, _ = appendHead(b, "list_tools_res", 0, requestID)
		return append(appendField(b, "tools", list), '}')
	})
}

func sendPong(c netloop.Conn, requestID []byte, t time.Time) {
	send(c, func(b []byte) []byte {
		b, _ = appendHead(b, "pong", 0, requestID)
		b = append(b, `,"t":`...)
		return append(appendTime(b, t), '}')
	})
}

func sendSessionInfo(c netloop.Conn, requestID []byte, d *Description) {
	send(c, func(b []byte) []byte {
		b, _ = appendHead(b, "session_info_res", 0, requestID)
		b = append(b, `,"session":{"session_id":"`...)
		b = append(b, d.ID...)
		b = append(b, `","state":"`...)
		b = append(b, d.State...)
		b = append(b, `","created_at":`...)
		b = appendDate(b, d.Created)
		b = append(b, `,"last_activity":`...)
		b = appendDate(b, d.LastActivity)
		b = append(b, `,"deadline":`...)
		b = appendDate(b, d.Deadline)
		b = append(b, `,"idle_s":`...)
		return append(appendSeconds(b, d.Idle), '}', '}')
	})
}

// health is what a client can ask about the server.
type health struct {
	now      time.Time
	uptime   time.Duration
	sessions int
	capacity int // for calls
	tools    int
}

func sendHealth(c netloop.Conn, requestID []byte, h *health) {
	send(c, func(b []byte) []byte {
		b, _ = appendHead(b, "health_res", 0, requestID)
		b = append(b, `,"ok":true,"health":{"t":`...)
		b = appendTime(b, h.now)
		b = append(b, `,"uptime_human":"`...)
		b = append(b, h.uptime.Truncate(time.Second).String()...)
		b = append(b, `","sessions":`...)
		b = strconv.AppendInt(b, int64(h.sessions), 10)
		b = append(b, `,"global_capacity":`...)
		b = strconv.AppendInt(b, int64(h.capacity), 10)
		b = append(b, `,"tool_count":`...)
		return append(strconv.AppendInt(b, int64(h.tools), 10), '}', '}')
	})
}

func sendExpiring(c netloop.Conn, in time.Duration) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"session_expiring","in_ms":`...)
		b = strconv.AppendInt(b, max(0, in.Milliseconds()), 10)
		return append(b, `,"reason":"idle"}`...)
	})
}

func sendExpired(c netloop.Conn, appendID func([]byte) []byte, why Reason) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"session_expired","session_id":"`...)
		b = appendID(b)
		b = append(b, `","reason":"`...)
		b = append(b, why...)
		return append(b, '"', '}')
	})
}

func sendGoodbye(c netloop.Conn, retryAfter time.Duration) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"goodbye","retry_after_ms":`...)
		return append(strconv.AppendInt(b, retryAfter.Milliseconds(), 10), '}')
	})
}

// appendField appends a further member of an object, unless there is no value.
func appendField(b []byte, name string, value []byte) []byte {
	if value == nil {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return append(b, value...)
}

// appendSeconds appends a duration as a number of seconds.
func appendSeconds(b []byte, d time.Duration) []byte {
	return strconv.AppendFloat(b, d.Seconds(), 'f', -1, 64)
}

// appendTime appends a moment as seconds since 1970, as the daemon did that Curfew replaces.
func appendTime(b []byte, t time.Time) []byte {
	return strconv.AppendFloat(b, float64(t.UnixMilli())/1000, 'f', 3, 64)
}

// appendDate appends a moment in RFC 3339, null where there is none.
func appendDate(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	b = append(b, '"')
	return append(t.UTC().AppendFormat(b, timeFormat), '"')
}

package gateway

import (
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/netloop"
)

// The frames that the server sends. Each is built in a borrowed buffer, from parts that are JSON
// already: what came from a client goes back as it came.

// timeFormat is RFC 3339 in UTC with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

var scratch = sync.Pool{New: func() any { return new([]byte) }}

// send builds a frame and queues it. Where the connection has ended meanwhile, its client does not
// wait for the frame any more.
func send(c netloop.Conn, build func(b []byte) []byte) {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	*buf = build((*buf)[:0])
	c.Send(netloop.Text, *buf)
}

func sendHelloAck(c netloop.Conn, s engine.Session[link], idle time.Duration) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"hello_ack","ok":true,"session_id":"`...)
		b = s.AppendID(b) // base64url: nothing to escape
		b = append(b, `","idle_s":`...)
		return append(appendSeconds(b, idle), '}')
	})
}

func sendHelloRefusal(c netloop.Conn, r refusal) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"hello_ack","ok":false,"error":"`...)
		b = append(b, r.name...)
		b = append(b, '"')
		if r.retryAfter > 0 {
			b = append(b, `,"retry_after":`...)
			b = appendSeconds(b, r.retryAfter)
		}
		return append(b, '}')
	})
}

func sendMessageRes(c netloop.Conn, requestID, data []byte) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"message_res"`...)
		b = appendField(b, "request_id", requestID)
		b = appendField(b, "data", data)
		return append(b, '}')
	})
}

func sendPong(c netloop.Conn, t time.Time) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"pong","t":`...)
		return append(appendTime(b, t), '}')
	})
}

func sendSessionInfo(c netloop.Conn, i engine.Info) {
	state := "live"
	if i.State == engine.StateGrace {
		state = "grace"
	}
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"session_info_res","session":{"session_id":"`...)
		b = append(b, i.ID...)
		b = append(b, `","state":"`...)
		b = append(b, state...)
		b = append(b, `","created_at":"`...)
		b = i.Created.UTC().AppendFormat(b, timeFormat)
		b = append(b, `","last_activity":"`...)
		b = i.LastTouch.UTC().AppendFormat(b, timeFormat)
		b = append(b, `","deadline":"`...)
		b = i.Deadline.UTC().AppendFormat(b, timeFormat)
		b = append(b, `","idle_s":`...)
		return append(appendSeconds(b, i.IdleTimeout), '}', '}')
	})
}

// health is what a client can ask about the server.
type health struct {
	now      time.Time
	uptime   time.Duration
	sessions int
}

func sendHealth(c netloop.Conn, h health) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"health_res","ok":true,"health":{"t":`...)
		b = appendTime(b, h.now)
		b = append(b, `,"uptime_human":"`...)
		b = append(b, h.uptime.Truncate(time.Second).String()...)
		b = append(b, `","sessions":`...)
		b = strconv.AppendInt(b, int64(h.sessions), 10)
		// No tool can be called, so there is neither a tool nor room for a call.
		return append(b, `,"global_capacity":0,"tool_count":0}}`...)
	})
}

func sendExpiring(c netloop.Conn, in time.Duration) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"session_expiring","in_ms":`...)
		b = strconv.AppendInt(b, max(0, in.Milliseconds()), 10)
		return append(b, `,"reason":"idle"}`...)
	})
}

func sendExpired(c netloop.Conn, e engine.Expired[link]) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"session_expired","session_id":"`...)
		b = e.AppendID(b)
		b = append(b, `","reason":"`...)
		b = append(b, reasonOf(e.Reason)...)
		return append(b, '"', '}')
	})
}

func sendGoodbye(c netloop.Conn, retryAfter time.Duration) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"goodbye","retry_after_ms":`...)
		return append(strconv.AppendInt(b, retryAfter.Milliseconds(), 10), '}')
	})
}

// The codes of error frames.
const (
	codeInvalidRequest = "INVALID_REQUEST"
	codeInternal       = "INTERNAL_ERROR"
	codeProtocol       = "PROTOCOL_ERROR"
)

func sendError(c netloop.Conn, code, message string, requestID []byte) {
	send(c, func(b []byte) []byte {
		b = append(b, `{"op":"error","error":{"code":"`...)
		b = append(b, code...)
		b = append(b, '"')
		text, _ := json.Marshal(message) // a string can always be written
		b = appendField(b, "message", text)
		b = append(b, '}')
		b = appendField(b, "request_id", requestID)
		return append(b, '}')
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

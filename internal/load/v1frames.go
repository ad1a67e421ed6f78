package load

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// frameV1 is a frame of a server of curfew.v1, as far as it matters here.
type frameV1 struct {
	op        string
	seq       uint64 // 0: it has no number
	data      []byte // of a message or an answer that is a string without escapes, else nil
	sessionID string
	reason    string
	code      string // of an error
}

// parseV1 takes a frame apart. One that cannot be read has no op.
func parseV1(payload []byte) frameV1 {
	if f, ok := quickAnswer(payload); ok {
		return f
	}
	var f struct {
		Op        string          `json:"op"`
		Seq       uint64          `json:"seq"`
		Data      json.RawMessage `json:"data"`
		SessionID string          `json:"session_id"`
		Reason    string          `json:"reason"`
		Error     struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(payload, &f) != nil {
		return frameV1{}
	}
	r := frameV1{
		op: f.Op, seq: f.Seq, sessionID: f.SessionID, reason: f.Reason, code: f.Error.Code,
	}
	if n := len(f.Data); n >= 2 && f.Data[0] == '"' && bytes.IndexByte(f.Data, '\\') < 0 {
		r.data = f.Data[1 : n-1]
	}
	return r
}

// quickAnswer is parseV1 for answers that are written as compactly as can be and hold nothing
// else: all of those that come by the thousand. It gives false for any other frame.
func quickAnswer(b []byte) (f frameV1, ok bool) {
	f.op = "message_res"
	if b, ok = bytes.CutPrefix(b, []byte(`{"op":"message_res"`)); !ok {
		return f, false
	}
	if rest, ok := bytes.CutPrefix(b, []byte(`,"seq":`)); ok {
		digits := bytes.IndexByte(rest, ',')
		if digits < 1 || rest[0] == '0' || rest[0] == '+' {
			return f, false
		}
		var err error
		if f.seq, err = strconv.ParseUint(string(rest[:digits]), 10, 64); err != nil {
			return f, false
		}
		b = rest[digits:]
	}
	if b, ok = bytes.CutPrefix(b, []byte(`,"data":"`)); !ok {
		return f, false
	}
	if f.data, ok = bytes.CutSuffix(b, []byte(`"}`)); !ok {
		return f, false
	}
	return f, bytes.IndexByte(f.data, '"') < 0 && bytes.IndexByte(f.data, '\\') < 0
}

// helloAck is the answer to a hello.
type helloAck struct {
	Op          string `json:"op"`
	OK          bool   `json:"ok"`
	Error       string `json:"error"`
	SessionID   string `json:"session_id"`
	ResumeToken string `json:"resume_token"`
	Resumed     bool   `json:"resumed"`
	Gap         bool   `json:"gap"`
	Seq         uint64 `json:"seq"`
	// IdleSeconds is after what silence the session ends.
	IdleSeconds float64 `json:"idle_s"`
}

// judge says why an answer gives no session, or "".
func (a *helloAck) judge(resume bool) string {
	switch {
	case a.Op != "hello_ack":
		return "bad_hello_answer"
	case !a.OK:
		return helloRefused + snake(a.Error)
	case a.SessionID == "":
		return "no_session_in_hello_answer"
	case resume && a.ResumeToken == "":
		return "no_resume_token_in_hello_answer"
	}
	return ""
}

// helloRefused begins the reason why a connection ended whose hello was refused.
const helloRefused = "hello_"

// opening is what every hello of a client says.
type opening struct {
	secret      string // the server's; "": it has none
	resume      bool   // sessions that can be resumed are wanted
	idleSeconds int    // the idle timeout that is wanted; 0: none
}

// appendHello appends the first frame of a client. With a token it resumes a session.
func appendHello(b []byte, o opening, token string, seq uint64) []byte {
	b = append(b, `{"op":"hello"`...)
	if o.secret != "" {
		b = appendString(append(b, `,"token":`...), o.secret)
	}
	if token != "" {
		b = appendString(append(b, `,"resume":{"token":`...), token)
		b = append(b, `,"seq":`...)
		b = append(strconv.AppendUint(b, seq, 10), '}')
	}
	if !o.resume && o.idleSeconds == 0 {
		return append(b, '}')
	}
	b = strconv.AppendBool(append(b, `,"want":{"resume":`...), o.resume)
	if o.idleSeconds > 0 {
		b = strconv.AppendInt(append(b, `,"idle_s":`...), int64(o.idleSeconds), 10)
	}
	return append(b, `}}`...)
}

// appendString appends a string as JSON has it.
func appendString(b []byte, s string) []byte {
	quoted, _ := json.Marshal(s) // it can always be written
	return append(b, quoted...)
}

// appendMessageV1 appends the frame of a message, which is text that needs no escapes, and so is
// its request_id, where it has one.
func appendMessageV1(b, requestID, message []byte) []byte {
	b = append(b, `{"op":"message",`...)
	if len(requestID) > 0 {
		b = append(append(append(b, `"request_id":"`...), requestID...), `",`...)
	}
	b = append(b, `"data":"`...)
	b = append(b, message...)
	return append(b, `"}`...)
}

func appendAck(b []byte, seq uint64) []byte {
	b = append(b, `{"op":"ack","seq":`...)
	return append(strconv.AppendUint(b, seq, 10), '}')
}

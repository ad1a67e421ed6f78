package load

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/curfew-go/curfew/internal/wsframe"
)

// faults are what a v1Server does wrong.
type faults struct {
	forgets  bool // knows no token
	changes  bool // welcomes who resumes to a new session
	loses    bool // has nothing to replay, and says so
	omits    bool // has nothing to replay, and does not
	skips    bool // leaves out a number
	falters  bool // hangs up on the first resume of each session
	early    bool // ends sessions sooner than it should
	untold   bool // does not say session_expired
	misnamed bool // says it of another session
	deaf     bool // answers no message after a resume
	refuses  bool // answers the second message of each session by an error
	twice    bool // replays everything twice
	hidden   bool // does not say in the answer to the hello after what silence sessions end
	at       bool // sessions end after a silence from their hello on
}

// v1Server is a server of curfew.v1 as far as the driver speaks it.
type v1Server struct {
	t    *testing.T
	idle time.Duration // from its first message on; 0: an hour
	faults

	mu       sync.Mutex
	sessions map[string]*v1Session // by token
	made     int
	acks     int
}

// v1Session is a session of one.
type v1Session struct {
	id, token string
	seq       uint64
	kept      map[uint64][]byte // frames, by number
	resumes   bool
	faltered  bool
	deaf      bool
	touched   bool
	said      int
	at        net.Conn // whose messages are heard
}

// start serves and gives the address.
func (s *v1Server) start() string {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	s.sessions, s.made, s.acks = map[string]*v1Session{}, 0, 0
	if s.idle == 0 {
		s.idle = time.Hour
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.talk(conn)
		}
	}()
	return l.Addr().String()
}

// v1Request is any frame of a client.
type v1Request struct {
	Op     string          `json:"op"`
	Data   json.RawMessage `json:"data"`
	Seq    uint64          `json:"seq"`
	Resume *struct {
		Token string `json:"token"`
		Seq   uint64 `json:"seq"`
	} `json:"resume"`
	Want struct {
		Resume bool `json:"resume"`
	} `json:"want"`
}

func (s *v1Server) talk(conn net.Conn) {
	defer conn.Close()
	u := ws.Upgrader{Protocol: func(p []byte) bool { return string(p) == protocolV1 }}
	if _, err := u.Upgrade(conn); err != nil {
		return
	}
	var p wsframe.Parser
	var session *v1Session
	rules := wsframe.Rules{MaxMessageBytes: bytesMax, Buffers: new(wsframe.Pool)}
	buf := make([]byte, 64<<10)
	for {
		idle := time.Hour
		if session != nil && (session.touched || s.at) {
			idle = s.idle
		}
		if s.early {
			idle = idle * 3 / 4
		}
		_ = conn.SetReadDeadline(time.Now().Add(idle))
		n, err := conn.Read(buf)
		if err != nil {
			_, _ = conn.Write(s.farewell(session))
			return
		}
		var out []byte
		for e, b := p.Next(&rules, buf[:n]); e.Kind != wsframe.None; e, b = p.Next(&rules, b) {
			var r v1Request
			if e.Kind != wsframe.Text || json.Unmarshal(e.Payload, &r) != nil {
				return
			}
			s.mu.Lock()
			answer := s.answer(&session, &r, conn)
			s.mu.Unlock()
			if answer == nil {
				return
			}
			out = append(out, answer...)
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// farewell ends a session that was silent.
func (s *v1Server) farewell(session *v1Session) []byte {
	if session == nil {
		return nil
	}
	id := session.id
	if s.misnamed {
		id += "x"
	}
	var b []byte
	if !s.untold {
		b = text(`{"op":"session_expired","session_id":%q,"reason":"idle"}`, id)
	}
	return wsframe.Server.AppendClose(b, 4200, "session idle")
}

func text(format string, args ...any) []byte {
	return wsframe.Server.AppendFrame(nil, wsframe.OpText, true, fmt.Appendf(nil, format, args...))
}

// answer gives the frames that answer a request, nil to hang up.
func (s *v1Server) answer(at **v1Session, r *v1Request, conn net.Conn) []byte {
	switch session := *at; r.Op {
	case "hello":
		out := s.hello(at, r)
		if *at != nil {
			(*at).at = conn
		}
		return out
	case "ack":
		if r.Seq > session.seq {
			s.t.Errorf("ack of %d, want at most %d", r.Seq, session.seq)
		}
		for seq := range session.kept {
			if seq <= r.Seq {
				delete(session.kept, seq)
			}
		}
		s.acks++
		return []byte{}
	case "message":
		if session.at != conn {
			return []byte{} // it was resumed over another one meanwhile
		}
		session.touched = true
		session.said++
		if session.deaf {
			return []byte{}
		}
		if s.refuses && session.said == 2 {
			return text(`{"op":"error","error":{"code":"BUSY"}}`)
		}
		if !session.resumes {
			return text(`{"op":"message_res","data":%s}`, r.Data)
		}
		session.seq++
		if s.skips && session.seq == 2 {
			session.seq++
		}
		frame := text(`{"op":"message_res","seq":%d,"data":%s}`, session.seq, r.Data)
		session.kept[session.seq] = frame
		return frame
	}
	return nil
}

func (s *v1Server) hello(at **v1Session, r *v1Request) []byte {
	var session *v1Session
	resumed := false
	if r.Resume != nil {
		session = s.sessions[r.Resume.Token]
		if session == nil || s.forgets {
			return text(`{"op":"hello_ack","ok":false,"error":"resume_unknown"}`)
		}
		if s.falters && !session.faltered {
			session.faltered = true
			return nil
		}
		resumed = !s.changes
		session.deaf = s.deaf
	}
	if !resumed {
		s.made++
		session = &v1Session{
			id: "session-" + strconv.Itoa(s.made), resumes: r.Want.Resume,
			kept: map[uint64][]byte{},
		}
	}
	*at = session
	if !session.resumes {
		if s.hidden {
			return text(`{"op":"hello_ack","ok":true,"session_id":%q}`, session.id)
		}
		return text(`{"op":"hello_ack","ok":true,"session_id":%q,"idle_s":1}`, session.id)
	}
	delete(s.sessions, session.token)
	session.token = fmt.Sprintf("%s.%d\"", session.id, len(s.sessions)*1000+s.acks+s.made)
	s.sessions[session.token] = session
	gap := resumed && s.loses
	out := text(`{"op":"hello_ack","ok":true,"session_id":%q,"idle_s":1,"resume_token":%q,`+
		`"resumed":%v,"gap":%v,"seq":%d}`, session.id, session.token, resumed, gap, session.seq)
	if resumed && !s.loses && !s.omits {
		replay := []byte{}
		for seq := r.Resume.Seq + 1; seq <= session.seq; seq++ {
			replay = append(replay, session.kept[seq]...)
		}
		if out = append(out, replay...); s.twice {
			out = append(out, replay...)
		}
	}
	return out
}

// join makes a client with sessions on a server.
func join(t *testing.T, s *v1Server, n int, o Options) *Client {
	t.Helper()
	s.t = t
	o.Address, o.Protocol = s.start(), JSON
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	r, err := c.Connect(ConnectOptions{Connections: n})
	if err != nil || r.OK != n || c.Open() != n {
		t.Fatalf("Connect(%d) = %+v, %v", n, r, err)
	}
	return c
}

// parseRequest reads a frame of a client's; what cannot be read has no op.
func parseRequest(frame []byte) (r v1Request) {
	if json.Unmarshal(frame, &r) != nil {
		return v1Request{}
	}
	return r
}

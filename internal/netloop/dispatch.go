package netloop

import (
	"github.com/curfew-go/curfew/internal/wsframe"
)

// What a client is told where the fault is not in its frames.
const (
	reasonSlow    = "too slow"
	reasonEvicted = "server is out of buffers"
)

// pass hands to the handler what a connection brought.
func (s *Server) pass(c Conn, e wsframe.Event) {
	switch e.Kind {
	case wsframe.Text:
		s.o.Handler.Message(c, Text, e.Payload)
	case wsframe.Binary:
		s.o.Handler.Message(c, Binary, e.Payload)
	case wsframe.Ping:
		s.o.Handler.Control(c, Ping)
	case wsframe.Pong:
		s.o.Handler.Control(c, Pong)
	}
}

// opOf is the opcode of a message.
func opOf(k Kind) wsframe.Op {
	if k == Binary {
		return wsframe.OpBinary
	}
	return wsframe.OpText
}

// endOf is how a connection ends for a fault.
func (s *Server) endOf(f wsframe.Fault) End {
	if f == wsframe.FaultBuffer {
		s.stats.evicted.Add(1)
		return End{CauseSlow, CodeSlow}
	}
	return End{CauseProtocol, Code(f.Code())}
}

// complaint is what a client is told of its fault: the fault in its own words, but where those of
// a server say more.
func complaint(f wsframe.Fault) string {
	switch f {
	case wsframe.FaultMask:
		return "frames from client to server must be masked"
	case wsframe.FaultTooBig:
		return "message is too big"
	case wsframe.FaultBuffer:
		return reasonEvicted
	default:
		return f.String()
	}
}

// relieve asks the largest holders to go while too much is held.
func (s *Server) relieve() {
	for id := s.holders.largest(); id != 0; id = s.holders.largest() {
		if c, ok := s.Conn(id); ok {
			c.on.evict(id)
		}
	}
}

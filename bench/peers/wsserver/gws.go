package main

import (
	"net/http"

	"github.com/lxzan/gws"
)

// gwsEcho handles the events of all connections.
type gwsEcho struct{ gws.BuiltinEventHandler }

// OnMessage answers a message with itself.
func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer func() { _ = m.Close() }()
	_ = c.WriteMessage(m.Opcode, m.Bytes()) // a connection that broke ends its ReadLoop
}

// serveGws echoes by gws as its front page does: upgraded from net/http, the loop in a goroutine of
// its own, so that what net/http held for the request is free. Messages of one connection are not
// handled side by side, since that starts a goroutine for each.
func serveGws(address string) error {
	upgrader := gws.NewUpgrader(gwsEcho{}, &gws.ServerOption{
		ReadMaxPayloadSize: messageBytesMax,
		ReadBufferSize:     1024,
	})
	return serveHTTP(address, func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r)
		if err != nil {
			return
		}
		go c.ReadLoop()
	})
}

package main

import (
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// serveGorilla echoes by gorilla/websocket: a goroutine a connection, buffers for reading of the
// size of a message, and buffers for writing from a pool, as its documentation advises for many
// connections that write now and then. The loop runs in a goroutine of its own, so that what
// net/http held for the request is free.
func serveGorilla(address string) error {
	upgrader := websocket.Upgrader{
		ReadBufferSize:  1024,
		WriteBufferSize: 1024 + 16,
		WriteBufferPool: &sync.Pool{},
		CheckOrigin:     func(*http.Request) bool { return true },
	}
	return serveHTTP(address, func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c.SetReadLimit(messageBytesMax)
		go echoGorilla(c)
	})
}

func echoGorilla(c *websocket.Conn) {
	defer func() { _ = c.Close() }()
	var buf []byte
	for {
		kind, r, err := c.NextReader()
		if err != nil {
			return
		}
		if buf, err = readAll(r, buf[:0]); err != nil {
			return
		}
		if c.WriteMessage(kind, buf) != nil {
			return
		}
	}
}

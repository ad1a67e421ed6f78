package main

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/coder/websocket"
)

// serveCoder echoes by coder/websocket: a goroutine a connection, messages by Reader and Writer
// through a buffer that the connection keeps. The loop runs in a goroutine of its own, so that what
// net/http held for the request is free.
func serveCoder(address string) error {
	return serveHTTP(address, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
			CompressionMode: websocket.CompressionDisabled,
		})
		if err != nil {
			return
		}
		c.SetReadLimit(messageBytesMax)
		go echoCoder(c)
	})
}

func echoCoder(c *websocket.Conn) {
	defer func() { _ = c.CloseNow() }()
	ctx := context.Background()
	var buf []byte
	for {
		kind, r, err := c.Reader(ctx)
		if err != nil {
			return
		}
		if buf, err = readAll(r, buf[:0]); err != nil {
			return
		}
		if c.Write(ctx, kind, buf) != nil {
			return
		}
	}
}

// readAll appends to buf what r has. What it returns is to be given to it again, so that a
// connection allocates only for the longest message that it has seen.
func readAll(r io.Reader, buf []byte) ([]byte, error) {
	if cap(buf) == 0 {
		buf = make([]byte, 0, 128)
	}
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return buf, err
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

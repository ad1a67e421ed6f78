package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/gobwas/ws"
)

// gobwasReadBytes is the buffer that each connection reads through. Without one each header takes
// two reads; a larger one costs its size in every connection.
const gobwasReadBytes = 512

// serveGobwas echoes by gobwas/ws with a goroutine a connection: its upgrade straight from the
// connection, its headers and cipher, and one write an answer from a buffer that the connection
// keeps.
func serveGobwas(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	announce(l.Addr().String())
	for {
		c, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		go func() {
			defer c.Close()
			if _, err := ws.Upgrade(c); err == nil {
				_ = echoGobwas(c) // whoever broke the protocol is hung up on
			}
		}()
	}
}

var errTooBig = errors.New("message is too big")

func echoGobwas(c net.Conn) error {
	r := bufio.NewReaderSize(c, gobwasReadBytes)
	var reply []byte
	var partial fragments
	for {
		h, err := ws.ReadHeader(r)
		if err != nil {
			return err
		}
		if err := partial.check(h); err != nil {
			return err
		}
		head := ws.HeaderSize(ws.Header{Fin: true, Length: h.Length})
		size := head + int(h.Length)
		if size > cap(reply) {
			reply = make([]byte, size)
		}
		payload := reply[head:size]
		if _, err := io.ReadFull(r, payload); err != nil {
			return err
		}
		ws.Cipher(payload, h.Mask, 0)
		if h.Fin && h.OpCode.IsData() && !partial.open {
			putHeader(reply[:head], h.OpCode, len(payload))
			if _, err := c.Write(reply[:size]); err != nil {
				return err
			}
			continue
		}
		answer, err := partial.slow(nil, h, payload)
		if _, failed := c.Write(answer); err != nil || failed != nil {
			return errors.Join(err, failed)
		}
	}
}

package main

import (
	"bufio"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
	gorilla "github.com/gorilla/websocket"
	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	nbio "github.com/lesismal/nbio/nbhttp/websocket"
	"github.com/lxzan/gws"
)

// conforming are the kinds as `curfew conform` is to judge them: each as the library's own server
// for the Autobahn testsuite is written, where it has one. They compress where the library can,
// refuse bad text where it leaves that to its user, and take messages of 32 MiB.
//
// There is none of gnet, which has no WebSocket.
var conforming = map[string]func(address string) error{
	"coder":   conformCoder,
	"gobwas":  conformGobwas,
	"gorilla": conformGorilla,
	"gws":     conformGws,
	"nbio":    conformNbio,
}

// conformBytesMax is the longest message that the conforming kinds accept.
const conformBytesMax = 32 << 20

// conformCoder echoes by coder/websocket. It leaves text to its user.
func conformCoder(address string) error {
	return serveHTTP(address, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
			CompressionMode: websocket.CompressionContextTakeover,
		})
		if err != nil {
			return
		}
		defer func() { _ = c.CloseNow() }()
		c.SetReadLimit(conformBytesMax)
		for {
			kind, m, err := c.Read(context.Background())
			if err != nil {
				return
			}
			if kind == websocket.MessageText && !utf8.Valid(m) {
				_ = c.Close(websocket.StatusInvalidFramePayloadData, "")
				return
			}
			if c.Write(context.Background(), kind, m) != nil {
				return
			}
		}
	})
}

// conformGorilla echoes by gorilla/websocket, as its examples/autobahn does. It leaves text to its
// user.
func conformGorilla(address string) error {
	upgrader := gorilla.Upgrader{
		ReadBufferSize: 4096, WriteBufferSize: 4096, EnableCompression: true,
		CheckOrigin: func(*http.Request) bool { return true },
	}
	return serveHTTP(address, func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		for {
			kind, m, err := c.ReadMessage()
			if err != nil {
				return
			}
			if kind == gorilla.TextMessage && !utf8.Valid(m) {
				_ = c.WriteControl(gorilla.CloseMessage,
					gorilla.FormatCloseMessage(gorilla.CloseInvalidFramePayloadData, ""),
					time.Time{})
				return
			}
			if c.WriteMessage(kind, m) != nil {
				return
			}
		}
	})
}

// conformGws echoes by gws, as its examples/autobahn does.
func conformGws(address string) error {
	upgrader := gws.NewUpgrader(gwsPonging{}, &gws.ServerOption{
		ReadMaxPayloadSize: conformBytesMax,
		CheckUtf8Enabled:   true,
		PermessageDeflate: gws.PermessageDeflate{
			Enabled: true, ServerContextTakeover: true, ClientContextTakeover: true,
		},
	})
	return serveHTTP(address, func(w http.ResponseWriter, r *http.Request) {
		if c, err := upgrader.Upgrade(w, r); err == nil {
			c.ReadLoop()
		}
	})
}

// gwsPonging is gwsEcho with an answer to pings, which gws leaves to its user.
type gwsPonging struct{ gwsEcho }

// OnPing answers a ping.
func (gwsPonging) OnPing(c *gws.Conn, payload []byte) {
	_ = c.WritePong(payload) // a connection that broke ends its ReadLoop
}

// conformNbio echoes by nbio, as its autobahn/server does, but for the size of what is read at
// once: with the megabyte of that one each small frame moves a megabyte.
func conformNbio(address string) error {
	logging.SetLevel(logging.LevelError)
	upgrader := nbio.NewUpgrader()
	upgrader.EnableCompression(true)
	upgrader.KeepaliveTime = 0
	upgrader.MessageLengthLimit = conformBytesMax
	upgrader.CheckOrigin = func(*http.Request) bool { return true }
	upgrader.OnMessage(func(c *nbio.Conn, kind nbio.MessageType, m []byte) {
		_ = c.WriteMessage(kind, m) // a connection that broke is closed by its poller
	})
	mux := http.NewServeMux()
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		_, _ = upgrader.Upgrade(w, r, nil) // a request that is refused was answered
	})
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp", Addrs: []string{address}, Handler: mux,
	})
	upgrader.Engine = engine
	if err := engine.Start(); err != nil {
		return fmt.Errorf("start nbio: %w", err)
	}
	announce(address)
	select {}
}

// conformGobwas echoes by gobwas/ws and its wsutil and wsflate, as its example/autobahn does, which
// has a handler for each of what is together here.
func conformGobwas(address string) error {
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
			e := wsflate.Extension{Parameters: wsflate.DefaultParameters}
			u := ws.Upgrader{Negotiate: e.Negotiate}
			if _, err := u.Upgrade(c); err != nil {
				return
			}
			_, deflates := e.Accepted()
			failGobwas(c, newGobwasConn(c, deflates).echo())
		}()
	}
}

// gobwasConn is one connection by wsutil.
type gobwasConn struct {
	control wsutil.FrameHandlerFunc
	message wsflate.MessageState
	r       *wsutil.Reader
	w       *wsutil.Writer
	inflate *wsflate.Reader
	deflate *wsflate.Writer
}

func newGobwasConn(c net.Conn, deflates bool) *gobwasConn {
	state := ws.StateServerSide
	if deflates {
		state |= ws.StateExtended
	}
	g := &gobwasConn{control: wsutil.ControlFrameHandler(c, ws.StateServerSide)}
	g.r = &wsutil.Reader{
		Source: bufio.NewReader(c), State: state,
		CheckUTF8:      !deflates, // It would look at what is compressed.
		OnIntermediate: g.control,
	}
	g.w = wsutil.NewWriter(c, state, 0)
	if deflates {
		g.r.Extensions = []wsutil.RecvExtension{&g.message}
		g.w.SetExtensions(&g.message)
	}
	g.inflate = wsflate.NewReader(nil, func(r io.Reader) wsflate.Decompressor {
		return flate.NewReader(r)
	})
	g.deflate = wsflate.NewWriter(nil, func(w io.Writer) wsflate.Compressor {
		f, _ := flate.NewWriter(w, flate.DefaultCompression) // This level is one.
		return f
	})
	return g
}

// errAnswered is returned after a control frame that ends the connection. wsutil has answered it.
var errAnswered = errors.New("answered")

// echo echoes until the connection ends.
func (g *gobwasConn) echo() error {
	for {
		h, err := g.r.NextFrame()
		if err != nil {
			return err
		}
		if h.OpCode.IsControl() {
			if err := g.control(h, g.r); err != nil {
				return errAnswered
			}
			continue
		}
		g.w.ResetOp(h.OpCode)
		var src io.Reader = g.r
		var dst io.Writer = g.w
		compressed := g.message.IsCompressed()
		if compressed {
			g.inflate.Reset(src)
			g.deflate.Reset(dst)
			src, dst = g.inflate, g.deflate
		}
		m, err := io.ReadAll(io.LimitReader(src, conformBytesMax))
		if err != nil {
			return err
		}
		if h.OpCode == ws.OpText && !utf8.Valid(m) {
			return wsutil.ErrInvalidUTF8
		}
		_, err = dst.Write(m)
		if compressed {
			err = errors.Join(err, g.deflate.Close())
		}
		if err = errors.Join(err, g.w.Flush()); err != nil {
			return err
		}
	}
}

// failGobwas fails a connection for an error that the client is to blame for, as the example does:
// a close frame, then the end of what is sent, and what still comes is read.
func failGobwas(c net.Conn, err error) {
	code := ws.StatusProtocolError
	var protocol ws.ProtocolError
	switch {
	case errors.Is(err, wsutil.ErrInvalidUTF8):
		code = ws.StatusInvalidFramePayloadData
	case !errors.As(err, &protocol):
		return
	}
	if ws.WriteFrame(c, ws.NewCloseFrame(ws.NewCloseFrameBody(code, ""))) != nil {
		return
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
	_ = c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	_, _ = io.Copy(io.Discard, c)
}

package main

import (
	"fmt"
	"net/http"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
)

// serveNbio echoes by nbio in its non-blocking mode. Messages are handled where they are read,
// since handing an echo to a pool of goroutines costs more than the echo.
func serveNbio(address string) error {
	logging.SetLevel(logging.LevelError)
	upgrader := websocket.NewUpgrader()
	upgrader.KeepaliveTime = 0
	upgrader.CheckOrigin = func(*http.Request) bool { return true }
	upgrader.OnMessage(func(c *websocket.Conn, kind websocket.MessageType, m []byte) {
		_ = c.WriteMessage(kind, m) // a connection that broke is closed by its poller
	})
	mux := http.NewServeMux()
	mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		_, _ = upgrader.Upgrade(w, r, nil) // a request that is refused was answered
	})
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network:                 "tcp",
		Addrs:                   []string{address},
		Handler:                 mux,
		ReleaseWebsocketPayload: true,
		SupportServerOnly:       true,
		ServerExecutor:          func(f func()) { f() },
	})
	upgrader.Engine = engine
	if err := engine.Start(); err != nil {
		return fmt.Errorf("start nbio: %w", err)
	}
	announce(address)
	select {}
}

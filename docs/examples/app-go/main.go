// Command app-go is a chat room behind Curfew, as an example of an application: connect names the
// user, a message goes to everybody else, and whoever leaves or falls silent is forgotten.
// docs/applications.md explains it; docs/examples/app-python does the same.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	listen := setting("listen", "127.0.0.1:9000", "where curfewd posts events")
	token := setting("token", "", "what curfewd must show (--backend-token-file); empty: nothing")
	tokens := setting("tokens", "wonderland=alice,builder=bob", "who may come in, TOKEN=USER,...")
	admin := setting("admin", "http://127.0.0.1:8080", "curfewd's admin API")
	adminToken := setting("admin-token", "", "its token, where it has one")
	flag.Parse()

	pushes := newPusher(*admin, *adminToken)
	app := &app{token: *token, users: parseTokens(*tokens), room: newRoom(), pushes: pushes}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, *listen, app); err != nil {
		fmt.Fprintln(os.Stderr, "app-go:", err)
		os.Exit(1)
	}
	pushes.close()
}

// setting is a flag whose default comes from the environment: --admin-token from APP_ADMIN_TOKEN.
func setting(name, value, usage string) *string {
	return flag.String(name, cmp.Or(os.Getenv(variable(name)), value), usage)
}

// serve runs until ctx ends. The address comes first on standard output.
func serve(ctx context.Context, listen string, handler http.Handler) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Shutdown(context.Background()) })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Command curfewd holds WebSocket connections, gives each a session, and ends sessions on time.
//
//	curfewd [flags]
//	curfewd config check|explain [flags]
//	curfewd version
//
// `curfewd --help` lists the flags. It exits with 0 after a drain, 2 when the configuration is
// bad, 1 when anything else went wrong or a second signal cut a drain short.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/curfew-go/curfew/internal/buildinfo"
	"github.com/curfew-go/curfew/internal/server"
)

// version is stamped in when a release, or `make`, builds the program.
var version = ""

func main() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	env := os.Environ()
	for _, name := range server.Variables() {
		_ = os.Unsetenv(name) // it can only fail for a name that cannot be
	}
	err := server.Run(context.Background(), server.Process{
		Args: os.Args[1:], Env: env, Stdout: os.Stdout, Stderr: os.Stderr,
		Signals: signals, Version: buildinfo.Version(version),
	})
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintln(os.Stderr, "curfewd: "+line)
		}
	}
	os.Exit(server.ExitCode(err))
}

// Command curfew load-tests WebSocket servers, holds them against the RFCs, and operates curfewd.
//
//	curfew load [flags] URL
//	curfew load diff A.json B.json
//	curfew conform [flags] URL
//	curfew status|top|events|drain|log-level [flags]
//	curfew sessions ls|show|touch|send|kick [flags]
//	curfew users kick [flags] USER
//	curfew completion bash|zsh|fish|powershell
//	curfew version
//
// `curfew help` lists the commands, `curfew COMMAND --help` their flags and exit codes.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/curfew-go/curfew/internal/buildinfo"
	"github.com/curfew-go/curfew/internal/command"
)

// version is stamped in when a release, or `make`, builds the program.
var version = ""

func main() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	os.Exit(command.Run(context.Background(), command.Process{
		Args: os.Args[1:], Env: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Signals: signals, Version: buildinfo.Version(version),
	}))
}

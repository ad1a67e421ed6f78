//go:build linux

package hostile

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/curfew-go/curfew/internal/server"
)

// testsAtOnce is how many tests run beside each other: they wait more than they work.
const testsAtOnce = 8

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "daemon":
		os.Exit(actDaemon())
	case "client":
		os.Exit(actClient(os.Args[1]))
	}
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue {
		if err := f.Value.Set(strconv.Itoa(testsAtOnce)); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// actDaemon is the daemon's process: it answers probes, one a line of standard input, and stops
// when that ends.
func actDaemon() int {
	if files, err := strconv.ParseUint(os.Getenv(filesEnv), 10, 32); err == nil {
		limit := syscall.Rlimit{Cur: files, Max: files}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return fail(err)
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer stop()
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			if err := json.NewEncoder(os.Stdout).Encode(takeProbe()); err != nil {
				return
			}
		}
	}()
	err := server.Run(ctx, server.Process{
		Args: os.Args[1:], Stdout: io.Discard, Stderr: os.Stderr, Version: "test",
	})
	if err != nil {
		return fail(err)
	}
	return 0
}

func takeProbe() probe {
	runtime.GC()
	runtime.GC() // what pools held is gone after two
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return probe{HeapBytes: m.HeapAlloc, Goroutines: runtime.NumGoroutine()}
}

// actClient is the process of a client that behaves well for as long as it may run.
func actClient(addr string) int {
	p, err := connect(addr)
	if err != nil {
		return fail(err)
	}
	if status, err := p.upgrade(); err != nil || status != 101 {
		return fail(fmt.Errorf("upgrade: %d, %w", status, err))
	}
	if err := p.echo("here"); err != nil {
		return fail(err)
	}
	fmt.Println("ready")
	for {
		frame := p.next() // answers pings
		switch frame {
		case "ping", timedOut:
		default:
			fmt.Println(frame)
			return 0
		}
	}
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

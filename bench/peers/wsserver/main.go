// Command wsserver echoes WebSocket messages by a library of others, each set up as its own
// documentation advises for many connections, for bench/netbench to compare curfewd with:
//
//	wsserver -kind gnet|gobwas|gws|gorilla|nbio|coder
//
// It serves /ws on a free port of the loopback address, prints "listening on HOST:PORT" once it
// can be connected to or is about to be, and runs until it is killed. None of the kinds sends
// pings, has deadlines, or compresses.
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

func main() {
	var names []string
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	kind := flag.String("kind", "", "the library: "+strings.Join(names, ", "))
	address := flag.String("listen", "", "where to listen (a free port of 127.0.0.1)")
	flag.Parse()
	if kinds[*kind] == nil || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := serve(*kind, *address); err != nil {
		fmt.Fprintln(os.Stderr, "wsserver: "+err.Error())
		os.Exit(1)
	}
}

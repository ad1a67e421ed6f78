// Command wsserver echoes WebSocket messages by a library of others, each set up as its own
// documentation advises for many connections, for bench/netbench to compare curfewd with:
//
//	wsserver -kind gnet|gobwas|gws|gorilla|nbio|coder
//
// With -conform a kind, gnet excepted, is set up for curfew conform in place of that: as strict as
// the library can be, with compression where it has that, and without a limit below 32 MiB.
//
// It serves /ws on a free port of the loopback address, prints "listening on HOST:PORT" once it
// can be connected to or is about to be, and runs until it is killed. None of the kinds sends
// pings or has deadlines, and without -conform none compresses.
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
	strict := flag.Bool("conform", false, "serve for curfew conform, not for speed")
	flag.Parse()
	from := kinds
	if *strict {
		from = conforming
	}
	if from[*kind] == nil || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := serve(from[*kind], *address); err != nil {
		fmt.Fprintln(os.Stderr, "wsserver: "+err.Error())
		os.Exit(1)
	}
}

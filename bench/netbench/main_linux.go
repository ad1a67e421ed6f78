package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// settings are what the command line says.
type settings struct {
	curfewd, wsserver string
	guided            string // the daemon's binary built with a profile
	only              string
	pin               pinning
	rounds            int
	connections       int
	pace              float64
	echo, sizes       []int
	duration, warmup  time.Duration
	rate              float64
	idle              time.Duration
	soak, expire      time.Duration
	tls               bool

	// of the daemon's sessions
	sessions         string
	resumable, storm int
	spread           []time.Duration
	talkers          int
	asked            float64
	asking           time.Duration
}

func main() {
	s, drive, application, err := parse(os.Args[1:])
	switch {
	case err == nil && drive != "":
		err = driveServer(drive)
	case err == nil && application != "":
		err = serveApplication(application)
	case err == nil && s.guided != "":
		err = compareGuided(s)
	case err == nil && s.sessions != "":
		err = sessions(s)
	case err == nil && s.soak > 0:
		err = soak(s)
	case err == nil && s.tls:
		err = compareTLS(s)
	case err == nil:
		err = compare(s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "netbench: "+err.Error())
		os.Exit(1)
	}
}

func parse(args []string) (s settings, drive, application string, err error) {
	f := flag.NewFlagSet("netbench", flag.ExitOnError)
	f.StringVar(&s.curfewd, "curfewd", "", "the daemon's binary; empty: without it")
	f.StringVar(&s.wsserver, "wsserver", "", "that of bench/peers/wsserver; empty: without it")
	f.StringVar(&s.guided, "pgo", "", "compare the daemon's binary with this one, built with a "+
		"profile, and nothing else")
	pin := f.String("pin", "0", "processors of the server and of the client, with a comma; auto: "+
		"two of different cores; 0: all")
	f.StringVar(&s.only, "only", "", "these servers, with commas (all)")
	f.IntVar(&s.rounds, "rounds", 3, "how often each figure is taken")
	f.IntVar(&s.connections, "connections", 15000, "idle connections for memory and accepting")
	f.Float64Var(&s.pace, "pace", 4000, "connections begun a second")
	echo := f.String("echo", "100,1000,10000", "numbers of connections to echo over")
	sizes := f.String("sizes", "32,1024", "sizes of messages, in bytes")
	f.DurationVar(&s.duration, "duration", 1200*time.Millisecond, "of each echo")
	f.DurationVar(&s.warmup, "warmup", 300*time.Millisecond, "of the same before it")
	f.Float64Var(&s.rate, "rate", 0, "messages a second; 0: sent when the last has come back")
	f.DurationVar(&s.idle, "idle", 30*time.Second, "how long connections rest; 0: not at all")
	f.DurationVar(&s.soak, "soak", 0, "soak the daemon this long, and compare nothing")
	f.DurationVar(&s.expire, "expire", 20*time.Second, "the idle timeout in a soak")
	f.BoolVar(&s.tls, "tls", false, "compare the daemon with and without TLS, and nothing else")
	f.StringVar(&s.sessions, "sessions", "", "measure the daemon's sessions, and nothing else: "+
		strings.Join(parts(), ", ")+", with commas, or all")
	f.IntVar(&s.resumable, "resumable", 15000, "connections to drop and resume, of -sessions")
	f.IntVar(&s.storm, "storm", 10000, "sessions that fall due together, of -sessions")
	spread := f.String("spread", "1s,0s", "how long touching those takes; 0s: as fast as it goes")
	f.IntVar(&s.talkers, "talkers", 500, "connections before an application, of -sessions")
	f.Float64Var(&s.asked, "asked", 5000, "messages a second to that application")
	f.DurationVar(&s.asking, "asking", 20*time.Second, "how long they come")
	f.StringVar(&drive, "drive", "", "be a client with these options; commands come on the input")
	f.StringVar(&application, "app", "", "be an application at this address")
	_ = f.Parse(args) // it exits
	var wrongEcho, wrongSizes, wrongSpread, wrongPin error
	if s.pin, wrongPin = pinTo(*pin); wrongPin == nil && s.rounds < 1 {
		wrongPin = errors.New("-rounds must be 1 or more")
	}
	s.echo, wrongEcho = listOf(*echo, strconv.Atoi, 1)
	s.sizes, wrongSizes = listOf(*sizes, strconv.Atoi, 1)
	s.spread, wrongSpread = listOf(*spread, time.ParseDuration, 0)
	return s, drive, application, errors.Join(wrongEcho, wrongSizes, wrongSpread, wrongPin)
}

// listOf reads a list with commas of values that are not below a least one.
func listOf[T cmp.Ordered](list string, read func(string) (T, error), least T) ([]T, error) {
	var all []T
	for field := range strings.SplitSeq(list, ",") {
		v, err := read(field)
		if err != nil || v < least {
			return nil, fmt.Errorf("%q is not a list of what it should be", list)
		}
		all = append(all, v)
	}
	return all, nil
}

// compare measures all servers and prints what it finds. A server that fails is told of and left
// out of that round; it is an error where none is left.
func compare(s settings) error {
	servers, err := findServers(s)
	if err != nil {
		return err
	}
	fmt.Printf("pinned: %v\n", s.pin)
	found := results{baseline: "gnet"}
	for round := 1; round <= s.rounds; round++ {
		for i := range servers {
			// Each round begins with another, so that none always follows the same one.
			v := servers[(i+round-1)%len(servers)]
			m := measurement{s: s, server: v, round: round, found: &found}
			for _, take := range []func() error{m.idleFigures, m.echoFigures} {
				if err := take(); err != nil {
					fmt.Printf("# failed: server=%s round=%d: %v\n", v.name, round, err)
				}
			}
		}
	}
	if len(found.figures) == 0 {
		return errors.New("nothing was measured")
	}
	return found.print(os.Stdout)
}

//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-go/curfew/internal/load/result"
)

// loadTries is how often a run is made that the machine is too busy for.
const loadTries = 3

// loaded is what curfew load wrote, and what it said.
type loaded struct {
	*result.Result
	said string
}

// undisturbed holds what comes of a run. Where that is not right, and the harness could not keep
// its schedule, it proves nothing: the run is made again, and at last the test is skipped.
func undisturbed(t *testing.T, run func() loaded, wrong func(l loaded) string) {
	t.Helper()
	var why, said string
	for range loadTries {
		l := run()
		if why, said = wrong(l), l.said; why == "" {
			return
		}
		if l.ExitCode != result.ExitSchedule {
			t.Fatalf("%s\n%s", why, said)
		}
	}
	t.Skipf("this machine is too busy: the harness was late %d times, and this proves nothing:\n"+
		"%s\n%s", loadTries, why, said)
}

func loadOnce(t *testing.T, url string, flags []string) (l loaded) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "load.json")
	args := slices.Concat([]string{"load", "--json", file}, flags, []string{url})
	code, said := runCurfew(t, args...)
	l.said = fmt.Sprintf("%q:\n%s", args, said)
	l.Result = readLoad(t, file, l.said)
	if l.ExitCode != code {
		t.Fatalf("exit code %d, and %d in the file: %s", code, l.ExitCode, l.said)
	}
	return l
}

// command is the operator's command. It trusts no certificate but those that it is told of.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(curfew, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "SSL_CERT_FILE=")
	})
	return cmd
}

// runCurfew runs the operator's command to its end.
func runCurfew(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	out, err := command(args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), string(out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(out)
}

func readLoad(t *testing.T, file, said string) *result.Result {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	r := new(result.Result)
	if err := json.Unmarshal(b, r); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return r
}

// counts are figures of a run that do not depend on when things happened.
type counts struct {
	Exit                               int // but for whether the harness was late
	Lost, Wrong, Doubled, Disordered   uint64
	Unanswered, Unsent, Late, Cut      uint64 // Cut: ended by the server, unasked
	Failed                             uint64
	Expected, Observed, Early, Missing uint64
	Changed, Refused, Gaps             uint64
	Injected, FaultCut, Held           uint64
	FaultLost                          uint64
	Closes                             string
}

func countsOf(r *result.Result) counts {
	e, s, f := &r.Expiry, &r.Resume, &r.Fault
	c := counts{
		Exit: r.ExitCode, Lost: r.Lost, Wrong: r.Wrong, Doubled: r.Duplicated,
		Disordered: r.Reordered, Unanswered: r.Sent - r.Received, Unsent: r.Unsent, Late: r.Late,
		Cut: r.Cut, Failed: r.Connect.Failed, Expected: e.Expected, Observed: e.Observed,
		Early: e.Early, Missing: e.Missing, Changed: s.Changed, Refused: s.Refused, Gaps: s.Gaps,
		Injected: f.Injected, FaultCut: f.Cut, Held: f.Held, FaultLost: f.Lost,
	}
	if r.ExitCode == result.ExitSchedule { // which beats all else, and is one line
		c.Exit = min(len(r.Broken)-1, result.ExitBroken)
	}
	for _, code := range slices.Sorted(maps.Keys(r.Closes)) {
		c.Closes += fmt.Sprintf("%s: %d;", code, r.Closes[code])
	}
	return c
}

// loadCase is a profile at one server.
type loadCase struct {
	profile string
	flags   []string
	daemon  []string // flags of a daemon
	want    counts
	// opened and sent are how many, 0: as many as there were.
	opened, sent uint64
	protocol     string                // "": any
	also         func(l loaded) string // says what else is wrong
}

// quickly are the flags of a run that is over in a second and costs next to nothing.
var quickly = []string{"--connections", "52", "--rate", "150", "--duration", "1s"}

// run makes the run and holds what came of it.
func (c *loadCase) run(t *testing.T, url string, flags ...string) {
	t.Helper()
	all := slices.Concat(quickly, []string{"--profile", c.profile}, flags, c.flags)
	undisturbed(t, func() loaded { return loadOnce(t, url, all) }, c.wrong)
}

// wrong says what is not as it must be.
func (c *loadCase) wrong(l loaded) string {
	want := c.want
	if c.profile == "churn" { // how many part depends on when
		want.Closes = fmt.Sprintf("1000: %d;", l.Closes["1000"])
	}
	late := l.ExitCode == result.ExitSchedule
	switch got := countsOf(l.Result); {
	case got != want:
		return fmt.Sprintf("got  %+v\nwant %+v", got, want)
	case c.opened > 0 && l.Connect.OK != c.opened, c.sent > 0 && l.Sent != c.sent:
		return fmt.Sprintf("%d opened and %d sent, want %d and %d", l.Connect.OK, l.Sent, c.opened,
			c.sent)
	case l.Latency.Count != l.Received, l.Uncorrected.Count != l.Received:
		return fmt.Sprintf("%d latencies and %d uncorrected of %d answers", l.Latency.Count,
			l.Uncorrected.Count, l.Received)
	case !slices.Equal(sums(l.Result), []uint64{l.Sent, l.Received, l.Connect.OK}):
		return fmt.Sprintf("over the intervals %d sent, received and opened", sums(l.Result))
	case l.Profile != c.profile, l.Interrupted, (len(l.Broken) > 0) != (got.Exit > 0 || late):
		return fmt.Sprintf("profile %s, interrupted %v, broken %q", l.Profile, l.Interrupted,
			l.Broken)
	case c.protocol != "" && l.Environment.Protocol != c.protocol:
		return fmt.Sprintf("it speaks %s, want %s", l.Environment.Protocol, c.protocol)
	case c.also != nil:
		return c.also(l)
	}
	return ""
}

// sums are how much was sent, received and opened in all intervals.
func sums(r *result.Result) []uint64 {
	all := make([]uint64, 3)
	for _, i := range r.Intervals {
		all[0] += i.Sent
		all[1] += i.Received
		all[2] += i.Opened
	}
	return all
}

// replaces holds that connections parted and others came in their place, all but the last of them.
func replaces(l loaded) string {
	parted, opened := l.Closes["1000"], l.Connect.OK
	if parted == 0 || opened <= 52 || parted > opened || opened > parted+52 {
		return fmt.Sprintf("%d opened and %d parted, of 52 at a time", opened, parted)
	}
	return ""
}

// returns holds that connections were lost and came back, with their sessions where there are such.
func returns(l loaded) string {
	dropped, resumed := l.Resume.Dropped, uint64(0)
	if l.Environment.Protocol == "json" {
		resumed = dropped
	}
	if dropped == 0 || l.Connect.OK != 52+dropped || l.Resume.Resumed != resumed {
		return fmt.Sprintf("%d dropped, %d resumed and %d opened, of 52 at a time", dropped,
			l.Resume.Resumed, l.Connect.OK)
	}
	return ""
}

// speak holds that connections of a storm said something, at most once: one that gives a sign of
// life just then says no more.
func speak(l loaded) string {
	if l.Sent == 0 || l.Sent > 52 {
		return fmt.Sprintf("%d messages of 52 connections", l.Sent)
	}
	return ""
}

// fills holds that what slow readers did not read was more than nothing.
func fills(l loaded) string {
	if l.Fault.Sent == 0 {
		return "nobody was slow to read"
	}
	return ""
}

// kept are the profiles in which no session has to end, and no connection misbehaves. All servers
// must bear them alike.
func kept() []loadCase {
	return []loadCase{
		{profile: "echo", opened: 52, sent: 150},
		{profile: "churn", sent: 300, flags: []string{"--rate", "300"}, also: replaces},
		{profile: "reconnect", sent: 150, also: returns},
	}
}

// lively are the flags by which a daemon notices those that are gone.
var lively = []string{"--ping-interval", "1s", "--ping-timeout", "1s"}

// daemonCases are all profiles, at a daemon. idle are the flags by which it is known after what
// silence a session must end, which is a second.
func daemonCases(idle ...string) []loadCase {
	return append(kept(), []loadCase{
		{
			profile: "idle", flags: idle, opened: 52,
			want: counts{Expected: 52, Observed: 52, Closes: "4200: 52;"},
		},
		{
			profile: "chatty", flags: idle, opened: 52,
			want: counts{Expected: 26, Observed: 26, Closes: "4200: 26;"},
		},
		{
			profile: "storm", flags: idle, opened: 52, also: speak,
			want: counts{Expected: 52, Observed: 52, Closes: "4200: 52;"},
		},
		{
			profile: "slow-reader", flags: []string{"--duration", "2s"}, opened: 52, sent: 300,
			daemon: []string{"--write-buffer-bytes", "16384"},
			want:   counts{Injected: 26, FaultCut: 26, Closes: "4101: 26;"},
		},
		{
			profile: "slow-reader", flags: []string{"--connections", "8"}, opened: 8, sent: 150,
			daemon: []string{"--write-buffer-bytes", "33554432"},
			want:   counts{Injected: 4, Held: 4}, also: fills,
		},
		{
			profile: "slowloris", flags: []string{"--duration", "3s"}, opened: 26, sent: 450,
			daemon: append([]string{"--hello-timeout", "2s"}, lively...),
			want:   counts{Injected: 26, FaultCut: 26},
		},
		{
			profile: "half-open", flags: []string{"--expect-idle", "4s"}, opened: 52,
			daemon: lively,
			want:   counts{Expected: 26, Observed: 26, Injected: 26, FaultCut: 26},
		},
		{
			profile: "half-open", flags: []string{"--expect-idle", "1s"}, opened: 52,
			daemon: []string{"--ping-interval", "0"},
			want:   counts{Exit: 1, Expected: 26, Missing: 26, Injected: 26, Held: 26},
		},
	}...)
}

// TestLoad_Daemon runs each profile at a daemon, in both modes and however it is spoken to.
func TestLoad_Daemon(t *testing.T) {
	t.Parallel()
	for _, way := range []struct {
		name, protocol string
		flags, idle    []string
	}{
		{
			"json", "json",
			[]string{"--protocol", "json", "--processes", "1"},
			[]string{"--ask-idle", "1s"},
		},
		{
			"raw", "raw",
			[]string{"--protocol", "raw", "--processes", "1"},
			[]string{"--expect-idle", "1s"},
		},
		{"detected", "json", nil, []string{"--duration", "1500ms"}}, // the hello says it
	} {
		for m, mode := range modes {
			for i, c := range daemonCases(way.idle...) {
				if way.name == "detected" && i%2 == m {
					continue // of what is detected the modes take turns
				}
				t.Run(fmt.Sprintf("%s %s %s %d", way.name, mode, c.profile, i), func(t *testing.T) {
					t.Parallel()
					idle := "1h"
					if len(c.want.Closes) > 0 && c.want.Expected > 0 && way.name != "json" {
						idle = "1s"
					}
					_, address := daemon(t, mode, append(c.daemon, "--idle-timeout", idle)...)
					c.protocol = way.protocol
					c.run(t, "ws://"+address+"/", way.flags...)
				})
			}
		}
	}
}

// peerCases are all profiles at a server that does not mind silence, the dead, and the slow.
func peerCases() []loadCase {
	silence := []string{"--expect-idle", "1s"}
	return append(kept(), []loadCase{
		{
			profile: "idle", flags: silence, opened: 52,
			want: counts{Exit: 1, Expected: 52, Missing: 52},
		},
		{
			profile: "chatty", flags: silence, opened: 52,
			want: counts{Exit: 1, Expected: 26, Missing: 26},
		},
		{
			profile: "storm", flags: silence, opened: 52, also: speak,
			want: counts{Exit: 1, Expected: 52, Missing: 52},
		},
		{
			profile: "slow-reader", flags: []string{"--size", "60000", "--connections", "8"},
			opened: 8, sent: 150, also: fills, want: counts{Injected: 4, Held: 4},
		},
		{
			profile: "slowloris", opened: 26, sent: 150,
			want: counts{Injected: 26, Held: 26},
		},
		{
			profile: "half-open", opened: 52, sent: 150, want: counts{Injected: 26, Held: 26},
		},
	}...)
}

// endingCases are the profiles in which sessions must end, at a server that ends them after a
// second.
func endingCases() []loadCase {
	silence := []string{"--expect-idle", "1s"}
	return []loadCase{
		{
			profile: "idle", flags: silence, opened: 52,
			want: counts{Expected: 52, Observed: 52, Closes: "4000: 52;"},
		},
		{
			profile: "chatty", flags: silence, opened: 52,
			want: counts{Expected: 26, Observed: 26, Closes: "4000: 26;"},
		},
		{
			profile: "storm", flags: silence, opened: 52, also: speak,
			want: counts{Expected: 52, Observed: 52, Closes: "4000: 52;"},
		},
	}
}

// TestLoad_Others runs each profile at servers that are not ours.
func TestLoad_Others(t *testing.T) {
	t.Parallel()
	wsserver := filepath.Join(t.TempDir(), "wsserver")
	build := exec.Command("go", "build", "-o", wsserver, "./wsserver")
	build.Dir = "../../bench/peers"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, s := range []struct {
		name, path string
		program    []string
		cases      []loadCase
	}{
		{"gobwas", "/ws", []string{wsserver, "-kind", "gobwas"}, peerCases()},
		{"gorilla", "/ws", []string{wsserver, "-kind", "gorilla"}, peerCases()},
		{"npm ws", "/", []string{"node", "testdata/echo.js"}, peerCases()},
		{"npm ws, ending", "/", []string{"node", "testdata/echo.js", "1000"}, endingCases()},
		{"websockets", "/", []string{"python3", "testdata/echo.py"}, peerCases()},
		{"websockets, ending", "/", []string{"python3", "testdata/echo.py", "1000"}, endingCases()},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			url := "ws://" + listening(start(t, stdout, s.program...)) + s.path
			for _, c := range s.cases {
				t.Run(c.profile, func(t *testing.T) {
					t.Parallel()
					c.run(t, url, "--processes", "1", "--protocol", "plain")
				})
			}
		})
	}
}

// listening is where a server of others says that it listens, as JSON or in words.
func listening(p *program) (address string) {
	p.t.Helper()
	l := p.next()
	if _, after, ok := strings.Cut(l.Msg, "listening on "); ok {
		return after
	}
	return l.Address
}

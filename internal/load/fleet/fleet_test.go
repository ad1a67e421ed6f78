package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/internal/load"
	"github.com/curfew-go/curfew/internal/load/result"
)

// puppet is the first argument that makes this test binary a worker; the second is its behaviour.
const puppet = "fleet-puppet"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == puppet {
		act(os.Args[2], os.Args[3])
		return
	}
	os.Exit(m.Run())
}

// actor is a worker that follows the protocol, and departs from it where its behaviour says so.
type actor struct {
	behaviour string
	plan      load.Plan
	to        *json.Encoder
}

// act takes orders until its input ends. dir is for what it wants to leave behind.
func act(behaviour, dir string) {
	a := &actor{behaviour: behaviour, to: json.NewEncoder(os.Stdout)}
	from := json.NewDecoder(bufio.NewReader(os.Stdin))
	for {
		var o order
		if err := from.Decode(&o); err != nil {
			if behaviour == "leaves word" {
				name := filepath.Join(dir, strconv.Itoa(a.plan.Process))
				_ = os.WriteFile(name, []byte(err.Error()), 0o600)
			}
			return
		}
		switch {
		case o.Plan != nil:
			a.plan = *o.Plan
			a.ready()
		case o.Connect:
			a.connect()
		case o.Begin != 0:
			a.run(o.Begin)
		case o.Stop:
			if a.is("never stops") {
				continue
			}
			p := a.part()
			p.Interrupted = true
			a.say(word{Part: p})
		}
	}
}

func (a *actor) say(w word) { _ = a.to.Encode(w) }

// is says whether this worker is the one that departs from the protocol: the second of them.
func (a *actor) is(behaviour string) bool {
	return a.behaviour == behaviour && a.plan.Process == 1
}

func (a *actor) ready() {
	switch {
	case a.behaviour == "refuses":
		a.say(word{Error: "no address of nowhere: the token was " + a.plan.Token})
	case a.is("dies at once"):
		panic("no memory at all")
	default:
		a.say(word{Ready: true})
	}
}

func (a *actor) connect() {
	switch {
	case a.is("dies while connecting"):
		os.Exit(7)
	case a.is("stalls while connecting"):
		return
	case a.is("cannot connect"):
		a.say(word{Error: "epoll is gone", Part: a.part()})
		return
	case a.behaviour == "nothing opens":
		a.say(word{Connected: &connected{}})
		return
	}
	a.say(word{Interval: &result.Interval{
		Phase: result.PhaseConnect, End: a.plan.Interval, Opened: 10, Open: 10,
	}})
	a.say(word{Connected: &connected{OK: 10}})
}

func (a *actor) run(begin int64) {
	switch {
	case a.is("talks nonsense"):
		fmt.Println("{} what {")
		return
	case a.is("dies while running"):
		panic("index out of range")
	case a.is("falls silent"), a.behaviour == "waits", a.behaviour == "never stops":
		return
	}
	for n := range 8 {
		v := result.Interval{
			Phase: result.PhaseRun, Number: n, Start: time.Duration(n) * a.plan.Interval,
			End: time.Duration(n+1) * a.plan.Interval, Sent: 2, Received: 2, Expired: 1,
			Open: uint64(10 - n),
		}
		v.Latency.Record(time.Duration(n+1) * time.Millisecond)
		a.say(word{Interval: &v})
	}
	p := a.part()
	p.Sent, p.Received = 100, 100
	p.CPU = time.Duration(begin % 2) // so that begin is used: it must be one number for all
	for range 100 {
		p.Latency.Record(time.Duration(a.plan.Process+1) * time.Millisecond)
	}
	p.Phases = append(p.Phases, result.Phase{Name: result.PhaseRun, End: a.plan.Duration})
	a.say(word{Part: p})
}

func (a *actor) part() *result.Part {
	p := new(result.Part)
	p.Connect.OK = 10
	if a.behaviour == "nothing opens" {
		p.Connect = result.ConnectPart{Failed: 10}
		result.Count(&p.Errors, "econnrefused", 10)
	}
	p.Phases = []result.Phase{{Name: result.PhaseConnect, End: time.Second}}
	p.TimingError.Record(time.Microsecond)
	return p
}

// secret is what must never be seen.
const secret = "s3cr3t-of-the-test"

// options run three workers that behave in some way.
func options(t *testing.T, behaviour string) Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Plan: load.Plan{
			URL: "ws://user:" + secret + "@127.0.0.1:9/ws?key=" + secret, Profile: load.ProfileEcho,
			Protocol: load.SpeakPlain, Connections: 30, Rate: 300, Size: 32,
			Duration: 500 * time.Millisecond, Token: secret,
			Header: http.Header{"Cookie": {"id=" + secret}},
		},
		Processes: 3,
		Command:   []string{self, puppet, behaviour, t.TempDir()},
		limits:    defaultLimits(),
	}
}

func run(t *testing.T, o Options) *result.Result {
	t.Helper()
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRun(t *testing.T) {
	o := options(t, "behaves")
	o.Version, o.Flags = "v1", []string{"--rate=300"}
	r := run(t, o)
	if r.Sent != 300 || r.Received != 300 || r.Connect.OK != 30 || r.IntendedRate != 300 {
		t.Errorf("sent %d, received %d, connected %d, intended %v; want 300, 300, 30, 300",
			r.Sent, r.Received, r.Connect.OK, r.IntendedRate)
	}
	if r.Latency.Count != 300 || r.Latency.P50 < 1990 || r.Latency.P50 > 2010 {
		t.Errorf("latency %+v, want 300 around 2 ms", r.Latency)
	}
	if r.ExitCode != result.ExitFine || len(r.Broken) > 0 || r.Seconds != 0.5 {
		t.Errorf("exit code %d (%q), %v s; want 0, 0.5 s", r.ExitCode, r.Broken, r.Seconds)
	}
	if _, err := time.Parse(time.RFC3339, r.Started); err != nil {
		t.Error(err)
	}
	e := &r.Environment
	if e.Processes != 3 || e.Version != "v1" || e.Server != "ws://127.0.0.1:9/ws" ||
		e.Settings["token"] != "true" || e.Settings["header"] != "Cookie" ||
		e.FilesLimit == 0 || e.Kernel == "" || e.Memory == 0 || len(e.Sysctls) == 0 {
		t.Errorf("environment %+v", e)
	}
	noSecret(t, r)
}

// noSecret fails where a report tells a secret.
func noSecret(t *testing.T, r *result.Result) {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), secret) {
		t.Errorf("the report tells a secret: %s", b)
	}
}

// Intervals of all workers that have the same number become one; open connections add up over
// workers and not over time.
func TestRun_JoinsIntervals(t *testing.T) {
	o := options(t, "behaves")
	o.Plan.Interval = time.Second // of four intervals of a worker each
	r := run(t, o)
	var of []result.IntervalTimes
	for _, v := range r.Intervals {
		if v.Phase == result.PhaseRun {
			of = append(of, v)
		}
	}
	if len(of) != 2 {
		t.Fatalf("%d intervals of the run, want 2: %+v", len(of), of)
	}
	for i, want := range []result.IntervalTimes{
		{Start: 0, End: 1000, Sent: 24, Received: 24, Expired: 12, Open: 30},
		{Start: 1000, End: 2000, Sent: 24, Received: 24, Expired: 12, Open: 30},
	} {
		got := of[i]
		if got.Start != want.Start || got.End != want.End || got.Sent != want.Sent ||
			got.Received != want.Received || got.Expired != want.Expired || got.Open != want.Open ||
			got.Latency.Count() != 12 {
			t.Errorf("interval %d = %+v, want %+v with 12 latencies", i, got, want)
		}
	}
}

// What the others tell is kept, whatever one does.
func TestRun_LosesAWorker(t *testing.T) {
	quick := defaultLimits()
	quick.silence[connecting], quick.silence[running] = time.Second, time.Second
	for _, c := range []struct {
		behaviour, want string
		limits          limits
		connected       uint64
	}{
		{"dies at once", "exit status 2: panic: no memory at all", defaultLimits(), 20},
		{"dies while connecting", "exit status 7", defaultLimits(), 20},
		{"dies while running", "exit status 2: panic: index out of range", defaultLimits(), 20},
		{"stalls while connecting", "it said nothing for 1s", quick, 20},
		{"falls silent", "it said nothing for 1s", quick, 20},
		{"talks nonsense", "what it says makes no sense", defaultLimits(), 20},
		{"cannot connect", "epoll is gone", defaultLimits(), 30},
	} {
		t.Run(c.behaviour, func(t *testing.T) {
			t.Parallel()
			o := options(t, c.behaviour)
			o.limits = c.limits
			var told []string
			o.Remark = func(sentence string) { told = append(told, sentence) }
			r := run(t, o)
			if r.Sent != 200 || r.Connect.OK != c.connected {
				t.Errorf("sent %d over %d connections, want 200 over %d", r.Sent, r.Connect.OK,
					c.connected)
			}
			if r.ExitCode != result.ExitSchedule {
				t.Errorf("exit code %d, want %d", r.ExitCode, result.ExitSchedule)
			}
			if len(r.Broken) != 1 || !strings.Contains(r.Broken[0], "process 2 of 3") ||
				!strings.Contains(r.Broken[0], c.want) || !slices.Equal(told, r.Broken) {
				t.Errorf("broken %q, told %q; want process 2 of 3, %s", r.Broken, told, c.want)
			}
		})
	}
}

func TestRun_Refused(t *testing.T) {
	o := options(t, "refuses")
	_, err := Run(t.Context(), o)
	if err == nil || err.Error() != "no address of nowhere: the token was ***" {
		t.Errorf("Run = %v, want the refusal once, without the secret", err)
	}
}

func TestRun_NobodyComesUp(t *testing.T) {
	o := options(t, "behaves")
	o.Command = []string{"/bin/false"}
	if _, err := Run(t.Context(), o); !errors.Is(err, errNobody) {
		t.Errorf("Run with workers that end at once = %v, want %v", err, errNobody)
	}
	o.Command = []string{filepath.Join(t.TempDir(), "missing")}
	if _, err := Run(t.Context(), o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Run with a command that is not there = %v, want that", err)
	}
}

// Where nothing opens there is nothing to run.
func TestRun_NothingOpens(t *testing.T) {
	r := run(t, options(t, "nothing opens"))
	if r.ExitCode != result.ExitUsage || r.Connect.Failed != 30 || r.Interrupted ||
		r.Errors["econnrefused"] != 30 {
		t.Errorf("exit code %d, failed %d, interrupted %v, errors %v; want 2, 30, false, 30",
			r.ExitCode, r.Connect.Failed, r.Interrupted, r.Errors)
	}
}

// stopInRun is an Options.Progress that closes a channel once the run itself has begun.
func stopInRun(stop chan struct{}) func(Live) {
	closed := false
	return func(l Live) {
		if l.Phase != "start" && l.Phase != result.PhaseConnect && !closed {
			closed = true
			close(stop)
		}
	}
}

func TestRun_StopsOnce(t *testing.T) {
	o := options(t, "waits")
	o.Repeat = 3 // the others are not begun
	stop := make(chan struct{})
	o.Stop, o.Progress = stop, stopInRun(stop)
	r := run(t, o)
	if !r.Interrupted || r.Connect.OK != 30 || len(r.Runs) != 1 || len(r.Broken) > 0 {
		t.Errorf("interrupted %v, connected %d, %d runs, broken %q; want true, 30, 1, none",
			r.Interrupted, r.Connect.OK, len(r.Runs), r.Broken)
	}
}

func TestRun_WhoDoesNotStop(t *testing.T) {
	o := options(t, "never stops")
	o.limits.stop = time.Second
	stop := make(chan struct{})
	o.Stop, o.Progress = stop, stopInRun(stop)
	r := run(t, o)
	if len(r.Broken) != 1 || !strings.Contains(r.Broken[0], "it did not stop within 1s") {
		t.Errorf("broken %q, want that one did not stop", r.Broken)
	}
	if r.Connect.OK != 20 {
		t.Errorf("connected %d, want the 20 of the others", r.Connect.OK)
	}
}

func TestRun_Killed(t *testing.T) {
	o := options(t, "never stops")
	ctx, kill := context.WithCancel(t.Context())
	o.Progress = func(l Live) {
		if l.Phase != "start" && l.Phase != result.PhaseConnect {
			kill()
		}
	}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want %v", err, context.Canceled)
	}
}

// Each worker hears the end of its input, so that none outlives its parent.
func TestRun_Dismisses(t *testing.T) {
	o := options(t, "leaves word")
	run(t, o)
	left, err := os.ReadDir(o.Command[3])
	if err != nil || len(left) != 3 {
		t.Errorf("%d workers heard the end (%v), want 3", len(left), err)
	}
	for _, f := range left {
		b, err := os.ReadFile(filepath.Join(o.Command[3], f.Name()))
		if err != nil || string(b) != io.EOF.Error() {
			t.Errorf("worker %s heard %q (%v), want the end", f.Name(), b, err)
		}
	}
}

func TestRun_Repeats(t *testing.T) {
	o := options(t, "behaves")
	o.Repeat = 2
	r := run(t, o)
	if len(r.Runs) != 2 || r.Sent != 600 || r.Seconds != 1 || r.Latency.Count != 600 {
		t.Errorf("%d runs, sent %d in %v s, %d latencies; want 2, 600 in 1 s, 600",
			len(r.Runs), r.Sent, r.Seconds, r.Latency.Count)
	}
	for _, one := range r.Runs {
		if one.Sent != 300 || len(one.Intervals) != 0 || one.Histograms.Latency.Count() != 0 {
			t.Errorf("one run sent %d, has %d intervals and %d in its histogram; want 300, 0, 0",
				one.Sent, len(one.Intervals), one.Histograms.Latency.Count())
		}
	}
	for _, v := range r.Intervals {
		if v.Phase == result.PhaseRun && v.Sent != 6 {
			t.Errorf("interval of the last run sent %d, want 6", v.Sent)
		}
	}
}

// Every number is there, 0 where it does not apply, and no list is null.
func TestRun_JSONHasNoNull(t *testing.T) {
	for _, behaviour := range []string{"nothing opens", "behaves"} {
		o := options(t, behaviour)
		o.Repeat = 2
		b, err := json.Marshal(run(t, o))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "null") {
			before, after, _ := strings.Cut(string(b), "null")
			t.Errorf("%s: the JSON has a null: %s null %s", behaviour,
				before[max(0, len(before)-100):], after[:min(100, len(after))])
		}
	}
}

func TestRun_WatchesTheServer(t *testing.T) {
	o := options(t, "behaves")
	o.PID = os.Getpid()
	s := run(t, o).Server
	if s.RSSBytes == 0 || s.Descriptors == 0 || s.DescriptorsAtMax < s.Descriptors {
		t.Errorf("server %+v, want memory and descriptors", s)
	}
}

func TestRun_NoSuchServer(t *testing.T) {
	o := options(t, "behaves")
	o.PID = 1<<22 + 1 // above the highest that there can be
	_, err := Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "there is no such process") {
		t.Errorf("Run = %v, want that there is no such process", err)
	}
}

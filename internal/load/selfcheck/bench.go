package selfcheck

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
	"github.com/curfew-go/curfew/internal/load/selfcheck/faulty"
)

// Bench runs cases.
type Bench struct {
	// Curfew is the command that is to be proven.
	Curfew string
	// Server begins the command line of a process that runs [faulty.Serve] with its last argument.
	Server []string
	// Env is added to the environment of the servers.
	Env []string
	// Busy is for a machine that does other things too: times are not compared, and a harness that
	// says it was late is believed in what it counted.
	Busy bool
	// Beside is how many cases that are about counts run side by side. 0: 4.
	Beside int
}

// Row is what came of a case.
type Row struct {
	Case  Case
	Found []string
	Wrong []string // nothing: the harness found what it had to find
	Lines []string // times, for the record
	Again bool     // the harness was late or times were off, so the case was run again
	Busy  bool     // it was late all the same, and is believed in what it counted
	Took  time.Duration

	doubtful bool          // it is wrong, and the machine may be why
	cost     time.Duration // of an answer, where it was measured
	report   *report       // nil: there is none
	ledger   faulty.Ledger
}

// OK says whether the harness found what it had to find.
func (r *Row) OK() bool { return len(r.Wrong) == 0 }

const (
	// runMax is how long a case may take.
	runMax = 45 * time.Second
	// againUntil is until when cases may be run once more.
	againUntil = 130 * time.Second
)

// RunAll runs cases, those that are about times alone and after the others. told, where it is not
// nil, is called with each row as it is there, in no order; the rows that are returned are in that
// of the cases.
func (b *Bench) RunAll(ctx context.Context, cases []Case, told func(*Row)) []Row {
	rows := make([]Row, len(cases))
	var mu sync.Mutex
	total := stopwatch()
	run := func(i int) {
		row := b.Run(ctx, cases[i])
		mu.Lock()
		defer mu.Unlock()
		rows[i] = row
		if told != nil {
			told(&rows[i])
		}
	}
	next := make(chan int)
	var wg sync.WaitGroup
	beside := b.Beside
	if beside == 0 {
		beside = 4
	}
	for range beside {
		wg.Go(func() {
			for i := range next {
				run(i)
			}
		})
	}
	for i := range cases {
		if !cases[i].alone() {
			next <- i
		}
	}
	close(next)
	wg.Wait()
	for i := range cases {
		if cases[i].alone() {
			run(i)
		}
	}
	b.again(ctx, rows, total, run)
	return rows
}

// again runs cases once more, or twice, in which the harness was late or times were off and nothing
// else was wrong: alone, and as long as there is time, since the machine may be why. What is late
// to the end is judged by what was counted, where the case is about that.
func (b *Bench) again(
	ctx context.Context, rows []Row, total func() time.Duration, run func(i int),
) {
	// First those that nothing else can decide.
	for _, alone := range []bool{true, true, false} {
		for i := range rows {
			r := &rows[i]
			if r.doubtful && r.Case.alone() == alone && total() < againUntil && ctx.Err() == nil {
				run(i)
				r.Again = true
			}
		}
	}
	for i := range rows {
		if r := &rows[i]; r.doubtful && !r.Case.alone() {
			r.Found, r.Wrong = r.Case.check(r.report, believed(r.report), r.ledger)
			r.Busy = true
		}
	}
}

// Run runs a case.
func (b *Bench) Run(ctx context.Context, c Case) Row {
	c = c.withDefaults()
	took := stopwatch()
	row := Row{Case: c}
	ctx, cancel := context.WithTimeout(ctx, runMax)
	defer cancel()
	r, exit, ledger, err := b.measure(ctx, c)
	if err == nil && c.Stall && !b.Busy {
		var flood *report
		if flood, _, _, err = b.measure(ctx, c.flood()); err == nil {
			row.cost = cost(&flood.Result)
		}
	}
	if err != nil {
		row.Wrong = append(row.Wrong, err.Error())
		return row
	}
	row.report, row.ledger = r, ledger
	late := exit == result.ExitSchedule && exit != c.Exit
	if b.Busy && late {
		exit, row.Busy, late = believed(r), true, false
	}
	row.Found, row.Wrong = c.check(r, exit, ledger)
	row.doubtful = late || row.OK()
	if !b.Busy {
		lines, wrong := c.compare(r, row.cost)
		row.Lines, row.Wrong = lines, append(row.Wrong, wrong...)
	}
	row.doubtful = row.doubtful && !row.OK()
	row.Took = took()
	return row
}

// believed is what the exit code would be if the harness had been in time. It stands in the report
// as well then.
func believed(r *report) int {
	r.ExitCode = result.ExitFine
	if len(r.Broken) > 1 { // the first says that the harness was late
		r.ExitCode = result.ExitBroken
	}
	return r.ExitCode
}

// measure runs server and harness.
func (b *Bench) measure(ctx context.Context, c Case) (*report, int, faulty.Ledger, error) {
	s, err := b.serve(ctx, c.Server)
	if err != nil {
		return nil, 0, faulty.Ledger{}, err
	}
	dir, err := os.MkdirTemp("", "selfcheck")
	if err != nil {
		return nil, 0, faulty.Ledger{}, errors.Join(err, s.stop())
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "report.json")
	exit, said, err := b.load(ctx, c, s, file)
	if stopped := s.stop(); err == nil {
		err = stopped
	}
	if err != nil {
		return nil, 0, faulty.Ledger{}, err
	}
	body, err := os.ReadFile(file)
	if err != nil {
		return nil, 0, faulty.Ledger{}, fmt.Errorf("no report, exit %d: %s", exit, said)
	}
	r, err := parse(body)
	return r, exit, s.ledger, err
}

// load runs the command. What it said is for a message about what went wrong.
func (b *Bench) load(ctx context.Context, c Case, s *server, file string) (int, string, error) {
	args := append(c.args(s.cmd.Process.Pid), "--json", file, "ws://"+s.address+"/ws")
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, b.Curfew, args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return 0, "", err
	}
	var froze error
	if c.Freeze > 0 {
		froze = freezeWorker(ctx, cmd.Process.Pid, c.Duration/4, c.Freeze)
	}
	err := cmd.Wait()
	var exited *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return 0, "", ctx.Err()
	case ctx.Err() != nil:
		return 0, "", fmt.Errorf("the harness did not end within %v: %s", runMax, &said)
	case froze != nil:
		return 0, "", froze
	case err != nil && !errors.As(err, &exited):
		return 0, "", err
	}
	return cmd.ProcessState.ExitCode(), strings.TrimSpace(said.String()), nil
}

// server is a faulty server in a process of its own.
type server struct {
	cmd     *exec.Cmd
	in      io.Closer
	out     *bufio.Reader
	said    bytes.Buffer
	address string
	ledger  faulty.Ledger // once it has stopped
}

// serve starts a server.
func (b *Bench) serve(ctx context.Context, o faulty.Options) (*server, error) {
	options, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	args := append(b.Server[1:len(b.Server):len(b.Server)], string(options))
	s := &server{cmd: exec.CommandContext(ctx, b.Server[0], args...)}
	s.cmd.Env = append(os.Environ(), b.Env...)
	s.cmd.Stderr = &s.said
	s.cmd.WaitDelay = time.Second
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if s.address, err = s.out.ReadString('\n'); err != nil {
		return nil, fmt.Errorf("no server: %w: %s", errors.Join(err, s.stop()), &s.said)
	}
	s.address = strings.TrimSpace(s.address)
	return s, nil
}

// stop ends a server and takes its ledger.
func (s *server) stop() error {
	_ = s.in.Close()
	told := json.NewDecoder(s.out).Decode(&s.ledger)
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the server: %w: %s", err, &s.said)
	}
	return told
}

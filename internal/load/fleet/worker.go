package fleet

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// stage is how far a worker is. It only ever grows.
type stage int

const (
	starting   stage = iota // told the plan
	ready                   // its plan can be run
	connecting              // told to connect
	opened                  // its connections are open, or failed
	running                 // told when to begin
	done                    // its part is there
	lost                    // nothing more comes of it
)

// limits are how long the parent waits for a worker.
type limits struct {
	// silence is for how long one may say nothing, at each stage; 0: for ever, since it waits for
	// others. The first stage is long since a name may have to be resolved.
	silence [done]time.Duration
	stop    time.Duration // from the order to stop until its part is there
	end     time.Duration // from when its input ends until it has ended
}

func defaultLimits() limits {
	l := limits{stop: 15 * time.Second, end: 10 * time.Second}
	l.silence[starting], l.silence[connecting] = 30*time.Second, 15*time.Second
	l.silence[running] = 15 * time.Second
	return l
}

// event is something that a worker said, or, without a word, that its process has ended.
type event struct {
	worker *worker
	word   *word
	err    error
}

// worker is a process of the harness as its parent sees it. Only the parent's loop touches it.
type worker struct {
	number int
	limits limits
	cmd    *exec.Cmd
	orders chan order // closed when nothing more will be asked
	stderr head

	stage   stage
	heard   time.Time // when it last said something, or was last told to do something
	open    uint64    // connections, when it last said
	gone    bool      // its process has ended
	closed  bool      // orders is
	ok      uint64    // connections that it could open
	part    *result.Part
	refused string // why its plan cannot be run
}

// start starts the process of a worker. Events go to a channel until its process has ended, or
// nobody listens any more.
func (w *worker) start(ctx context.Context, command []string, events chan<- event) error {
	w.cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	// A loop, and what tells of it. The collector may wait: connections hold no pointers.
	w.cmd.Env = append(w.cmd.Environ(), "GOMAXPROCS=2", "GOGC=off", "GOMEMLIMIT=256MiB")
	w.cmd.Stderr = &w.stderr
	w.cmd.WaitDelay = w.limits.end
	apart(w.cmd)
	stdin, err := w.cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	if err := w.cmd.Start(); err != nil {
		return fmt.Errorf("start a process of the harness: %w", err)
	}
	w.orders = make(chan order, 8)
	go handOver(stdin, w.orders)
	go w.listen(stdout, func(e event) {
		select {
		case events <- e:
		case <-ctx.Done():
		}
	})
	return nil
}

// handOver hands the orders to a worker, which may be slow to read them.
func handOver(stdin io.WriteCloser, orders <-chan order) {
	to := json.NewEncoder(stdin)
	for o := range orders {
		// One that reads no more has ended, which is seen elsewhere.
		_ = to.Encode(o)
	}
	_ = stdin.Close()
}

// listen passes on what the worker says, and that it has ended.
func (w *worker) listen(stdout io.Reader, pass func(event)) {
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, wordBytesMax)
	var nonsense error
	for lines.Scan() {
		var said word
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			nonsense = fmt.Errorf("what it says makes no sense: %w", err)
			break
		}
		pass(event{worker: w, word: &said})
	}
	if nonsense == nil && lines.Err() != nil {
		nonsense = fmt.Errorf("what it says makes no sense: %w", lines.Err())
	}
	if nonsense != nil {
		_ = w.cmd.Process.Kill() // it may have ended
	}
	stop := later(w.limits.end, func() { _ = w.cmd.Process.Kill() })
	err := w.cmd.Wait()
	stop()
	if nonsense != nil {
		err = nonsense
	}
	pass(event{worker: w, err: err})
}

// tell gives an order, which takes the worker to a stage.
func (w *worker) tell(o order, to stage) {
	if w.closed {
		return
	}
	w.stage = max(w.stage, to)
	w.heard = now()
	select {
	case w.orders <- o:
	default: // it reads nothing; its silence will be noticed
	}
}

// dismiss tells a worker that there is nothing more to do.
func (w *worker) dismiss() {
	if !w.closed {
		w.closed = true
		close(w.orders)
	}
}

// head keeps the beginning of what a process writes, for whoever must explain its end.
type head struct {
	mu    sync.Mutex
	first []byte // guarded by mu
}

const headBytesMax = 8 << 10

// Write keeps what there is room for.
func (h *head) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.first = append(h.first, b[:min(len(b), headBytesMax-len(h.first))]...)
	return len(b), nil
}

// reason is the line that tells most: that of a panic, or else the last one.
func (h *head) reason() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var last string
	for line := range strings.SplitSeq(string(h.first), "\n") {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
		if strings.TrimSpace(line) != "" {
			last = line
		}
	}
	return last
}

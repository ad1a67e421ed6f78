package notify

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// The variables that a manager sets. They are for this process only: whoever starts others takes
// them out of the environment before.
const (
	socketVariable   = "NOTIFY_SOCKET"
	watchdogVariable = "WATCHDOG_USEC"
	watchdogPID      = "WATCHDOG_PID"
)

// Variables returns the names of the variables that FromEnvironment reads.
func Variables() []string { return []string{socketVariable, watchdogVariable, watchdogPID} }

// sendTimeout is how long a manager that does not read is waited for.
const sendTimeout = time.Second

// Notifier tells the manager what the process does. A nil one tells nobody. All methods may be
// called at the same time; an error means that the manager has not heard.
type Notifier struct {
	// Set by FromEnvironment, then only read.
	addr     net.UnixAddr
	watchdog time.Duration
}

// FromEnvironment makes a notifier for the process pid, nil where env (NAME=value) names no socket.
// Beside an error there may be a notifier, without what was wrong.
func FromEnvironment(env []string, pid int) (*Notifier, error) {
	socket := lookup(env, socketVariable)
	if socket == "" {
		return nil, nil
	}
	if socket[0] != '/' && socket[0] != '@' {
		return nil, fmt.Errorf("%s: %q is neither a path nor @name", socketVariable, socket)
	}
	n := &Notifier{addr: net.UnixAddr{Name: socket, Net: "unixgram"}}
	if of := lookup(env, watchdogPID); of != "" && of != strconv.Itoa(pid) {
		return n, nil // somebody else is watched
	}
	value := lookup(env, watchdogVariable)
	if value == "" {
		return n, nil
	}
	usec, err := strconv.ParseInt(value, 10, 64)
	if err != nil || usec <= 0 || usec > int64(1<<63-1)/int64(time.Microsecond) {
		return n, fmt.Errorf("%s: %q is not a number of microseconds", watchdogVariable, value)
	}
	n.watchdog = time.Duration(usec) * time.Microsecond
	return n, nil
}

func lookup(env []string, name string) (value string) {
	for _, kv := range env {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			value = v
		}
	}
	return value
}

// Watchdog is how long the manager waits for a sign of life; 0: it does not wait for any.
func (n *Notifier) Watchdog() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog
}

// Ready says that the process serves, for the first time or again after Reloading.
func (n *Notifier) Ready(status string) error { return n.send("READY=1", statusLine(status)) }

// Reloading says that the process reads its configuration again; Ready must follow.
func (n *Notifier) Reloading() error {
	return n.send("RELOADING=1", "MONOTONIC_USEC="+strconv.FormatInt(monotonicMicros(), 10))
}

// Stopping says that the process is on its way to its end.
func (n *Notifier) Stopping(status string) error { return n.send("STOPPING=1", statusLine(status)) }

// Status says in words what the process does.
func (n *Notifier) Status(status string) error { return n.send(statusLine(status)) }

// ExtendTimeout asks the manager to wait for d longer, from now on.
func (n *Notifier) ExtendTimeout(d time.Duration, status string) error {
	return n.send("EXTEND_TIMEOUT_USEC="+strconv.FormatInt(d.Microseconds(), 10),
		statusLine(status))
}

// Alive is the sign of life that the manager's watchdog waits for.
func (n *Notifier) Alive() error { return n.send("WATCHDOG=1") }

// statusLine is a status on one line.
func statusLine(status string) string {
	return "STATUS=" + strings.ReplaceAll(status, "\n", " ")
}

// send tells the manager.
func (n *Notifier) send(lines ...string) error {
	if n == nil {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &n.addr)
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	err = c.SetWriteDeadline(deadline(sendTimeout))
	if err == nil {
		_, err = c.Write([]byte(strings.Join(lines, "\n")))
	}
	if err = errors.Join(err, c.Close()); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// pinning says which processor servers run on, and which one their client. The zero value leaves
// both to the kernel.
type pinning struct {
	server, client string // as taskset wants them, "" for all
	why            string // for the head of a file
}

// String is what the head of a file says.
func (p pinning) String() string {
	if p.server == "" {
		return "no" + p.why
	}
	return "server on processor " + p.server + ", client on processor " + p.client + p.why
}

// machine is what a pinning depends on.
type machine struct {
	allowed  []int         // the processors that this process may use
	siblings map[int][]int // those that share a core, as far as it is known
}

// choosePinning reads a setting: auto, 0 for none, or two processors with a comma.
func choosePinning(setting string, m machine) (pinning, error) {
	switch {
	case setting == "0":
		return pinning{}, nil
	case setting != "auto":
		return m.named(setting)
	case len(m.allowed) < 2:
		return pinning{why: ", there is one processor"}, nil
	}
	server := m.allowed[0]
	for _, client := range m.allowed[1:] {
		if !slices.Contains(m.siblings[server], client) {
			return m.pair(server, client), nil
		}
	}
	return m.pair(server, m.allowed[1]), nil
}

// named is a pinning to two processors that somebody chose.
func (m machine) named(setting string) (pinning, error) {
	first, second, ok := strings.Cut(setting, ",")
	server, wrongServer := strconv.Atoi(first)
	client, wrongClient := strconv.Atoi(second)
	if !ok || wrongServer != nil || wrongClient != nil || server == client {
		return pinning{}, fmt.Errorf("-pin %s: want auto, 0 for not at all, or two processors, "+
			"the server's and the client's, such as 0,1", setting)
	}
	for _, n := range []int{server, client} {
		if !slices.Contains(m.allowed, n) {
			return pinning{}, fmt.Errorf("-pin %s: processor %d is not among those that may be "+
				"used, %v", setting, n, m.allowed)
		}
	}
	return m.pair(server, client), nil
}

func (m machine) pair(server, client int) pinning {
	p := pinning{server: strconv.Itoa(server), client: strconv.Itoa(client)}
	if slices.Contains(m.siblings[server], client) {
		p.why = ", two threads of one core"
	}
	return p
}

// pinTo reads a setting on this machine.
func pinTo(setting string) (pinning, error) {
	m, err := thisMachine()
	if err != nil {
		return pinning{}, err
	}
	p, err := choosePinning(setting, m)
	if err != nil || p.server == "" {
		return p, err
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		return p, errors.New("taskset, which pins, is not installed: install util-linux, or -pin 0")
	}
	return p, nil
}

// thisMachine asks the kernel.
func thisMachine() (machine, error) {
	m := machine{siblings: map[int][]int{}}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return m, err
	}
	_, list, _ := strings.Cut(string(status), "Cpus_allowed_list:")
	list, _, _ = strings.Cut(list, "\n")
	if m.allowed, err = processors(strings.TrimSpace(list)); err != nil {
		return m, err
	}
	for _, n := range m.allowed {
		raw, err := os.ReadFile(fmt.Sprintf(
			"/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", n))
		if err != nil {
			continue // not every kernel tells
		}
		if m.siblings[n], err = processors(strings.TrimSpace(string(raw))); err != nil {
			return m, err
		}
	}
	return m, nil
}

// processors reads a list such as 0-2,5.
func processors(list string) ([]int, error) {
	var all []int
	for part := range strings.SplitSeq(list, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		low, wrongLow := strconv.Atoi(first)
		high, wrongHigh := strconv.Atoi(last)
		if wrongLow != nil || wrongHigh != nil || low > high {
			return nil, fmt.Errorf("%q is no list of processors", list)
		}
		for n := low; n <= high; n++ {
			all = append(all, n)
		}
	}
	return all, nil
}

// pinned is a command that runs on a processor alone, "" for all. Its process becomes the
// binary's, so that its id is the server's. A Go program counts the processors that it may use
// when it starts, and so has one.
func pinned(processor, binary string, args ...string) *exec.Cmd {
	if processor == "" {
		return exec.Command(binary, args...)
	}
	return exec.Command("taskset", append([]string{"-c", processor, binary}, args...)...)
}

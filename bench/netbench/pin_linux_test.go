package main

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestChoosePinning(t *testing.T) {
	two := machine{allowed: []int{0, 1}}
	threads := machine{
		allowed:  []int{0, 1, 2, 3},
		siblings: map[int][]int{0: {0, 1}, 1: {0, 1}, 2: {2, 3}, 3: {2, 3}},
	}
	cases := []struct {
		setting string
		m       machine
		want    string
	}{
		{"auto", two, "server on processor 0, client on processor 1"},
		{"auto", machine{allowed: []int{5, 9}}, "server on processor 5, client on processor 9"},
		{"auto", machine{allowed: []int{3}}, "no, there is one processor"},
		{"auto", threads, "server on processor 0, client on processor 2"},
		{
			"auto",
			machine{allowed: []int{0, 1}, siblings: threads.siblings},
			"server on processor 0, client on processor 1, two threads of one core",
		},
		{"0", two, "no"},
		{"1,0", two, "server on processor 1, client on processor 0"},
		{"2,3", threads, "server on processor 2, client on processor 3, two threads of one core"},
	}
	for _, c := range cases {
		p, err := choosePinning(c.setting, c.m)
		if err != nil || p.String() != c.want {
			t.Errorf("choosePinning(%s, %v) = %q, %v, want %q", c.setting, c.m, p, err, c.want)
		}
	}
	for setting, want := range map[string]string{
		"1": "such as 0,1", "1,1": "such as 0,1", "a,b": "such as 0,1", "": "such as 0,1",
		"0,7": "processor 7 is not among",
	} {
		if _, err := choosePinning(setting, two); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("choosePinning(%q): error %v, want one of %q", setting, err, want)
		}
	}
}

func TestProcessors(t *testing.T) {
	for list, want := range map[string][]int{
		"0": {0}, "0-2": {0, 1, 2}, "0,2-3,9": {0, 2, 3, 9},
	} {
		if got, err := processors(list); err != nil || !slices.Equal(got, want) {
			t.Errorf("processors(%s) = %v, %v, want %v", list, got, err, want)
		}
	}
	for _, list := range []string{"", "a", "3-1", "1,"} {
		if got, err := processors(list); err == nil {
			t.Errorf("processors(%q) = %v, want an error", list, got)
		}
	}
}

// TestPinned starts a process that says where it may run.
func TestPinned(t *testing.T) {
	m, err := thisMachine()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skip("no taskset")
	}
	last := strconv.Itoa(m.allowed[len(m.allowed)-1])
	out, err := pinned(last, "grep", "Cpus_allowed_list", "/proc/self/status").Output()
	_, list, _ := strings.Cut(string(out), ":")
	if err != nil || strings.TrimSpace(list) != last {
		t.Errorf("pinned to %s it may run on %q, %v", last, out, err)
	}
}

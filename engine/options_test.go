package engine_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/curfew-go/curfew/engine"
)

// An error about options names every bad field, with its value and its range, and no good one.
func TestNew_NamesEveryBadField(t *testing.T) {
	type options = engine.Options[int]
	for _, c := range []struct {
		options options
		want    []string // Pairs of a field and a part of what is said about it.
	}{
		{options{IdleTimeout: -1}, []string{"IdleTimeout", "-1ns"}},
		{options{MaxLifetime: -time.Hour}, []string{"MaxLifetime", "-1h0m0s"}},
		{options{Grace: math.MinInt64}, []string{"Grace", "-2562047h"}},
		{options{Tick: time.Millisecond - 1}, []string{"Tick", "999.999µs", "Tick", "1ms"}},
		{options{Tick: time.Minute + 1}, []string{"Tick", "1m0.000000001s", "Tick", "1m"}},
		{options{Tick: -time.Second}, []string{"Tick", "-1s"}},
		{options{MaxSessions: -5}, []string{"MaxSessions", "-5"}},
		{options{Shards: -1}, []string{"Shards", "-1"}},
		{options{Shards: 4097}, []string{"Shards", "4097", "Shards", "4096"}},
		{options{Wheel: 2}, []string{"Wheel", "2"}},
		{options{Wheel: -1}, []string{"Wheel", "-1"}},
		{options{Wheel: engine.WheelRussellLuo, Manual: true}, []string{"Manual", "RussellLuo"}},
		{
			options{
				IdleTimeout: -1, MaxLifetime: -2, Grace: -3, Tick: 4, MaxSessions: -5,
				Shards: -6, Wheel: 7,
			},
			[]string{
				"IdleTimeout", "-1", "MaxLifetime", "-2", "Grace", "-3", "Tick", "4",
				"MaxSessions", "-5", "Shards", "-6", "Wheel", "7",
			},
		},
	} {
		tab, err := engine.New(c.options)
		if err == nil || tab != nil {
			t.Errorf("New(%+v) = %v, %v, want nil and an error", c.options, tab, err)
			continue
		}
		checkNamed(t, err, c.want)
	}
}

func checkNamed(t *testing.T, err error, want []string) {
	t.Helper()
	lines := strings.Split(err.Error(), "\n")
	bad := map[string]bool{}
	for i := 0; i < len(want); i += 2 {
		bad[want[i]] = true
		found := false
		for _, line := range lines {
			found = found || strings.Contains(line, "Options."+want[i]+" ") &&
				strings.Contains(line, want[i+1])
		}
		if !found {
			t.Errorf("%q does not say %q of %s", err, want[i+1], want[i])
		}
	}
	if len(lines) != len(bad) {
		t.Errorf("%q has %d lines, want %d", err, len(lines), len(bad))
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "engine: ") {
			t.Errorf("%q does not begin with engine:", line)
		}
	}
}

func TestNew_AcceptsTheEndsOfRanges(t *testing.T) {
	type options = engine.Options[int]
	for _, o := range []options{
		{},
		{
			IdleTimeout: 1, MaxLifetime: 1, Grace: 1, Tick: time.Millisecond,
			MaxSessions: 1, Shards: 1,
		},
		{
			IdleTimeout: longest, MaxLifetime: longest, Grace: longest, Tick: time.Minute,
			MaxSessions: math.MaxInt, Shards: 4096,
		},
		{Shards: 3},
		{Manual: true},
	} {
		o.Logger = quiet
		tab, err := engine.New(o)
		if err != nil {
			t.Errorf("New(%+v): %v", o, err)
			continue
		}
		if _, err := tab.Create(1); err != nil {
			t.Errorf("Create: %v", err)
		}
		got, want := tab.Stats().Shards, o.Shards
		if want != 0 && (got < want || got&(got-1) != 0) {
			t.Errorf("%d shards, want %d rounded up to a power of two", got, want)
		}
		_ = tab.Close()
	}
}

func TestErrors_AreToldApart(t *testing.T) {
	all := []error{engine.ErrFull, engine.ErrClosed, engine.ErrNotFound, engine.ErrBadID}
	for i, a := range all {
		if !strings.HasPrefix(a.Error(), "engine: ") {
			t.Errorf("%q does not begin with engine:", a)
		}
		for _, b := range all[:i] {
			if errors.Is(a, b) {
				t.Errorf("%q is %q", a, b)
			}
		}
	}
}

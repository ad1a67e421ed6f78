package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/curfew-go/curfew/internal/load"
)

const (
	// samples is how often a soak reads the server's memory.
	samples = 120
	// growthMax is how much more memory the last third of a soak may reach than the second.
	growthMax = 1.10
)

// soak holds connections to the daemon that come, talk, flood, fall silent and go, in each of its
// modes. It fails where the ledger is not exact or the memory is not flat.
func soak(s settings) error {
	if s.only == "" {
		s.only = "curfewd"
	}
	servers, err := findServers(s)
	if err != nil {
		return err
	}
	var found error
	for _, v := range servers {
		v.args = append(slices.Clone(v.args), "--idle-timeout", s.expire.String())
		s := s
		s.soak /= time.Duration(len(servers))
		if err := soakServer(s, v); err != nil {
			found = errors.Join(found, fmt.Errorf("%s: %w", v.name, err))
		}
	}
	return found
}

func soakServer(s settings, v server) (err error) {
	r, err := v.start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	type outcome struct {
		answer
		err error
	}
	over := make(chan outcome, 1)
	before, err := r.CPU()
	if err != nil {
		return err
	}
	go func() {
		a, err := r.driver.do(command{Soak: &load.SoakOptions{
			Connections: s.connections, Rate: s.pace, Duration: s.soak, Idle: s.expire,
		}})
		over <- outcome{a, err}
	}()
	start := time.Now()
	ticks := time.NewTicker(s.soak / samples)
	defer ticks.Stop()
	var memory []int64
	for {
		select {
		case <-ticks.C:
			anon, err := r.AnonBytes()
			if err != nil {
				return err // the server is gone
			}
			memory = append(memory, anon)
			fmt.Printf("server=%s seconds=%.0f anon_kib=%d\n",
				v.name, time.Since(start).Seconds(), anon>>10)
		case o := <-over:
			if o.err != nil {
				return o.err
			}
			after, err := r.CPU()
			if err != nil {
				return err
			}
			fmt.Printf("server=%s cpu_percent=%.1f\n",
				v.name, 100*(after-before).Seconds()/time.Since(start).Seconds())
			return judge(v.name, o.Soak, memory)
		}
	}
}

// judge prints the ledger and says what is wrong with it, or with the memory.
func judge(name string, r load.SoakReport, memory []int64) error {
	ledger, err := json.Marshal(r)
	if err != nil {
		return err
	}
	fmt.Printf("server=%s ledger=%s\n", name, ledger)
	err = r.Balanced()
	if r.Expired == 0 || r.Parted == 0 || r.Floods == 0 {
		err = errors.Join(err, errors.New("too short: nothing expired, left or flooded"))
	}
	third := len(memory) / 3
	if third == 0 {
		return errors.Join(err, errors.New("too short: no samples of memory"))
	}
	second, last := slices.Max(memory[third:2*third]), slices.Max(memory[2*third:])
	fmt.Printf("server=%s anon_kib_second_third=%d anon_kib_last_third=%d\n",
		name, second>>10, last>>10)
	if float64(last) > growthMax*float64(second) {
		err = errors.Join(err, errors.New("memory grows"))
	}
	return err
}

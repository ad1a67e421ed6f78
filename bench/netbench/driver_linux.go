package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/curfew-go/curfew/internal/load"
)

// command is what a client is to do: one of these.
type command struct {
	Connect *load.ConnectOptions
	Echo    *load.EchoOptions
	Soak    *load.SoakOptions
	Drop    *load.ReconnectOptions
	Storm   *load.StormOptions
	Hold    time.Duration
}

// answer is what came of a command.
type answer struct {
	Connect load.ConnectReport
	Echo    load.EchoReport
	Soak    load.SoakReport
	Drop    load.ReconnectReport
	Storm   load.StormReport
	Hold    load.HoldReport
	Error   string
}

// driveServer is the client's process: it carries out commands until there are no more. Its options
// are JSON.
func driveServer(options string) error {
	var o load.Options
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return err
	}
	c, err := load.New(o)
	if err != nil {
		return err
	}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var next command
		if err := in.Decode(&next); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return errors.Join(err, c.Close())
		}
		var a answer
		var err error
		switch {
		case next.Connect != nil:
			a.Connect, err = c.Connect(*next.Connect)
		case next.Echo != nil:
			a.Echo, err = c.Echo(*next.Echo)
		case next.Soak != nil:
			a.Soak, err = c.Soak(*next.Soak)
		case next.Drop != nil:
			a.Drop, err = c.Reconnect(*next.Drop)
		case next.Storm != nil:
			a.Storm, err = c.Storm(*next.Storm)
		default:
			a.Hold, err = c.Hold(next.Hold)
		}
		if err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

// driver is the client's process as the measurement sees it.
type driver struct {
	process *exec.Cmd
	stdin   io.WriteCloser
	in      *json.Encoder
	out     *json.Decoder
	load.Process
}

func newDriver(o load.Options, processor string) (*driver, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	options, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	process := pinned(processor, self, "-drive", string(options))
	process.Stderr = os.Stderr
	stdin, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, err
	}
	return &driver{
		process, stdin, json.NewEncoder(stdin), json.NewDecoder(stdout),
		load.Process(process.Process.Pid),
	}, nil
}

// do has a command carried out.
func (d *driver) do(c command) (answer, error) {
	var a answer
	if err := d.in.Encode(c); err != nil {
		return a, fmt.Errorf("tell the client: %w", err)
	}
	if err := d.out.Decode(&a); err != nil {
		return a, fmt.Errorf("hear from the client: %w", err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

func (d *driver) stop() error {
	return errors.Join(d.stdin.Close(), d.process.Wait())
}

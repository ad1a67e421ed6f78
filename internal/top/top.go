package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/curfew-go/curfew/internal/adminclient"
)

// IntervalDefault is how often the view looks where nothing else is said.
const IntervalDefault = time.Second

// Options are what the view is made of.
type Options struct {
	// Client asks the daemon. Needed.
	Client *adminclient.Client
	// Interval is how often it is asked, 100 ms to 1 min; 0: IntervalDefault.
	Interval time.Duration
	// Color lets colours be used.
	Color bool
	// Input is where keys come from, and Output the terminal.
	Input  io.Reader
	Output io.Writer
	// Env is the environment, which says what the terminal can do.
	Env []string
}

// Validate says what is wrong with an interval.
func (o Options) validate() error {
	if o.Interval != 0 && (o.Interval < intervalMin || o.Interval > intervalMax) {
		return fmt.Errorf("the interval is %v: must be %v to %v", o.Interval, intervalMin,
			intervalMax)
	}
	return nil
}

func (o Options) model(ctx context.Context) *model {
	m := &model{client: o.Client, ctx: ctx, interval: o.Interval, ink: inkMono}
	if m.interval == 0 {
		m.interval = IntervalDefault
	}
	if o.Color {
		m.ink = inkColor
	}
	return m
}

// Run shows the view until somebody quits it or ctx ends, which is no error. A daemon that does not
// answer at the beginning is one; when it goes away later, the view says so and keeps trying.
func Run(ctx context.Context, o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := o.model(ctx)
	first, err := o.Client.Status(ctx)
	if err != nil {
		return err
	}
	m.status = first
	p := tea.NewProgram(m, tea.WithInput(o.Input), tea.WithOutput(o.Output),
		tea.WithEnvironment(o.Env), tea.WithoutSignalHandler())
	stop := context.AfterFunc(ctx, p.Quit)
	defer stop()
	_, err = p.Run()
	if errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return err
}

// Once gives one frame as text, so many columns wide; 0: as wide as it gets. It looks twice, an
// interval apart, to know the rates.
func Once(ctx context.Context, o Options, width int) (string, error) {
	if err := o.validate(); err != nil {
		return "", err
	}
	m := o.model(ctx)
	m.ink = inkNone
	before, err := o.Client.Status(ctx)
	if err != nil {
		return "", err
	}
	if err := wait(ctx, m.interval); err != nil {
		return "", err
	}
	if m.status, err = o.Client.Status(ctx); err != nil {
		return "", err
	}
	m.rates = between(before, m.status)
	if m.list.page, err = o.Client.Sessions(ctx, m.query()); err != nil {
		return "", err
	}
	return m.frame(width, 0) + "\n", nil
}

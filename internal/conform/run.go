package conform

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// heavyMax is how many of the cases that move many bytes run at once.
	heavyMax = 4

	// cutBytesMax is the length up to which what a case sends counts as short.
	cutBytesMax = 256

	// probePatience is how long the first handshake may take, which finds out whether there is a
	// server, and how far away.
	probePatience = 3 * time.Second

	// distanceMax bounds what the distance to the server adds to the timeout.
	distanceMax = 3 * time.Second

	// silentShare is the part of the cases, one in so many, below which silence is looked into by
	// a second run.
	silentShare = 4

	// caseMax bounds a case whatever the server does.
	caseMax = 30 * time.Second
)

// runner is one run of the suite.
type runner struct {
	options  Options
	target   *target
	patience time.Duration
	deflates bool // the server accepts the plainest offer of compression
	final    bool // no case runs again; changed between phases

	announcing sync.Mutex // held during Options.Progress
}

// Run runs the suite against the WebSocket echo server at a ws:// or wss:// URL and reports what
// it found. A failed case is no error. Run returns [ErrNoServer] where no connection could be
// opened at first, and [ErrNoCase] where Options.Only matches nothing. When the context ends, it
// returns the results so far with the context's error.
func Run(ctx context.Context, url string, o Options) (*Report, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	cases, err := choose(o.Only)
	if err != nil {
		return nil, err
	}
	t, err := newTarget(url, o)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoServer, err)
	}
	r := &runner{options: o, target: t}
	elapsed := stopwatch()
	if err := r.probe(ctx, slices.ContainsFunc(cases, (*testCase).echoes)); err != nil {
		return nil, err
	}
	report := &Report{Server: t.shown(), Cases: r.all(ctx, cases), Took: elapsed()}
	report.count()
	return report, context.Cause(ctx)
}

// probe opens the first connections: is there a server, does it echo, does it compress?
func (r *runner) probe(ctx context.Context, echo bool) error {
	elapsed := stopwatch()
	s, err := open(ctx, r.target, "probe", max(probePatience, r.options.Timeout), nil)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w at %s: %w", ErrNoServer, r.target.shown(), err)
	}
	r.patience = r.options.Timeout + min(2*elapsed(), distanceMax)
	s.patience = r.patience
	if echo {
		err = s.probeEcho()
	}
	s.end()
	if err != nil {
		return err
	}
	if s, err := open(ctx, r.target, "probe", r.patience, []offer{plainOffer}); err == nil {
		r.deflates = s.agreed != nil
		s.end()
	}
	return context.Cause(ctx)
}

// applicationCode is the first close code that belongs to applications (RFC 6455, 7.4.2), and
// policyCode the one that servers use for whom they do not want.
const (
	applicationCode = 3000
	policyCode      = 1008
)

// probeEcho says in an error why a server is none that echoes, as far as one message tells. What
// may be a fault of an echo server is left to the cases.
func (s *session) probeEcho() error {
	s.send(0, whole(opText, hello))
	var seen []string
	for {
		e, err := s.next()
		switch {
		case err != nil:
			return err
		case e.kind == evMessage && len(e.payload) != len(hello):
			seen = append(seen, e.String())
			s.patience = min(s.patience, bodyPatience)
			continue
		case e.kind == evClose && (e.code >= applicationCode || e.code == policyCode):
			seen = append(seen, e.String())
		}
		if len(seen) == 0 {
			return nil
		}
		return fmt.Errorf("%w: it answered a text message of %s by a %s", ErrNoEcho,
			quoted(hello), strings.Join(seen, " and a "))
	}
}

// all runs cases side by side and returns the results of those that were not interrupted: first
// the quick ones, then those that move many bytes, so that the one kind does not starve the other
// of time. Silence may have its cause on this side too. Where it is not the rule, what failed by
// it runs a second time at the end, when there is less to do.
func (r *runner) all(ctx context.Context, cases []*testCase) []Result {
	var quick, heavy, again []int
	for i, c := range cases {
		if c.heavy {
			heavy = append(heavy, i)
		} else {
			quick = append(quick, i)
		}
	}
	results := make([]*Result, len(cases))
	r.some(ctx, cases, quick, r.options.Parallel, results)
	r.some(ctx, cases, heavy, min(heavyMax, r.options.Parallel), results)
	for i, res := range results {
		if res != nil && res.silent {
			again = append(again, i)
		}
	}
	r.final = true
	if len(again)*silentShare < len(cases) {
		r.some(ctx, cases, again, min(heavyMax, r.options.Parallel), results)
	} else {
		for _, i := range again {
			r.announce(*results[i])
		}
	}
	var done []Result
	for _, res := range results {
		if res != nil {
			done = append(done, *res)
		}
	}
	return done
}

// some runs the cases of some indices, so many at once, and fills in their results.
func (r *runner) some(
	ctx context.Context, cases []*testCase, indices []int, parallel int, results []*Result,
) {
	queue := make(chan int)
	var workers sync.WaitGroup
	for range min(parallel, len(indices)) {
		workers.Go(func() {
			for i := range queue {
				if res, err := r.one(ctx, cases[i]); err == nil {
					results[i] = &res
					r.announce(res)
				}
			}
		})
	}
	for _, i := range indices {
		if ctx.Err() == nil {
			queue <- i
		}
	}
	close(queue)
	workers.Wait()
}

// announce tells the caller of a result, unless the case may run again.
func (r *runner) announce(res Result) {
	if r.options.Progress == nil || res.silent && !r.final {
		return
	}
	r.announcing.Lock()
	defer r.announcing.Unlock()
	r.options.Progress(res)
}

// one runs a case, and again for each cut where that is asked for. An error means that the run
// was interrupted.
func (r *runner) one(ctx context.Context, c *testCase) (Result, error) {
	res, sent, err := r.once(ctx, c, 0)
	if err != nil || !r.options.CutEach || sent > cutBytesMax {
		return res, err
	}
	for at := 1; at < sent && res.Outcome == Pass; at++ {
		again, _, err := r.once(ctx, c, at)
		if err != nil {
			return res, err
		}
		if again.Outcome != Pass {
			cut := fmt.Sprintf("cut after byte %d: ", at)
			again.Detail, again.Reason = cut+again.Detail, cut+again.Reason
			res = again
		}
	}
	return res, nil
}

func timedOut(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// once runs a case on a connection of its own and returns how many bytes it sent.
func (r *runner) once(ctx context.Context, c *testCase, cutAt int) (Result, int, error) {
	d := c.describe()
	res := Result{ID: d.ID, Description: d.Description, RFC: d.RFC}
	if len(c.offers) > 0 && !r.deflates {
		res.Outcome, res.Detail = Skip, "the server declines permessage-deflate"
		res.Reason = res.Detail
		return res, 0, nil
	}
	limited, cancel := context.WithTimeoutCause(ctx, caseMax,
		failed("the case did not end within %v", caseMax))
	defer cancel()
	if c.handshake != nil {
		log := &transcript{}
		detail, err := r.target.refuse(limited, r.patience, c, log)
		res.judge(log, detail, err)
		return res, 0, context.Cause(ctx)
	}
	s, err := open(limited, r.target, c.id, r.patience, c.offers)
	if err != nil {
		res.judgeHandshake(c, err)
		return res, 0, context.Cause(ctx)
	}
	defer s.end()
	s.cutAt = cutAt
	switch {
	case c.declined && s.agreed == nil:
	case len(c.offers) > 0 && s.agreed == nil:
		res.Outcome = Skip
		res.Detail = "the server declines " + offerLine(c.offers)
		res.Reason = res.Detail
		return res, 0, context.Cause(ctx)
	}
	err = c.play(s)
	res.judge(&s.log, strings.Join(s.remarks, "; "), err)
	return res, s.sentBytes, context.Cause(ctx)
}

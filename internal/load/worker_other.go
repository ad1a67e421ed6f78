//go:build !linux

package load

import (
	"context"
	"errors"
	"time"

	"github.com/curfew-go/curfew/internal/load/result"
)

// errLinux is why there is no Worker here.
var errLinux = errors.New("load: it drives its connections by epoll, which only Linux has")

// Worker cannot be had on this system.
type Worker struct{}

// NewWorker says that it cannot be had.
func NewWorker(Plan, func(result.Interval)) (*Worker, error) { return nil, errLinux }

// Connect is never reached.
func (*Worker) Connect(context.Context) error { return errLinux }

// Run is never reached.
func (*Worker) Run(context.Context, time.Time) error { return errLinux }

// Part is never reached.
func (*Worker) Part() *result.Part { return new(result.Part) }

// Detect says that it cannot be done.
func Detect(context.Context, Plan) (string, error) { return "", errLinux }

// Close is never reached.
func (*Worker) Close() error { return nil }

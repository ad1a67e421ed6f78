//go:build !linux

package fleet

import (
	"context"
	"errors"
	"io"
	"os/exec"

	"github.com/curfew-go/curfew/internal/load/result"
)

// errLinux is why there is no fleet here.
var errLinux = errors.New("the harness drives its connections by epoll, which only Linux has: " +
	"run it there, or in a container")

// Work cannot be done on this system.
func Work(context.Context, io.Reader, io.Writer) error { return errLinux }

func monotonic() int64 { return 0 }

func raiseFiles() (uint64, error) { return 0, errLinux }

func machineFiles() (uint64, bool) { return 0, false }

func readSample(int) (sample, error) { return sample{}, errLinux }

func describeMachine(*result.Environment) {}

// apart does nothing: there are no processes of a run here.
func apart(*exec.Cmd) {}

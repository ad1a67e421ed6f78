//go:build !linux

package netloop

import (
	"errors"
	"net"
)

// loopsAvailable says that there are no loops here.
const loopsAvailable = false

// fleet is all loops of a server: none.
type fleet struct{}

func (*fleet) init(*Server) {}

func (*fleet) serve(*net.TCPListener) error { return errors.ErrUnsupported }

func (*fleet) conn(ID) (Conn, bool) { return Conn{}, false }

func (*fleet) release(ID) {}

func (*fleet) all(func(Conn) bool) {}

func (*fleet) wake() {}

func (*fleet) turned() bool { return true }

func (*fleet) addTo(*Stats) {}

func (*fleet) close() {}

func tuneSocket(int, *Options) {}

func dropNewcomers(*net.TCPListener) {}

// hasQueue does not know, and closing the listener cuts off who waits there.
func hasQueue(*net.TCPListener) bool { return false }

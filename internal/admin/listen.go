package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
)

const (
	unixPrefix = "unix:"
	// socketMode lets nobody but the daemon's own user ask.
	socketMode fs.FileMode = 0o600
)

// Listen listens at HOST:PORT, or at a unix socket, unix:PATH. The socket is a file that only this
// user can open, and that goes when the listener is closed. One that a process left behind when it
// died is replaced; one that is served, and any other file, is not.
func Listen(addr string) (net.Listener, error) {
	socket, ok := strings.CutPrefix(addr, unixPrefix)
	if !ok {
		if strings.HasPrefix(addr, "0.0.0.0:") {
			return net.Listen("tcp4", addr) // by tcp it would be all of IPv6 too
		}
		return net.Listen("tcp", addr)
	}
	if socket == "" || socket[0] == '@' {
		return nil, fmt.Errorf("admin: listen %s: needs a file", addr)
	}
	l, err := listenSocket(socket)
	if errors.Is(err, syscall.EADDRINUSE) {
		if err = removeDead(socket); err == nil {
			l, err = listenSocket(socket)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	return l, nil
}

func listenSocket(socket string) (net.Listener, error) {
	// The mode is set before the file exists where the system can, and after it everywhere.
	c := net.ListenConfig{Control: makePrivate}
	l, err := c.Listen(context.Background(), "unix", socket)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(socket, socketMode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// removeDead removes a socket that nobody serves.
func removeDead(socket string) error {
	info, err := os.Lstat(socket)
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("listen unix %s: there is a file that is no socket", socket)
	}
	c, err := net.Dial("unix", socket)
	switch {
	case err == nil:
		c.Close()
		return fmt.Errorf("listen unix %s: another process serves it", socket)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("listen unix %s: is it served? %w", socket, err)
	}
	return os.Remove(socket)
}

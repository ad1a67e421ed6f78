package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/curfew-go/curfew/internal/load"
)

// peerKinds are the kinds of bench/peers/wsserver.
var peerKinds = []string{"gnet", "gobwas", "gws", "gorilla", "nbio", "coder"}

// server is a way to start one.
type server struct {
	name   string
	binary string
	args   []string     // before the flag --listen
	client load.Options // without the address
	pin    pinning
}

// findServers are the servers to measure, as far as their binaries are given.
func findServers(s settings) ([]server, error) {
	var all []server
	if s.wsserver != "" {
		for _, kind := range peerKinds {
			all = append(all, server{name: kind, binary: s.wsserver, args: []string{"-kind", kind}})
		}
	}
	if s.curfewd != "" {
		all = append(all, daemons(s.curfewd)...)
	}
	if s.only == "" {
		s.only = strings.Join(append(peerKinds, "curfewd"), ",")
	}
	var some []server
	for name := range strings.SplitSeq(s.only, ",") {
		n := len(some)
		for _, v := range all {
			if v.name == name || strings.HasPrefix(v.name, name+"-") {
				v.pin = s.pin
				some = append(some, v)
			}
		}
		if n == len(some) {
			return nil, fmt.Errorf("no server is called %s, or its binary is not given", name)
		}
	}
	return some, nil
}

// raw is how the daemon is spoken to where its sessions are not what is measured.
var raw = load.Options{Subprotocol: "curfew.raw"}

// daemons are the modes of the daemon, one where it does not know of modes. Nothing that it does by
// itself falls into a run.
func daemons(binary string) []server {
	help, _ := exec.Command(binary, "--help").CombinedOutput() // its status does not matter
	args := []string{"--log-level", "error", "--ping-interval", "10m"}
	if strings.Contains(string(help), "--admin ") {
		args = append(args, "--admin", "")
	}
	if !strings.Contains(string(help), "--mode") {
		return []server{{name: "curfewd", binary: binary, args: args, client: raw}}
	}
	var modes []server
	for _, mode := range []string{"epoll", "goroutine"} {
		with := append([]string{"--mode", mode}, args...)
		modes = append(modes, server{
			name: "curfewd-" + mode, binary: binary, args: with, client: raw,
		})
	}
	return modes
}

// running is a server that can be connected to, and its client.
type running struct {
	process *exec.Cmd
	driver  *driver
	load.Process
}

// start starts a server on a free port, and its client.
func (v server) start() (*running, error) {
	r, address, err := v.launch()
	if err != nil {
		return nil, err
	}
	o := v.client
	o.Address = address
	if r.driver, err = newDriver(o, v.pin.client); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

// launch starts a server on a free port.
func (v server) launch() (r *running, address string, err error) {
	if address, err = freeAddress(); err != nil {
		return nil, "", err
	}
	process := pinned(v.pin.server, v.binary, append(v.args, "--listen", address)...)
	process.Stderr = os.Stderr
	if err := process.Start(); err != nil {
		return nil, "", err
	}
	r = &running{process: process, Process: load.Process(process.Process.Pid)}
	if err := awaitListener(address); err != nil {
		return nil, "", errors.Join(err, r.stop())
	}
	return r, address, nil
}

// freeAddress is one that nobody listens at.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// awaitListener returns when a server can be connected to.
func awaitListener(address string) error {
	var err error
	for range 500 {
		var c net.Conn
		if c, err = net.Dial("tcp", address); err == nil {
			c.Close()
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// stop ends both processes.
func (r *running) stop() error {
	var err error
	if r.driver != nil {
		err = r.driver.stop()
	}
	return errors.Join(err, end(r.process))
}

package netloop

import (
	"context"
	"net"
	"strings"
)

// Listen listens at a TCP address, for [Server.Serve]. It speaks plain TCP: of MPTCP, which Go
// would choose where the system has it, connections inherit no options from their listener. Where
// address is 0.0.0.0 it speaks IPv4 alone, and Go would not.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	var c net.ListenConfig
	c.SetMultipathTCP(false)
	network := "tcp"
	if strings.HasPrefix(address, "0.0.0.0:") {
		network = "tcp4"
	}
	return c.Listen(ctx, network, address)
}

// tuneListener sets what connections inherit from their listener: a peer that acknowledges nothing
// is given up when it would have failed to answer a ping.
func tuneListener(l net.Listener, o *Options) {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return // Accept will say
	}
	_ = raw.Control(func(fd uintptr) { tuneSocket(int(fd), o) })
}

package load

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Options say which server a Client drives and how it speaks to it.
type Options struct {
	// Address is an IP address and a port.
	Address string
	// Path is what is asked for. "": /ws.
	Path string
	// Host is what the server is called. "": Address.
	Host string
	// Header holds further fields of the upgrade.
	Header http.Header
	// TLS encrypts, where it is not nil.
	TLS *tls.Config `json:"-"`
	// Subprotocol is offered, with commas between several, of which one must then be taken. "":
	// none, or that of the protocol.
	Subprotocol string
	// Token is the server's shared secret, which a hello brings. Only JSON has one.
	Token string
	// Protocol is how messages stand in frames.
	Protocol Protocol
	// Resume asks for sessions that can be resumed. Only JSON has them.
	Resume bool
	// AskIdle is after what silence the server is asked to end a session. 0: as it does by itself.
	AskIdle time.Duration
	// AckEvery is after how many numbered frames of such a session they are acknowledged. 0: 16.
	AckEvery int
	// Sources are the addresses to connect from, in turn. nil: what the system chooses.
	Sources []netip.Addr
	// Dialing is how many connections may be begun and not open yet. 0: 128.
	Dialing int
	// MessageBytesMax is the longest message of the server's. 0: 64 KiB and what goes around it.
	MessageBytesMax int
	// Text sends text frames in place of binary ones, as JSON does in any case; messages are ASCII
	// without anything that JSON escapes.
	Text bool
}

func (o Options) withDefaults() Options {
	if o.Path == "" {
		o.Path = "/ws"
	}
	if o.Host == "" {
		o.Host = o.Address
	}
	if o.MessageBytesMax == 0 {
		o.MessageBytesMax = bytesMax
	}
	if o.Dialing == 0 {
		o.Dialing = 128
	}
	if o.Protocol == JSON && o.Subprotocol == "" {
		o.Subprotocol = protocolV1
	}
	if o.AckEvery == 0 {
		o.AckEvery = ackEveryDefault
	}
	return o
}

func (o Options) validate() error {
	var found []error
	server, err := netip.ParseAddrPort(o.Address)
	if err != nil {
		found = append(found, fmt.Errorf("load: address %q is no IP address and port", o.Address))
	}
	if strings.ContainsAny(o.Path+o.Host, "\r\n ") || strings.ContainsAny(o.Subprotocol, "\r\n") {
		found = append(found, errors.New("load: path, host or subprotocol with a space"))
	}
	for _, a := range o.Sources {
		if err == nil && a.Is4() != server.Addr().Is4() {
			found = append(found, fmt.Errorf(
				"load: the source %v is not of the same IP version as the server %v", a, server))
		}
	}
	if o.Dialing < 0 {
		found = append(found, fmt.Errorf("load: %d connections dialing", o.Dialing))
	}
	return errors.Join(append(found, o.validateProtocol())...)
}

// ConnectOptions say what to connect.
type ConnectOptions struct {
	// Connections is how many to add.
	Connections int
	// Rate is how many to begin a second. 0: as many as the server takes.
	Rate float64
	// GiveUp is how long to wait while nothing happens. 0: 30 s.
	GiveUp time.Duration
}

// EchoOptions say what to send. It ends with the earlier of Duration and Count; one must be set.
type EchoOptions struct {
	// Connections is how many of those that are open take part. 0: all.
	Connections int
	// Bytes is the size of a message, 1 to 64 KiB. 0: 32. Those below 12 are not told apart well.
	Bytes int
	// Duration is how long messages fall due.
	Duration time.Duration
	// Count is how many messages fall due.
	Count int
	// Rate is how many messages fall due a second, over all connections. 0: a message is due as
	// soon as a connection is free for it.
	Rate float64
	// InFlight is how many messages may be unanswered at once, at most one a connection. 0: that.
	InFlight int
	// GiveUp is how long to wait for the last answers; messages without one are lost. 0: 5 s.
	GiveUp time.Duration
}

// bytesMax is the longest message.
const bytesMax = 64 << 10

func (o EchoOptions) withDefaults(open int) EchoOptions {
	if o.Connections == 0 || o.Connections > open {
		o.Connections = open
	}
	if o.InFlight == 0 || o.InFlight > o.Connections {
		o.InFlight = o.Connections
	}
	if o.Bytes == 0 {
		o.Bytes = 32
	}
	if o.GiveUp == 0 {
		o.GiveUp = 5 * time.Second
	}
	return o
}

func (o EchoOptions) validate() error {
	switch {
	case o.Connections < 1:
		return errors.New("load: echo over no connections")
	case o.Bytes < 1 || o.Bytes > bytesMax:
		return fmt.Errorf("load: messages of %d bytes", o.Bytes)
	case o.Duration <= 0 && o.Count <= 0:
		return errors.New("load: echo without an end")
	case o.Rate < 0 || o.InFlight < 0:
		return errors.New("load: echo at a negative rate")
	}
	return nil
}

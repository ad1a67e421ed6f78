package load

import (
	"context"
	"strings"
	"time"
)

// detectTime is how long a server has to answer a hello.
const detectTime = 2 * time.Second

// Detect finds out how a server speaks, by a connection that says hello: SpeakJSON where it is
// welcomed or refused, SpeakPlain where it comes back, or nothing does. Where no connection can be
// had it is SpeakPlain too: what is wrong will be seen again.
func Detect(ctx context.Context, p Plan) (protocol string, err error) {
	p.Protocol, p.Profile = SpeakJSON, ProfileEcho
	t, err := findTarget(ctx, p)
	if err != nil {
		return "", err
	}
	o := p.options(t)
	c, err := New(o)
	if err != nil {
		return "", err
	}
	defer func() { _ = c.Close() }()
	// The hello alone is to tell: many a server takes whatever subprotocol it is offered.
	c.o.Subprotocol = p.Subprotocol
	c.request, c.accept = upgradeRequest(c.o)
	r, err := c.Connect(ConnectOptions{Connections: 1, GiveUp: detectTime})
	if err != nil {
		return "", err
	}
	for why := range r.Errors {
		if strings.HasPrefix(why, helloRefused) {
			return SpeakJSON, nil
		}
	}
	if r.OK > 0 {
		return SpeakJSON, nil
	}
	return SpeakPlain, nil
}

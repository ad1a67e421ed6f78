package load

import "fmt"

// Protocol is how messages stand in frames.
type Protocol uint8

const (
	// Plain is one message a frame, as it is; so is curfew.raw.
	Plain Protocol = iota
	// JSON is curfew.v1: a hello, then envelopes with an op.
	JSON
)

// protocolV1 is the subprotocol of JSON.
const protocolV1 = "curfew.v1"

// ackEveryDefault is far below the 64 frames that a server of curfew.v1 keeps for replay.
const ackEveryDefault = 16

// validateProtocol says what is wrong with the fields that go with the protocol.
func (o Options) validateProtocol() error {
	switch {
	case o.Protocol > JSON:
		return fmt.Errorf("load: protocol %d is unknown", o.Protocol)
	case o.Protocol == Plain && o.Resume:
		return fmt.Errorf("load: only sessions of %s can be resumed", protocolV1)
	case o.AckEvery < 0:
		return fmt.Errorf("load: acknowledged every %d frames", o.AckEvery)
	}
	return nil
}

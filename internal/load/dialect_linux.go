package load

import "time"

// dialect is a protocol as the connections of one Client speak it.
type dialect interface {
	// upgraded is called when a connection is upgraded: it is opened now, or says something first.
	upgraded(slot uint32, now time.Duration)

	// wrap gives the payload of the frame that carries a message, until the next call.
	wrap(message []byte) []byte

	// received takes what a text or binary frame of the server holds.
	received(slot uint32, payload []byte, now time.Duration)

	// told says whether the server has said what it has to say before it closes a connection
	// whose session is over.
	told(slot uint32) bool

	// forget is called when a connection has ended, after the task heard of it.
	forget(slot uint32)
}

// plain is the dialect of Plain.
type plain struct{ c *Client }

func (p plain) upgraded(slot uint32, now time.Duration) { p.c.opened(slot, now) }

func (plain) wrap(message []byte) []byte { return message }

func (p plain) received(slot uint32, payload []byte, now time.Duration) {
	p.c.task.message(slot, payload, now)
}

func (plain) told(uint32) bool { return true }

func (plain) forget(uint32) {}

package conform

import (
	"bytes"
	"fmt"
	"time"
)

// readable returns text of so many bytes whose code points are one to four bytes long.
func readable(n int) []byte {
	const verse = "Curfew rings, \u00b5 and \u00df, \u20ac and \u2014, \U0001d11e; then silence. "
	return repeated(verse, n)
}

// unreadable returns bytes that are no text.
func unreadable(n int) []byte {
	return repeated("\x00\xfe\xff\xc0silence\x80\x0a", n)
}

// repeated returns the first n bytes of a pattern's repetition. What would be a part of a
// repetition at the end is dots instead, so that no code point is cut.
func repeated(pattern string, n int) []byte {
	b := bytes.Repeat([]byte(pattern), n/len(pattern))
	return append(b, bytes.Repeat([]byte{'.'}, n-len(b))...)
}

// limitCases is sections 9 and 10: messages that are large, in many pieces, or many.
func limitCases() []*testCase {
	const kib, mib = 1 << 10, 1 << 20
	var all []*testCase
	add := func(id, what string, op byte, size, fragment int, cut cutting) {
		all = append(all, &testCase{
			id: id, rfc: "5.4", heavy: size >= mib, what: what,
			run: func(s *session) error { return large(s, op, size, fragment, cut) },
		})
	}
	ops := []byte{opText, opBinary}
	for k, op := range ops {
		for i, size := range []int{64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib} {
			add(fmt.Sprintf("9.%d.%d", k+1, i+1), fmt.Sprintf(
				"a %s message of %d KiB comes back", opName(op), size/kib), op, size, size, 0)
		}
	}
	for k, op := range ops {
		for i := range 9 {
			fragment := 64 << (2 * i)
			add(fmt.Sprintf("9.%d.%d", k+3, i+1), fmt.Sprintf(
				"a %s message of 4 MiB in fragments of %d bytes comes back", opName(op),
				fragment), op, 4*mib, fragment, 0)
		}
	}
	for k, op := range ops {
		for i := range 6 {
			cut := 64 << i
			add(fmt.Sprintf("9.%d.%d", k+5, i+1), fmt.Sprintf(
				"a %s message of 1 MiB, sent %d bytes at a time, comes back", opName(op), cut),
				op, mib, mib, cutting(cut))
		}
	}
	for k, op := range ops {
		for i, size := range []int{0, 16, 64, 256, 1024, 4096} {
			all = append(all, &testCase{
				id: fmt.Sprintf("9.%d.%d", k+7, i+1), rfc: "5.6",
				what: fmt.Sprintf("%d %s messages of %d bytes come back one by one",
					roundTrips, opName(op), size),
				run: func(s *session) error { return rounds(s, op, size) },
			})
		}
	}
	return append(all, autoFragmented())
}

// roundTrips is how many messages 9.7 and 9.8 send.
const roundTrips = 100

// rounds echoes messages one after the other.
func rounds(s *session, op byte, size int) error {
	payload := filled(op, size)
	for range roundTrips {
		s.send(0, whole(op, payload))
		if err := s.expect(message(op, payload)); err != nil {
			return err
		}
	}
	return s.closeCleanly()
}

func filled(op byte, size int) []byte {
	if op == opText {
		return readable(size)
	}
	return unreadable(size)
}

// bytesPerPatience is how many bytes of a message are worth a second of patience.
const bytesPerPatience = 8 << 20

// large echoes a message that takes its time. A small one goes first: whoever does not answer
// that is silent and is not waited for any longer.
func large(s *session, op byte, size, fragment int, cut cutting) error {
	s.send(0, whole(op, hello))
	if err := s.expect(message(op, hello)); err != nil {
		return err
	}
	s.patience += time.Duration(size) * time.Second / bytesPerPatience
	payload := filled(op, size)
	s.send(cut, fragmented(op, payload, fragment)...)
	if err := s.expect(message(op, payload)); err != nil {
		return err
	}
	return s.closeCleanly()
}

// autoFragmented is section 10.
func autoFragmented() *testCase {
	payload := repeated("*", 65536)
	return &testCase{
		id: "10.1.1", rfc: "5.4",
		what: "a text message of 65536 bytes in fragments of 1300 bytes comes back",
		script: []step{{
			send: fragmented(opText, payload, 1300),
			want: []event{message(opText, payload)},
		}},
	}
}

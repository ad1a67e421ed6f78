package conform

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// greek is the five letters of "kosme", the first with an accent outside of the Latin pages.
	greek = "\u03ba\u1f79\u03c3\u03bc\u03b5"

	// mixed has code points of one and of two bytes.
	mixed = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!"

	// surrogate is the UTF-8 form of U+D800, which is none: bad from its second byte on.
	surrogate = "\xed\xa0\x80"

	// beyond is the UTF-8 form of U+110000, which is none: bad from its second byte on.
	beyond = "\xf4\x90\x80\x80"
)

// utf8Cases is section 6.
func utf8Cases() []*testCase {
	all := []*testCase{
		echoed("6.1.1", "an empty text message comes back", text("")),
		echoed("6.1.2", "a text message of three empty fragments comes back empty",
			part(opText, "", true), part(opContinuation, "", true),
			part(opContinuation, "", false)),
		echoed("6.1.3", "a text message whose first and last fragments are empty comes back",
			part(opText, "", true), part(opContinuation, "the middle", true),
			part(opContinuation, "", false)),
		echoed("6.2.1", "valid UTF-8 in one frame comes back", text(mixed)),
		echoed("6.2.2", "valid UTF-8 in two fragments, parted between code points, comes back",
			part(opText, mixed[:12], true), part(opContinuation, mixed[12:], false)),
		echoed("6.2.3", "valid UTF-8 in fragments of one byte comes back",
			fragmented(opText, []byte(mixed), 1)...),
		echoed("6.2.4", "valid UTF-8 of two and three bytes a letter in fragments of one byte "+
			"comes back", fragmented(opText, []byte(greek), 1)...),
	}
	bad := []byte(greek + surrogate + "edited")
	all = append(all,
		badText("6.3.1", "text with a surrogate in the middle is refused", whole(opText, bad)),
		badText("6.3.2", "text with a surrogate in the middle, in fragments of one byte, is "+
			"refused", fragmented(opText, bad, 1)...))
	all = append(all, failFast()...)
	for g, group := range utf8Groups() {
		for i, s := range group.strings {
			id := fmt.Sprintf("6.%d.%d", g+5, i+1)
			if utf8.ValidString(s) {
				all = append(all, echoed(id, group.what+": comes back", text(s)))
			} else {
				all = append(all, badText(id, group.what+": refused", text(s)))
			}
		}
	}
	return all
}

// echoed is a case whose frames make one text message, which comes back.
func echoed(id, what string, frames ...frame) *testCase {
	var all []byte
	for _, f := range frames {
		all = append(all, f.payload...)
	}
	return &testCase{
		id: id, rfc: "5.6", what: what,
		script: []step{{0, frames, []event{message(frames[0].op, all)}}},
	}
}

// badText is a case whose frames make a text message that is not UTF-8.
func badText(id, what string, frames ...frame) *testCase {
	return &testCase{
		id: id, rfc: "8.1", what: what,
		script: []step{{send: frames}},
		end:    refusal(badData),
	}
}

// failFast is 6.4: when is bad text refused that does not arrive at once? RFC 6455, 8.1 does not
// say, so that late is a remark.
func failFast() []*testCase {
	cuts := [3]string{greek, beyond, "edited"}
	atByte := [3]string{greek + beyond[:1], beyond[1:2], beyond[2:] + "edited"}
	const (
		inFrames = "bad text in three fragments is refused, at best with the second"
		inChops  = "bad text in one frame that arrives in three parts is refused, at best with " +
			"the second"
		exactly = ", which ends with the first byte that is wrong"
	)
	return []*testCase{
		{id: "6.4.1", rfc: "8.1", what: inFrames, run: badFragments(cuts)},
		{id: "6.4.2", rfc: "8.1", what: inFrames + exactly, run: badFragments(atByte)},
		{id: "6.4.3", rfc: "8.1", what: inChops, run: badChops(cuts)},
		{id: "6.4.4", rfc: "8.1", what: inChops + exactly, run: badChops(atByte)},
	}
}

// lateText is the remark on a server that takes its time.
const lateText = "the bad text was refused late, when all of it had arrived (RFC 6455, 8.1 " +
	"permits it)"

// badFragments sends fragments with a ping after the first and the second: whoever answers the
// second ping has not refused.
func badFragments(parts [3]string) func(*session) error {
	return func(s *session) error {
		s.send(0, part(opText, parts[0], true), ping("first"))
		if err := s.expect(pong([]byte("first"))); err != nil {
			return err
		}
		s.send(0, part(opContinuation, parts[1], true), ping("second"))
		s.log.expected.add("close frame 1007, at best before the last fragment is sent")
		e, err := s.next()
		switch {
		case err != nil:
			return err
		case e.is(pong([]byte("second"))) || e.kind == evSilent:
			s.remark(lateText)
		case e.kind == evClose || e.kind == evEnd:
			return s.refusedBy(e, badData, nil)
		default:
			return s.surprise(e)
		}
		s.send(0, part(opContinuation, parts[2], false))
		return s.expectRefusal(badData)
	}
}

// badChops sends the header of one frame and its payload in three parts. Inside a frame nothing
// can be asked, so that time has to tell.
func badChops(parts [3]string) func(*session) error {
	return func(s *session) error {
		all := []byte(strings.Join(parts[:], ""))
		patience := s.patience
		// Together no more than one patience, so that a silent server costs no more here.
		moments := [2]time.Duration{
			min(patience/8, 20*time.Millisecond), min(patience/4, 150*time.Millisecond),
		}
		s.patience = patience - moments[0] - moments[1]
		chop := s.begin(frame{op: opText, payload: all})
		for i, p := range parts[:2] {
			chop(len(p))
			e, err := s.within(moments[i])
			switch {
			case err != nil:
				return err
			case e.kind == evSilent:
			case i == 1 && (e.kind == evClose || e.kind == evEnd):
				return s.refusedBy(e, badData, nil)
			default:
				return s.surprise(e)
			}
		}
		s.remark(lateText)
		chop(len(parts[2]))
		return s.expectRefusal(badData)
	}
}

type utf8Group struct {
	what    string
	strings []string
}

// utf8Groups is 6.5 to 6.23, after the chapters of Markus Kuhn's UTF-8 decoder stress test.
func utf8Groups() []utf8Group {
	prefixes := make([]string, len(greek))
	for i := range prefixes {
		prefixes[i] = greek[:i+1]
	}
	missing := []string{
		"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
		"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf",
	}
	return []utf8Group{
		{"valid UTF-8", []string{
			"hello$world", "hello\u00a2world", "hello\u20acworld", "hello\U00024b62world", greek,
		}},
		{"a prefix of a valid string", prefixes},
		{"the first code point of a length", []string{"\x00", "\u0080", "\u0800", "\U00010000"}},
		{"the first sequence of 5 or 6 bytes", []string{
			"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80",
		}},
		{"the last code point of a length", []string{"\x7f", "\u07ff", "\uffff", "\U0010ffff"}},
		{"the last sequence of 4, 5 or 6 bytes", []string{
			"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf",
		}},
		{"a code point at a border", []string{
			"\ud7ff", "\ue000", "\ufffd", "\U0010ffff", beyond,
		}},
		{"continuation bytes with nothing to continue", stray()},
		{"first bytes with nothing after them", lonely()},
		{"the last byte of a sequence is missing", missing},
		{"ten sequences without their last byte", []string{strings.Join(missing, "")}},
		{"bytes that never occur", []string{"\xfe", "\xff", "\xfe\xfe\xff\xff"}},
		{"an overlong slash", []string{
			"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf",
			"\xfc\x80\x80\x80\x80\xaf",
		}},
		{"the largest overlong sequence of a length", []string{
			"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf",
			"\xfc\x83\xbf\xbf\xbf\xbf",
		}},
		{"an overlong NUL", []string{
			"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80",
			"\xfc\x80\x80\x80\x80\x80",
		}},
		{"a single surrogate", []string{
			surrogate, "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80",
			"\xed\xbe\x80", "\xed\xbf\xbf",
		}},
		{"a pair of surrogates", pairs()},
		{"a code point that is no character but valid", noncharacters()},
		{"a code point of the block Specials", []string{
			"\ufff9", "\ufffa", "\ufffb", "\ufffc", "\ufffd", "\ufffe", "\uffff",
		}},
	}
}

func stray() []string {
	const both = "\x80\xbf"
	all := []string{"\x80", "\xbf"}
	for n := 2; n <= 6; n++ {
		all = append(all, strings.Repeat(both, 3)[:n])
	}
	every := make([]byte, 0, 64)
	for b := 0x80; b < 0xC0; b++ {
		every = append(every, byte(b))
	}
	return append(all, string(every))
}

func lonely() []string {
	var all []string
	for _, r := range [][2]byte{
		{0xC0, 0xDF}, {0xE0, 0xEF}, {0xF0, 0xF7}, {0xF8, 0xFB}, {0xFC, 0xFD},
	} {
		var s []byte
		for b := r[0]; b <= r[1]; b++ {
			s = append(s, b, ' ')
		}
		all = append(all, string(s))
	}
	return all
}

func pairs() []string {
	var all []string
	for _, high := range []string{"\xa0\x80", "\xad\xbf", "\xae\x80", "\xaf\xbf"} {
		for _, low := range []string{"\xb0\x80", "\xbf\xbf"} {
			all = append(all, "\xed"+high+"\xed"+low)
		}
	}
	return all
}

// noncharacters are the last two code points of each of the 17 planes.
func noncharacters() []string {
	var all []string
	for plane := rune(0); plane <= 0x10; plane++ {
		all = append(all, string(plane<<16|0xFFFE), string(plane<<16|0xFFFF))
	}
	return all
}

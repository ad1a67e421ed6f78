package conform

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// plainOffer asks for nothing and allows everything.
var plainOffer = offer{clientNoTakeover: true, clientBits: anyBits}

const (
	// deflatedBytes is about how many bytes a case of sections 12 and 13 sends before they are
	// compressed. The Autobahn testsuite sends 1000 messages of each size.
	deflatedBytes = 512 << 10

	deflatedMin = 4   // messages, where they are large
	deflatedMax = 100 // messages, where they are small
)

// deflatedSizes are the lengths of messages and fragments (0: one frame) of sections 12 and 13.
var deflatedSizes = []struct{ message, fragment int }{
	{16, 0},
	{64, 0},
	{256, 0},
	{1 << 10, 0},
	{4 << 10, 0},
	{8 << 10, 0},
	{16 << 10, 0},
	{32 << 10, 0},
	{64 << 10, 0},
	{128 << 10, 0},
	{8 << 10, 256},
	{16 << 10, 256},
	{32 << 10, 256},
	{64 << 10, 256},
	{128 << 10, 256},
	{128 << 10, 1 << 10},
	{128 << 10, 4 << 10},
	{128 << 10, 32 << 10},
}

// compressionCases is sections 12 (kinds of data) and 13 (kinds of offers).
func compressionCases() []*testCase {
	var all []*testCase
	for i, d := range corpora {
		all = append(all, deflated(fmt.Sprintf("12.%d", i+1), d, []offer{plainOffer})...)
	}
	with := func(noTakeover bool, bits int) offer {
		o := plainOffer
		o.serverNoTakeover, o.serverBits = noTakeover, bits
		return o
	}
	offers := [][]offer{
		{plainOffer},
		{with(true, 0)},
		{with(false, 9)},
		{with(false, 15)},
		{with(true, 9)},
		{with(true, 15)},
		{with(true, 9), with(true, 0), plainOffer},
	}
	for i, o := range offers {
		all = append(all, deflated(fmt.Sprintf("13.%d", i+1), corpora[0], o)...)
	}
	return all
}

// deflated returns the cases of a group: all sizes of one kind of data with one list of offers.
func deflated(group string, d corpus, offers []offer) []*testCase {
	var all []*testCase
	for i, size := range deflatedSizes {
		count := min(max(deflatedBytes/size.message, deflatedMin), deflatedMax)
		what := fmt.Sprintf("%d compressed messages of %s, %d bytes each, come back", count,
			d.name, size.message)
		if size.fragment > 0 {
			what += fmt.Sprintf(", in fragments of %d bytes", size.fragment)
		}
		all = append(all, &testCase{
			id: fmt.Sprintf("%s.%d", group, i+1), rfc: "7692, 7",
			what:   what + "; offered: " + offerLine(offers),
			offers: offers, heavy: true,
			run: func(s *session) error {
				return compressedRounds(s, d, count, size.message, size.fragment)
			},
		})
	}
	return all
}

// compressedRounds echoes messages one after the other.
func compressedRounds(s *session, d corpus, count, size, fragment int) error {
	data, at := d.data(), 0
	for range count {
		payload := slices.Concat(data[at:], data)[:size]
		at = (at + size) % len(data)
		s.sendCompressed(d.op, payload, fragment)
		if err := s.expect(message(d.op, payload)); err != nil {
			return err
		}
	}
	return s.closeCleanly()
}

// sendCompressed sends a message as the agreement with the server has it.
func (s *session) sendCompressed(op byte, payload []byte, fragment int) {
	s.largest = max(s.largest, len(payload))
	s.send(0, compressed(op, s.deflate.message(payload), fragment)...)
}

// compressed is a message of compressed bytes, in frames of at most so many (0: one frame).
func compressed(op byte, deflated []byte, fragment int) []frame {
	if fragment == 0 {
		fragment = len(deflated)
	}
	frames := fragmented(op, deflated, max(fragment, 1))
	frames[0].rsv = rsv1
	return frames
}

// corpus is one kind of data to compress.
type corpus struct {
	name string
	op   byte
	data func() []byte
}

// corpusBytes is about how much of each kind there is; messages begin anew where it ends.
const corpusBytes = 200 << 10

// corpora are the data of section 12, made up for it: the same in each run.
var corpora = []corpus{
	{"JSON", opText, sync.OnceValue(jsonLike)},
	{"a grey picture", opBinary, sync.OnceValue(pictureLike)},
	{"prose", opBinary, sync.OnceValue(proseLike)},
	{"HTML", opText, sync.OnceValue(htmlLike)},
	{"bytes that hardly compress", opBinary, sync.OnceValue(noiseLike)},
}

func seeded(n uint64) *rand.Rand {
	return rand.New(rand.NewPCG(n, n))
}

var words = strings.Fields("the curfew tolls a bell of parting day and leaves world to darkness " +
	"session deadline wheel tick shard frame socket server client between under over never late " +
	"early silence answer message idle again first second last light night watch keeper gate")

func sentence(r *rand.Rand) string {
	var b strings.Builder
	for n := 4 + r.IntN(12); n > 0; n-- {
		b.WriteString(words[r.IntN(len(words))])
		if n > 1 {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func jsonLike() []byte {
	r := seeded(1)
	var b []byte
	for i := 0; len(b) < corpusBytes; i++ {
		b = fmt.Appendf(b, `{"id":%d,"at":%d.%03d,"ok":%t,"note":%q,"tags":[%q,%q]},`+"\n", i,
			r.IntN(1e9), r.IntN(1000), r.IntN(2) == 0, sentence(r), words[r.IntN(len(words))],
			words[r.IntN(len(words))])
	}
	return b
}

func pictureLike() []byte {
	r := seeded(2)
	const width = 512
	b := make([]byte, corpusBytes)
	for i := range b {
		x, y := i%width, i/width
		b[i] = byte(x/3 + y/5 + r.IntN(7) + 40*(x/64+y/48)%90)
	}
	return b
}

func proseLike() []byte {
	r := seeded(3)
	var b []byte
	for len(b) < corpusBytes {
		b = append(b, sentence(r)+", "+sentence(r)+".\r\n"...)
	}
	return b
}

func htmlLike() []byte {
	r := seeded(4)
	b := []byte("<!DOCTYPE html>\n<html><head><title>curfew</title></head><body>\n")
	for len(b) < corpusBytes {
		b = fmt.Appendf(b, "<div class=%q><p id=\"p%d\">%s</p><a href=\"/%s\">%s</a></div>\n",
			words[r.IntN(len(words))], len(b), sentence(r), words[r.IntN(len(words))],
			sentence(r))
	}
	return b
}

// noiseLike is noise with some islands that compress, as in a file of compressed streams.
func noiseLike() []byte {
	r := seeded(5)
	b := make([]byte, 0, corpusBytes+1<<10)
	for len(b) < corpusBytes {
		for range 1 << 9 {
			b = append(b, byte(r.Uint32()))
		}
		b = append(b, "endstream\nendobj\n"...)
	}
	return b
}

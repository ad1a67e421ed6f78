package netloop

import (
	"encoding/binary"
	"net/netip"
	"sync/atomic"

	"github.com/curfew-go/curfew/internal/wheel"
	"github.com/curfew-go/curfew/internal/wsframe"
)

// slot is one connection of a loop: all that it is while it is idle, in one cache line and without
// pointers. The atomic fields may be read by anybody, who then compares the generation; what is
// not atomic belongs to the loop.
//
// The word holds, from the highest bit: 32 bits of generation, 8 of compression, 8 of subprotocol
// and 16 flags. Who is not the loop may only set flagReady, flagReleased where it is held, and,
// first, flagEnding, all by compare and swap.
type slot struct {
	word atomic.Uint64
	tag  atomic.Uint64    // the handler's word
	ip   [2]atomic.Uint64 // the peer's address, in the form of IPv6
	port atomic.Uint32    // the peer's

	fd    int32
	life  uint32 // tick of the last whole message or control frame, or of the ping since then
	begun uint32 // tick of accept
	busy  uint32 // where its busy state is; 0: it has none

	held    atomic.Uint32 // bytes that wait in the loop, as of the last settling
	waiting atomic.Uint64 // generation, and in the lower half held and what is in the inbox
}

const (
	flagUsed     = 1 << iota // the slot has a connection
	flagProxied              // a header of the PROXY protocol must come first
	flagCounted              // its address counts it
	flagOpen                 // the 101 is queued
	flagReady                // the hello timeout is over
	flagEnding               // the cause of its end is known
	flagClosing              // the loop has begun its teardown
	flagPinged               // a ping went out at life that nothing has answered
	flagMessaged             // its handler is asked or knows of it: Closed is due once
	flagHeld                 // its handler holds it; its busy state says since when
	flagReleased             // somebody has ended that, and an errand is on its way
)

const (
	protocolShift   = 16
	deflateShift    = 24
	generationShift = 32
	generationMax   = 1<<32 - 1
)

func (s *slot) generation() uint32    { return uint32(s.word.Load() >> generationShift) }
func (s *slot) has(flags uint64) bool { return s.word.Load()&flags == flags }
func (s *slot) set(flags uint64)      { s.word.Or(flags) }
func (s *slot) clear(flags uint64)    { s.word.And(^flags) }

// deflate is what was negotiated of compression.
func (s *slot) deflate() wsframe.Deflate {
	return wsframe.Deflate(s.word.Load() >> deflateShift)
}

// agree keeps what the handshake came to: the number of the subprotocol, from 1, and compression.
func (s *slot) agree(protocol int, d wsframe.Deflate) {
	s.set(uint64(protocol)<<protocolShift | uint64(d)<<deflateShift)
}

// protocol is the number of the subprotocol, from 1; 0: none.
func (s *slot) protocol() int { return int(s.word.Load() >> protocolShift & 0xff) }

// setPeer keeps the peer's address.
func (s *slot) setPeer(a netip.AddrPort) {
	b := a.Addr().As16()
	s.ip[0].Store(binary.BigEndian.Uint64(b[:8]))
	s.ip[1].Store(binary.BigEndian.Uint64(b[8:]))
	s.port.Store(uint32(a.Port()))
}

// peer is the peer's address. Who is not the loop must compare the generation afterwards.
func (s *slot) peer() netip.AddrPort {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], s.ip[0].Load())
	binary.BigEndian.PutUint64(b[8:], s.ip[1].Load())
	return netip.AddrPortFrom(netip.AddrFrom16(b).Unmap(), uint16(s.port.Load()))
}

// begin makes a free slot one of a connection, with a new generation.
func (s *slot) begin(fd int, peer netip.AddrPort, t wheel.Tick) {
	s.fd, s.life, s.begun, s.busy = int32(fd), uint32(t), uint32(t), 0
	s.setPeer(peer)
	s.tag.Store(0)
	s.held.Store(0)
	word := uint64(s.generation()+1) << generationShift
	s.waiting.Store(word)
	s.word.Store(word | flagUsed)
}

// end makes the slot a free one, and says whether it may be used again: not when its generations
// are used up.
func (s *slot) end() bool {
	g := s.generation()
	s.word.Store(uint64(g) << generationShift)
	return g != generationMax
}

// conclude sets flagEnding for whoever is first, if the slot still has the connection, and that has
// the flags that are needed.
func (s *slot) conclude(generation uint32, needed uint64) bool {
	for {
		w := s.word.Load()
		if uint32(w>>generationShift) != generation || w&(needed|flagEnding) != needed {
			return false
		}
		if s.word.CompareAndSwap(w, w|flagEnding) {
			return true
		}
	}
}

// release sets flagReleased, if the slot still has the connection and that is held, and says
// whether it is the first to.
func (s *slot) release(generation uint32) bool {
	for {
		w := s.word.Load()
		if uint32(w>>generationShift) != generation || w&(flagHeld|flagReleased) != flagHeld {
			return false
		}
		if s.word.CompareAndSwap(w, w|flagReleased) {
			return true
		}
	}
}

// post counts bytes that wait from now on, or do no longer, if the slot still has the connection.
func (s *slot) post(generation uint32, bytes int) bool {
	for {
		p := s.waiting.Load()
		if uint32(p>>generationShift) != generation {
			return false
		}
		if s.waiting.CompareAndSwap(p, p+uint64(bytes)) {
			return true
		}
	}
}

// reserve is post for bytes that must not make more wait than limit, unless nothing else does.
func (s *slot) reserve(generation uint32, bytes, limit int) bool {
	for {
		p := s.waiting.Load()
		waits := int(uint32(p))
		if uint32(p>>generationShift) != generation || waits > 0 && waits+bytes > limit {
			return false
		}
		if s.waiting.CompareAndSwap(p, p+uint64(bytes)) {
			return true
		}
	}
}

// waits is how many bytes wait, in the loop or in the inbox.
func (s *slot) waits() int { return int(uint32(s.waiting.Load())) }

const (
	slotsPerChunk = 1024
	// slotsMax is how many slots a loop can have: their number is three bytes of an ID.
	slotsMax = 1 << 24
)

// slab is the slots of a loop. They never move, and chunks are not given back.
type slab struct {
	// chunks may be read by anybody; the loop replaces it when it adds a chunk.
	chunks atomic.Pointer[[]*[slotsPerChunk]slot]

	// The rest belongs to the loop.
	free []uint32
	used uint32 // slots that were ever in use
}

// take gives a free slot, or false where there is none any more.
func (b *slab) take() (i uint32, s *slot, ok bool) {
	if n := len(b.free); n > 0 {
		i = b.free[n-1]
		b.free = b.free[:n-1]
		return i, b.at(i), true
	}
	if b.used == slotsMax {
		return 0, nil, false
	}
	i = b.used
	if i%slotsPerChunk == 0 {
		var chunks []*[slotsPerChunk]slot
		if p := b.chunks.Load(); p != nil {
			chunks = append(chunks, *p...)
		}
		chunks = append(chunks, new([slotsPerChunk]slot))
		b.chunks.Store(&chunks)
	}
	b.used++
	return i, b.at(i), true
}

// give takes a slot back whose connection is gone.
func (b *slab) give(i uint32) {
	if b.at(i).end() {
		b.free = append(b.free, i)
	}
}

// at is a slot that was in use at some time.
func (b *slab) at(i uint32) *slot {
	return &(*b.chunks.Load())[i/slotsPerChunk][i%slotsPerChunk]
}

// find is at for a number that may be wrong.
func (b *slab) find(i uint32) *slot {
	p := b.chunks.Load()
	if p == nil || int(i/slotsPerChunk) >= len(*p) {
		return nil
	}
	return &(*p)[i/slotsPerChunk][i%slotsPerChunk]
}

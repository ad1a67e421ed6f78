package table

// A session word is the whole truth about a slot in 64 bits. From the top:
//
//	63        44 43  42 41  40 39   38 37              0
//	[generation ][ kind ][renewal][ state ][   stamp    ]
//
// Every change of a session is one compare-and-swap of its word, which is what makes a touch and an
// end linearizable: whichever swaps first wins, and the other sees it.
const (
	stampBits = 38 // ticks: 8.7 years at 1 ms
	stateBits = 2
	renewBits = 2
	kindBits  = 2
	genBits   = 20

	stateShift = stampBits
	renewShift = stateShift + stateBits
	kindShift  = renewShift + renewBits
	genShift   = kindShift + kindBits

	stampMask = 1<<stampBits - 1
	stateMask = (1<<stateBits - 1) << stateShift
	renewMask = (1<<renewBits - 1) << renewShift
	kindMask  = (1<<kindBits - 1) << kindShift
	genMask   = (1<<genBits - 1) << genShift

	// identityMask covers what a reader must find unchanged after it compared a key.
	identityMask = genMask | kindMask | renewMask | stateMask

	activeBits = uint64(Active) << stateShift
)

// Asleep is the stamp that no session bears: a toucher that is handed it must ask for the time
// first. MaxStamp is the last one a session can bear.
const (
	Asleep   uint64 = stampMask
	MaxStamp uint64 = Asleep - 1
)

// State says what a slot holds.
type State uint8

// The states of a slot. A session is created Active, may pass to Grace and back, and its slot is
// Free once it ended.
//
//	Free ──create──> Active ──idle──> Grace
//	  ^                │ ^              │ │
//	  └──end───────────┘ └────touch─────┘ │
//	  └──end──────────────────────────────┘
const (
	Free State = iota
	Active
	Grace
)

// The kinds of key a slot holds; see key.go.
const (
	kindFull  = iota // exactly 32 bytes
	kindShort        // 1 to 31 bytes, the length in the last byte
	kindLong         // 33 to 255 bytes, kept outside the slot
	kindNone         // a key that is being replaced, which no look-up finds
)

// Word is a session word; see the picture above. A free slot's word holds the generation that its
// next session shall bear: 0 once all are used up, and then the slot is retired, so that no Ref
// ever names a second session.
type Word uint64

// State is the state of the slot.
func (w Word) State() State { return State(w >> stateShift & (1<<stateBits - 1)) }

// Live reports whether the slot holds a session.
func (w Word) Live() bool { return w&stateMask != 0 }

// Stamp is the tick of the last touch.
func (w Word) Stamp() uint64 { return uint64(w) & stampMask }

func (w Word) gen() uint64  { return uint64(w) >> genShift }
func (w Word) kind() uint64 { return uint64(w) >> kindShift & (1<<kindBits - 1) }

// With is the word in another state, touched at another stamp.
func (w Word) With(s State, stamp uint64) Word {
	return w&^(stateMask|stampMask) | Word(s)<<stateShift | Word(stamp)
}

// Ref names a session of one table: the generation of its word and its slot. The zero Ref names
// none, since generations begin at 1.
type Ref uint64

// Slot is the slot that the session lives in.
func (r Ref) Slot() uint32 { return uint32(r) }

// names reports whether the word is that of the session that r names, alive or in grace.
func (r Ref) names(w Word) bool {
	return (uint64(r)^uint64(w))>>genShift == 0 && w.Live()
}

func refOf(slot uint32, w Word) Ref { return Ref(uint64(w)&genMask | uint64(slot)) }

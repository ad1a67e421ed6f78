package wheel

// A position is the two bytes that the wheel keeps for an id; 0 means that the id is not filed.
//
//	15          12  11      10     9     8        6  5         0
//	+-------------+--------+-----+------+-----------+-----------+
//	|      0      | parity | out | live |   level   |   slot    |
//	+-------------+--------+-----+------+-----------+-----------+
//
// A position that is not 0 names a bucket in which the id stands at least once; the flags say
// what of it.
type position uint16

const (
	// bucketMask covers the number of the bucket: level<<SlotBits | slot.
	bucketMask position = Levels<<SlotBits - 1
	// live: the id is filed. Its first entry in the bucket is handed out, the others are stale.
	live position = 1 << 9
	// out: the id was cancelled and its entry is still there. Scheduled again in time, the entry is
	// taken back into use instead of joined by another. Exactly one of live and out is set.
	out position = 1 << 10
	// parity tells the entries that the running compaction of a bucket has seen from the others.
	parity position = 1 << 11
	// mark is set while invariants are checked, and only then.
	mark position = 1 << 15
)

const (
	blockShift = 10
	blockIDs   = 1 << blockShift
)

// positions is a sparse array indexed by id, in blocks that are allocated on first use. Ids are
// dense over all wheels of an owner, while one wheel sees only some blocks of them.
type positions struct {
	blocks []*[blockIDs]position
	used   int // blocks that are not nil

	// spare are blocks that were made together with others: the fewer objects there are, the less
	// the collector has to mark.
	spare [][blockIDs]position
}

// blocksTogether is how many blocks are made at a time at the most, and one for each so many
// in use.
const blocksTogether = 8

// find returns the position of id, nil when its block is not there and so id is not filed.
func (p *positions) find(id uint32) *position {
	if i := int(id >> blockShift); i < len(p.blocks) {
		if b := p.blocks[i]; b != nil {
			return &b[id%blockIDs]
		}
	}
	return nil
}

// grow returns the position of id and allocates its block where need be.
func (p *positions) grow(id uint32) *position {
	i := int(id >> blockShift)
	if i >= len(p.blocks) {
		p.blocks = append(p.blocks, make([]*[blockIDs]position, i+1-len(p.blocks))...)
	}
	if p.blocks[i] == nil {
		if len(p.spare) == 0 {
			p.spare = make([][blockIDs]position, min(1+p.used/blocksTogether, blocksTogether))
		}
		p.blocks[i] = &p.spare[0]
		p.spare = p.spare[1:]
		p.used++
	}
	return &p.blocks[i][id%blockIDs]
}

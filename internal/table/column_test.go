package table

import "testing"

func TestColumn(t *testing.T) {
	var c Column[uint64]
	if c.At(0) != nil || c.Bytes() != 0 {
		t.Error("an empty column holds something")
	}
	// Chunks are grown in any order, since shards are.
	for _, n := range []uint32{3, 0, 7, 3} {
		c.Grow(n<<chunkBits | 5)
		*c.At(n<<chunkBits | 1023) = uint64(n)
	}
	for n := range uint32(9) {
		cell := c.At(n<<chunkBits | 1023)
		grown := n == 0 || n == 3 || n == 7
		if (cell != nil) != grown || grown && *cell != uint64(n) {
			t.Errorf("cell of chunk %d is %v", n, cell)
		}
	}
	if got, want := c.Bytes(), int64(3*8*chunkSlots); got < want || got > want+200 {
		t.Errorf("column of three chunks has %d bytes, want %d and a little", got, want)
	}
	c.Clear()
	if c.At(5) != nil || c.Bytes() != 0 {
		t.Error("a cleared column holds something")
	}
}

func TestColumnOfNothing(t *testing.T) {
	var c Column[struct{}]
	c.Grow(0)
	if c.At(0) == nil {
		t.Error("no cell")
	}
	if n := c.Bytes(); n > 64 {
		t.Errorf("a column of nothing has %d bytes", n)
	}
}

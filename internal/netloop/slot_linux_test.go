package netloop

import (
	"net/netip"
	"reflect"
	"testing"
	"unsafe"

	"github.com/curfew-go/curfew/internal/wsframe"
)

func TestSlot_IsACacheLineWithoutPointers(t *testing.T) {
	if n := unsafe.Sizeof(slot{}); n != 64 {
		t.Errorf("a slot has %d bytes, want 64", n)
	}
	if path := pointerIn(reflect.TypeFor[slot]()); path != "" {
		t.Errorf("a slot has a pointer at %s", path)
	}
}

// pointerIn is where a type has what the collector must look at, "" where it has nothing.
func pointerIn(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			if path := pointerIn(f.Type); path != "" {
				return f.Name + "." + path
			}
		}
		return ""
	case reflect.Array:
		return pointerIn(t.Elem())
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Chan, reflect.Func, reflect.String,
		reflect.Interface, reflect.UnsafePointer:
		return t.String()
	}
	return ""
}

func TestSlot_KeepsWhatItIsGiven(t *testing.T) {
	for _, peer := range []string{"192.0.2.1:80", "[2001:db8::1]:65535", "0.0.0.0:0"} {
		var s slot
		want := netip.MustParseAddrPort(peer)
		s.begin(7, want, 9)
		s.agree(200, wsframe.Deflate(0xa5))
		if got := s.peer(); got != want {
			t.Errorf("peer %v, want %v", got, want)
		}
		if s.generation() != 1 || s.protocol() != 200 || s.deflate() != 0xa5 ||
			!s.has(flagUsed) || s.has(flagOpen) {
			t.Errorf("the word is %x", s.word.Load())
		}
		s.set(flagMessaged)
		s.clear(flagUsed)
		if s.generation() != 1 || s.protocol() != 200 || s.deflate() != 0xa5 || s.has(flagUsed) {
			t.Errorf("the word is %x", s.word.Load())
		}
		s.end()
		s.begin(8, want, 9)
		if s.generation() != 2 || s.protocol() != 0 || s.deflate() != 0 || s.has(flagMessaged) {
			t.Errorf("the word of the next connection is %x", s.word.Load())
		}
	}
}

func TestSlot_EndsOnceAndOnlyForItsGeneration(t *testing.T) {
	var s slot
	s.begin(7, netip.AddrPort{}, 1)
	if s.conclude(1, flagOpen) {
		t.Error("a connection that is not open was ended as an open one")
	}
	s.set(flagOpen)
	if s.conclude(0, flagOpen) || s.conclude(2, flagOpen) {
		t.Error("an old or a coming connection was ended")
	}
	if !s.conclude(1, flagOpen) {
		t.Error("an open connection was not ended")
	}
	if s.conclude(1, flagOpen) || s.conclude(1, 0) {
		t.Error("a connection was ended twice")
	}
}

func TestSlot_CountsWhatIsPostedForItsGenerationOnly(t *testing.T) {
	var s slot
	s.begin(7, netip.AddrPort{}, 1)
	if !s.post(1, 1000) || !s.post(1, -400) || s.waits() != 600 {
		t.Errorf("%d bytes are posted, want 600", s.waits())
	}
	s.end()
	s.begin(8, netip.AddrPort{}, 1)
	if s.post(1, 5) || s.post(1, -600) {
		t.Error("posted for a connection that is gone")
	}
	if n := s.waits(); n != 0 {
		t.Errorf("the next connection begins with %d bytes", n)
	}
}

func TestSlab_RetiresASlotWhoseGenerationsAreUsedUp(t *testing.T) {
	var b slab
	i, s, ok := b.take()
	if !ok || b.find(i) != s || b.find(i+slotsPerChunk) != nil {
		t.Fatalf("take = %d, %v", i, ok)
	}
	s.word.Store((generationMax - 2) << generationShift)
	for range 2 {
		s.begin(7, netip.AddrPort{}, 1)
		b.give(i)
		if len(b.free) == 0 {
			break
		}
		if again, _, _ := b.take(); again != i {
			t.Fatalf("slot %d was taken, want %d again", again, i)
		}
	}
	if s.generation() != generationMax {
		t.Errorf("the last generation is %x", s.generation())
	}
	if next, _, _ := b.take(); next == i {
		t.Error("a slot without generations was used again")
	}
}

func TestSlab_HasABound(t *testing.T) {
	b := slab{used: slotsMax}
	if i, _, ok := b.take(); ok {
		t.Errorf("slot %d was taken, of %d", i, slotsMax)
	}
}

func TestID_TellsItsParts(t *testing.T) {
	l := &loop{number: loopsMax}
	for _, i := range []uint32{0, 1, slotsMax - 1} {
		for _, g := range []uint32{1, generationMax} {
			id := l.id(i, g)
			if id.loop() != loopsMax || id.slot() != i || id.generation() != g {
				t.Errorf("ID %x of slot %d, generation %d", id, i, g)
			}
		}
	}
}

package table

import (
	"testing"

	"pgregory.net/rapid"
)

// TestStash has many entries of few keys, which stand side by side, come and go.
func TestStash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var st stash
		ids := []string{"a", "b", "c"}
		idOf := func(slot uint32) []byte { return []byte(ids[slot%3]) }
		in := map[uint32]bool{}
		slot := rapid.Uint32Range(0, 20)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				if s := slot.Draw(t, "slot"); !in[s] {
					st.put(idOf(s), s)
					in[s] = true
				}
			},
			"take": func(t *rapid.T) {
				s := slot.Draw(t, "slot")
				if got := st.take(idOf(s), s, idOf); got != in[s] {
					t.Fatalf("take(%d) = %v, want %v", s, got, in[s])
				}
				delete(in, s)
			},
			"": func(t *rapid.T) {
				for s := range uint32(21) {
					got, ok := st.find(idOf(s), func(slot uint32) bool { return slot == s })
					if ok != in[s] || ok && got != s {
						t.Fatalf("find(%d) = %d, %v, want %v", s, got, ok, in[s])
					}
				}
				if len(st.slots) != len(in) {
					t.Fatalf("%d entries, want %d", len(st.slots), len(in))
				}
			},
		})
	})
}

func TestEmptyStash(t *testing.T) {
	var st stash
	if _, ok := st.find([]byte("a"), func(uint32) bool { return true }); ok {
		t.Error("find in an empty stash")
	}
	if st.take([]byte("a"), 1, nil) {
		t.Error("take from an empty stash")
	}
	if n := st.bytes(); n != 0 {
		t.Errorf("an empty stash of %d bytes", n)
	}
}

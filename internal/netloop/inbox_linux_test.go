package netloop

import (
	"bytes"
	"fmt"
	"testing"
)

func TestInbox_KeepsTheOrder(t *testing.T) {
	b := inbox{bytesMax: 1 << 20}
	posted, taken := 0, 0
	for round := range 50 {
		for range round {
			if !b.post(errand{id: ID(posted), kind: Text}, fmt.Appendf(nil, "%d", posted)) {
				t.Fatal("no room")
			}
			posted++
		}
		for range round - round%7 { // leaves some for the next round
			e, payload, ok := b.take()
			if want := fmt.Sprint(taken); !ok || e.id != ID(taken) || string(payload) != want {
				t.Fatalf("took %d %q %v, want %s", e.id, payload, ok, want)
			}
			taken++
			if next := b.peek(); next != 0 && next != ID(taken) {
				t.Fatalf("the next is said to be %d, want %d", next, taken)
			}
		}
	}
	for ; taken < posted; taken++ {
		if b.empty() {
			t.Fatalf("%d of %d were taken and the inbox says that it is empty", taken, posted)
		}
		if e, _, ok := b.take(); !ok || e.id != ID(taken) {
			t.Fatalf("took %d %v, want %d", e.id, ok, taken)
		}
	}
	if _, _, ok := b.take(); ok || !b.empty() || b.peek() != 0 {
		t.Error("an emptied inbox has something")
	}
}

func TestInbox_IsBoundedForMessagesOnly(t *testing.T) {
	b := inbox{bytesMax: 100}
	large := make([]byte, 1000)
	if !b.post(errand{kind: Text}, large) {
		t.Error("a large message has no room where nothing else waits")
	}
	if b.post(errand{kind: Text}, large[:1]) {
		t.Error("a message has room where too much waits")
	}
	if !b.post(errand{cause: CauseClosed}, []byte("reason")) {
		t.Error("an end has no room")
	}
	_, _, _ = b.take()
	if !b.post(errand{kind: Text}, large[:100]) || b.post(errand{kind: Text}, large[:1]) {
		t.Error("the bound is not 100 after the loop took what was there")
	}
}

func TestInbox_TakesNothingOnceItIsClosed(t *testing.T) {
	b := inbox{bytesMax: 100}
	b.post(errand{id: 1, kind: Text}, []byte("before"))
	b.close()
	if b.post(errand{id: 2, kind: Text}, nil) || b.post(errand{id: 2}, nil) {
		t.Error("an errand was taken after the close")
	}
	if e, payload, ok := b.take(); !ok || e.id != 1 || !bytes.Equal(payload, []byte("before")) {
		t.Errorf("took %+v %q %v, want what came before the close", e, payload, ok)
	}
}

// TestInbox_GivesMemoryBackAfterAStorm posts much at once, then little.
func TestInbox_GivesMemoryBackAfterAStorm(t *testing.T) {
	b := inbox{bytesMax: 1 << 30}
	payload := make([]byte, 1000)
	for range 10_000 {
		b.post(errand{kind: Text}, payload)
	}
	taken := 0
	for _, _, ok := b.take(); ok; _, _, ok = b.take() {
		taken++
	}
	if taken != 10_000 {
		t.Fatalf("%d were taken", taken)
	}
	for range 3 {
		b.post(errand{kind: Text}, payload)
		_, _, _ = b.take()
		_, _, _ = b.take()
	}
	bytes := cap(b.bytes) + cap(b.mu.bytes)
	errands := cap(b.taken) + cap(b.mu.errands)
	if bytes > 2*inboxKept || errands > 2*inboxKept/32 {
		t.Errorf("%d bytes and %d errands are kept after a storm", bytes, errands)
	}
}

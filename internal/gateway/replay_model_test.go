package gateway

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// replayMachine holds two replay buffers of one budget, and what the first must hold.
type replayMachine struct {
	b        budget
	bytesMax int
	ample    bool // the budget is never short, so that what is kept is known exactly
	r, other replay
	frames   [][]byte // of r, the oldest first
	answers  [][]byte // what each of them answers, nil: nothing
	kept     []string // of other
	n        int
}

func (m *replayMachine) sum() (bytes int) {
	for _, f := range m.frames {
		bytes += len(f)
	}
	return bytes
}

func (m *replayMachine) drop(n int) { m.frames, m.answers = m.frames[n:], m.answers[n:] }

// Add keeps a frame, which may answer one of a few requests.
func (m *replayMachine) Add(t *rapid.T) {
	m.n++
	frame := fmt.Appendf(nil, `{"n":%d,"request_id":`, m.n)
	var id []byte
	k := kept{}
	if rapid.Bool().Draw(t, "answers") {
		id = fmt.Append(nil, rapid.IntRange(1, 5).Draw(t, "id"))
		k = kept{idAt: uint32(len(frame)), idSize: uint32(len(id))}
		frame = append(frame, id...)
	}
	size := rapid.SampledFrom([]int{0, 10, 100, m.bytesMax / 3, m.bytesMax - 40, m.bytesMax + 1})
	frame = append(frame, strings.Repeat("x", size.Draw(t, "size"))...)
	given := bytes.Clone(frame)
	m.r.add(given, k, m.bytesMax, &m.b)
	clear(given) // it is the caller's again
	m.frames, m.answers = append(m.frames, frame), append(m.answers, id)
	for len(m.frames) > replayFramesMax || m.sum() > m.bytesMax {
		m.drop(1)
	}
	if !m.ample { // then it may keep fewer
		if len(m.r.frames) > len(m.frames) {
			t.Fatalf("%d frames are kept, want at most %d", len(m.r.frames), len(m.frames))
		}
		m.drop(len(m.frames) - len(m.r.frames))
	}
}

// AddOther fills the neighbour.
func (m *replayMachine) AddOther(t *rapid.T) {
	text := strings.Repeat("o", rapid.IntRange(1, 200).Draw(t, "size"))
	m.other.add([]byte(text), kept{}, m.bytesMax, &m.b)
	m.kept = frames(&m.other)
}

// FreeOther empties the neighbour.
func (m *replayMachine) FreeOther(*rapid.T) {
	m.other.free(&m.b)
	m.kept = nil
}

// Drop forgets some of the oldest.
func (m *replayMachine) Drop(t *rapid.T) {
	n := rapid.IntRange(0, len(m.frames)).Draw(t, "n")
	m.r.drop(n)
	m.drop(n)
}

// Trim gives memory back, and nothing else.
func (m *replayMachine) Trim(t *rapid.T) {
	limit := rapid.SampledFrom([]int{0, replayIdleMax}).Draw(t, "limit")
	m.r.trim(limit, &m.b)
	if len(m.frames) == 0 && cap(m.r.bytes) > limit {
		t.Fatalf("an empty buffer has %d bytes, want at most %d", cap(m.r.bytes), limit)
	}
}

// Free gives all back.
func (m *replayMachine) Free(*rapid.T) {
	m.r.free(&m.b)
	m.drop(len(m.frames))
}

// Last asks for the newest.
func (m *replayMachine) Last(t *rapid.T) {
	n := rapid.IntRange(0, len(m.frames)+2).Draw(t, "n")
	want := m.frames[max(0, len(m.frames)-n):]
	var got [][]byte
	m.r.last(n, func(f []byte) { got = append(got, bytes.Clone(f)) })
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Fatalf("the last %d are %q, want %q", n, got, want)
	}
}

// Answer asks for the answer to a request.
func (m *replayMachine) Answer(t *rapid.T) {
	id := fmt.Append(nil, rapid.IntRange(1, 6).Draw(t, "id"))
	var want []byte
	for i := range m.frames {
		if bytes.Equal(m.answers[i], id) {
			want = m.frames[i]
		}
	}
	if got := m.r.answer(id); !bytes.Equal(got, want) {
		t.Fatalf("request %s was answered by %q, want %q", id, got, want)
	}
}

// Check compares all there is and the accounts.
func (m *replayMachine) Check(t *rapid.T) {
	if got := len(m.r.frames); got != len(m.frames) || m.r.size() != m.sum() {
		t.Fatalf("%d frames of %d bytes are kept, want %d of %d",
			got, m.r.size(), len(m.frames), m.sum())
	}
	if got := frames(&m.other); !slices.Equal(got, m.kept) {
		t.Fatalf("the neighbour holds %d frames, want %d", len(got), len(m.kept))
	}
	used := m.b.used.Load()
	if want := int64(cap(m.r.bytes) + cap(m.other.bytes)); used != want || used > m.b.max {
		t.Fatalf("%d bytes are accounted for, there are %d and may be %d", used, want, m.b.max)
	}
	if limit := m.bytesMax/3*4 + 3; cap(m.r.bytes) > limit {
		t.Fatalf("the buffer has %d bytes, want at most %d", cap(m.r.bytes), limit)
	}
}

func frames(r *replay) (all []string) {
	r.last(len(r.frames), func(f []byte) { all = append(all, string(f)) })
	return all
}

// TestReplay_Model compares a replay buffer with a list.
func TestReplay_Model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &replayMachine{bytesMax: rapid.SampledFrom([]int{300, 1000, 4096}).Draw(t, "limit")}
		m.ample = rapid.Bool().Draw(t, "ample")
		m.b.max = int64(3 * m.bytesMax)
		if !m.ample {
			m.b.max = int64(rapid.IntRange(0, m.bytesMax).Draw(t, "budget"))
		}
		t.Repeat(rapid.StateMachineActions(m))
		m.r.free(&m.b)
		m.other.free(&m.b)
		if used := m.b.used.Load(); used != 0 {
			t.Fatalf("%d bytes are accounted for at the end", used)
		}
	})
}

// TestReplay_OfManySessions: where the memory of all is used up, who sends loses its own oldest.
func TestReplay_OfManySessions(t *testing.T) {
	b := budget{max: 10 << 10}
	var first, second replay
	frame := bytes.Repeat([]byte("x"), 1000)
	for range 9 {
		first.add(frame, kept{}, replayBytesMax, &b)
	}
	had := len(first.frames)
	for range 20 {
		second.add(frame, kept{}, replayBytesMax, &b)
	}
	if len(first.frames) != had || len(second.frames) > 2 {
		t.Errorf("%d and %d frames are kept, want %d and hardly any",
			len(first.frames), len(second.frames), had)
	}
	first.free(&b)
	for range 5 {
		second.add(frame, kept{}, replayBytesMax, &b)
	}
	if len(second.frames) < 5 {
		t.Errorf("with memory again %d frames are kept", len(second.frames))
	}
}

package handshake

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/curfew-go/curfew/internal/netloop/netlooptest"
)

// TestScanner_AnySplit cuts heads at each byte: the verdict comes at the same place.
func TestScanner_AnySplit(t *testing.T) {
	for _, head := range []string{
		netlooptest.Handshake("/ws") + "more",
		"GET / HTTP/1.1\r\nHost: x\nmore",
		"GET / HTTP/1.1\r\n" + strings.Repeat("a:b\r\n", headerLinesMax+1),
		strings.Repeat("a", MaxHeadBytes),
	} {
		b := []byte(head)
		var whole Scanner
		wantEnd, wantRefusal := whole.Scan(b)
		for size := range 50 {
			var s Scanner
			var end int
			var r *Refusal
			for n := 0; n < len(head) && end == 0 && r == nil; {
				n = min(n+size+1, len(head))
				end, r = s.Scan(b[:n])
			}
			if end != wantEnd || (r == nil) != (wantRefusal == nil) ||
				r != nil && r.Status != wantRefusal.Status {
				t.Errorf("%.40q in pieces of %d: %d, %v, want %d, %v",
					head, size+1, end, r, wantEnd, wantRefusal)
			}
		}
	}
}

func TestScanner_Size(t *testing.T) {
	if n := unsafe.Sizeof(Scanner{}); n != 6 {
		t.Errorf("a Scanner is %d bytes, want 6", n)
	}
}

// TestScanner_WhatFollows: neither its length nor what it holds changes anything, and a head that
// ends past the limit is too long even where all of it came at once.
func TestScanner_WhatFollows(t *testing.T) {
	fill := func(n int) string {
		head := "GET / HTTP/1.1\r\nX: \r\n\r\n"
		return strings.Replace(head, "X: ", "X: "+strings.Repeat("a", n-len(head)), 1)
	}
	after := strings.Repeat("\n", MaxHeadBytes)
	for _, c := range []struct {
		in   string
		end  int
		want *Refusal
	}{
		{fill(100) + after, 100, nil},
		{fill(MaxHeadBytes) + after, MaxHeadBytes, nil},
		{fill(MaxHeadBytes+1) + after, 0, refusedLong},
	} {
		var s Scanner
		if end, r := s.Scan([]byte(c.in)); end != c.end || r != c.want {
			t.Errorf("Scan of %d bytes = %d, %v, want %d, %v", len(c.in), end, r, c.end, c.want)
		}
	}
}

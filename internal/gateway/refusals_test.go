package gateway

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r refusals
		r.limit.Store(3)
		a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
		for i := range 3 {
			if wait := r.blocked(a); wait != 0 {
				t.Fatalf("blocked for %v after %d refused hellos, want 3 to be fine", wait, i)
			}
			r.note(a)
			time.Sleep(time.Second)
		}
		if wait := r.blocked(a); wait != 57*time.Second {
			t.Errorf("blocked for %v, want 57s: until the minute ends", wait)
		}
		if wait := r.blocked(b); wait != 0 {
			t.Errorf("somebody else is blocked for %v", wait)
		}
		time.Sleep(57 * time.Second)
		if wait := r.blocked(a); wait != 0 {
			t.Errorf("still blocked for %v after the minute", wait)
		}
		r.note(a)
		if wait := r.blocked(a); wait != 0 {
			t.Errorf("blocked for %v by one in the next minute", wait)
		}
	})
}

func TestRefusals_AreBounded(t *testing.T) {
	var r refusals
	r.limit.Store(1)
	for i := range refusalsMax + 100 {
		r.note(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if n := len(r.mu.counts); n != refusalsMax {
		t.Errorf("%d addresses are counted, want %d", n, refusalsMax)
	}
	r.note(netip.Addr{})
	if r.blocked(netip.Addr{}) != 0 {
		t.Error("who has no address is blocked")
	}
}

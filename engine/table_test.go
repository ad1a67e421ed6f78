package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTable_CreateTouchExpire(t *testing.T) {
	for _, kind := range []WheelKind{WheelNative, WheelRussellLuo} {
		t.Run(kind.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ended []Expired[int]
				tab, err := New(Options[int]{
					Wheel:       kind,
					IdleTimeout: time.Second,
					OnExpire:    func(b []Expired[int]) { ended = append(ended, b...) },
				})
				if err != nil {
					t.Fatal(err)
				}
				defer tab.Close()
				s, err := tab.Create(7)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				for range 10 {
					time.Sleep(900 * time.Millisecond)
					if !tab.Touch(s.ID()) {
						t.Fatalf("session ended %v after its creation", time.Since(start))
					}
				}
				last := time.Now()
				time.Sleep(time.Second)
				synctest.Wait()
				if len(ended) != 0 {
					t.Fatalf("ended %v after its last touch", time.Since(last))
				}
				time.Sleep(30 * time.Millisecond)
				synctest.Wait()
				if len(ended) != 1 || ended[0].Value != 7 || ended[0].Reason != ReasonIdle {
					t.Fatalf("ended = %v, want one with value 7", ended)
				}
				if tab.Len() != 0 || s.Touch() {
					t.Fatal("session lives on")
				}
				t.Log(tab.Stats().Lateness.Max())
			})
		})
	}
}

package bench

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/benchtest"
)

func BenchmarkTouch(b *testing.B)         { benchtest.Touch(b, impls) }
func BenchmarkTouchParallel(b *testing.B) { benchtest.TouchParallel(b, impls) }
func BenchmarkCreate(b *testing.B)        { benchtest.Create(b, impls) }
func BenchmarkRemove(b *testing.B)        { benchtest.Remove(b, impls) }
func BenchmarkMixed(b *testing.B)         { benchtest.Mixed(b, impls) }
func BenchmarkMemory(b *testing.B)        { benchtest.Memory(b, impls[1:]) }
func BenchmarkGC(b *testing.B)            { benchtest.GC(b, impls[1:]) }
func BenchmarkLateness(b *testing.B)      { benchtest.Lateness(b, impls[1:]) }

// BenchmarkCreateNew measures Create, which makes the ID too, from an empty table to a full one.
// Its floor makes an ID in the plainest way and hashes it.
func BenchmarkCreateNew(b *testing.B) {
	for _, n := range benchtest.Sizes() {
		b.Run(fmt.Sprintf("impl=random/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var raw [24]byte
			var id [benchtest.IDLen]byte
			sum := uint64(0)
			for b.Loop() {
				_, _ = rand.Read(raw[:])
				base64.RawURLEncoding.Encode(id[:], raw[:])
				sum += xxhash.Sum64(id[:])
			}
			_ = sum
		})
		b.Run(fmt.Sprintf("impl=curfew/n=%d", n), func(b *testing.B) {
			var t *engine.Table[none]
			benchtest.PerSession(b, n, benchtest.Phases{
				Before: func() { t = must(engine.New(engine.Options[none]{})) },
				Measured: func() {
					for range n {
						if _, err := t.Create(none{}); err != nil {
							b.Fatal(err)
						}
					}
				},
				After: func() { _ = t.Close() },
			})
		})
	}
}

package bench

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/curfew-go/curfew/engine"
	"github.com/curfew-go/curfew/internal/baseline"
)

func BenchmarkTouch(b *testing.B)         { baseline.Touch(b, impls) }
func BenchmarkTouchParallel(b *testing.B) { baseline.TouchParallel(b, impls) }
func BenchmarkCreate(b *testing.B)        { baseline.Create(b, impls) }
func BenchmarkRemove(b *testing.B)        { baseline.Remove(b, impls) }
func BenchmarkMixed(b *testing.B)         { baseline.Mixed(b, impls) }
func BenchmarkMemory(b *testing.B)        { baseline.Memory(b, impls[1:]) }
func BenchmarkGC(b *testing.B)            { baseline.GC(b, impls[1:]) }
func BenchmarkLateness(b *testing.B)      { baseline.Lateness(b, impls[1:]) }

// BenchmarkCreateNew measures Create, which makes the ID too, from an empty table to a full one.
// Its floor makes an ID in the plainest way and hashes it.
func BenchmarkCreateNew(b *testing.B) {
	for _, n := range baseline.Sizes() {
		b.Run(fmt.Sprintf("impl=random/n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var raw [24]byte
			var id [baseline.IDLen]byte
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
			baseline.PerSession(b, n, baseline.Phases{
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

package peers

import (
	"github.com/maypok86/otter/v2"

	"github.com/curfew-go/curfew/internal/baseline"
)

var otterImpl = baseline.Impl{Name: "otter", Open: openOtter}

// otterCache is github.com/maypok86/otter/v2 without a maximum size, with entries that expire after
// their last access: reading one is the touch. Where SetExpiresAfter is called on a cache without
// an ExpiryCalculator, as benchmarks elsewhere do, nothing expires at all.
type otterCache struct {
	cache *otter.Cache[string, none]
}

func openOtter(c baseline.Config) baseline.Sessions {
	o := &otter.Options[string, none]{
		ExpiryCalculator: otter.ExpiryAccessing[string, none](c.Idle),
	}
	if c.OnExpire != nil {
		o.OnDeletion = func(e otter.DeletionEvent[string, none]) {
			if e.Cause == otter.CauseExpiration {
				c.OnExpire(e.Key)
			}
		}
	}
	return otterCache{otter.Must(o)}
}

func (o otterCache) Create(ids []string) {
	for _, id := range ids {
		o.cache.Set(id, none{})
	}
}

func (o otterCache) Touch(ids []string) (alive int) {
	for _, id := range ids {
		if _, ok := o.cache.GetIfPresent(id); ok {
			alive++
		}
	}
	return alive
}

func (o otterCache) Remove(ids []string) (removed int) {
	for _, id := range ids {
		if _, ok := o.cache.Invalidate(id); ok {
			removed++
		}
	}
	return removed
}

func (o otterCache) Len() int { return o.cache.EstimatedSize() }

func (o otterCache) Close() { o.cache.StopAllGoroutines() }

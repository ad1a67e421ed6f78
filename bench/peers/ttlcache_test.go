package peers

import (
	"context"
	"runtime"

	"github.com/jellydator/ttlcache/v3"

	"github.com/curfew-go/curfew/internal/baseline"
)

var ttlcacheImpl = baseline.Impl{Name: "ttlcache", Open: openTTLCache}

// ttlCache is github.com/jellydator/ttlcache/v3, whose Get touches what it hits.
type ttlCache struct {
	cache *ttlcache.Cache[string, none]
	done  chan struct{}
}

func openTTLCache(c baseline.Config) baseline.Sessions {
	t := ttlCache{ttlcache.New(ttlcache.WithTTL[string, none](c.Idle)), make(chan struct{})}
	if c.OnExpire != nil {
		t.cache.OnEviction(func(
			_ context.Context, why ttlcache.EvictionReason, item *ttlcache.Item[string, none],
		) {
			if why == ttlcache.EvictionReasonExpired {
				c.OnExpire(item.Key())
			}
		})
	}
	go func() {
		defer close(t.done)
		t.cache.Start()
	}()
	return t
}

func (t ttlCache) Create(ids []string) {
	for _, id := range ids {
		t.cache.Set(id, none{}, ttlcache.DefaultTTL)
	}
}

func (t ttlCache) Touch(ids []string) (alive int) {
	for _, id := range ids {
		if t.cache.Get(id) != nil {
			alive++
		}
	}
	return alive
}

func (t ttlCache) Remove(ids []string) (removed int) {
	for _, id := range ids {
		if _, ok := t.cache.GetAndDelete(id); ok {
			removed++
		}
	}
	return removed
}

func (t ttlCache) Len() int { return t.cache.Len() }

func (t ttlCache) Close() {
	for {
		t.cache.Stop() // Does nothing while Start has not begun.
		select {
		case <-t.done:
			return
		default:
			runtime.Gosched()
		}
	}
}

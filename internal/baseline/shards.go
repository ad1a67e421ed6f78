package baseline

import (
	"sync"

	"github.com/cespare/xxhash/v2"
)

// mapShards is how many locks a sharded map has: more than any two goroutines want at once.
const mapShards = 64

// shardedMap is a map from ID to session in parts with a lock each.
type shardedMap[S any] [mapShards]struct {
	mapShard[S]
	_ [48]byte // Keeps the next lock off this one's cache line.
}

// mapShard is a part of a shardedMap, which its lock guards, sessions included.
type mapShard[S any] struct {
	sync.Mutex
	sessions map[string]*S
}

func (m *shardedMap[S]) init() {
	for i := range m {
		m[i].sessions = make(map[string]*S)
	}
}

func (m *shardedMap[S]) of(id string) *mapShard[S] {
	return &m[xxhash.Sum64String(id)%mapShards].mapShard
}

func (m *shardedMap[S]) len() (n int) {
	for i := range m {
		m[i].Lock()
		n += len(m[i].sessions)
		m[i].Unlock()
	}
	return n
}

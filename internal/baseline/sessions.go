package baseline

import "time"

// Sessions is a table of sessions that end by themselves when they are not touched for the idle
// timeout that they were opened with. All methods may be called from many goroutines.
type Sessions interface {
	// Create makes a session of each ID, none of which exists. It may keep the strings.
	Create(ids []string)
	// Touch begins the idle timeout of each session again and returns how many it found.
	Touch(ids []string) (alive int)
	// Remove ends each session, without a word to OnExpire, and returns how many it found.
	Remove(ids []string) (removed int)
	// Len is the number of sessions.
	Len() int
	// Close stops the table. Nothing else is called afterwards.
	Close()
}

// Config is how Sessions are opened.
type Config struct {
	// Idle is how long after its last touch a session ends.
	Idle time.Duration
	// OnExpire, if not nil, is called once for each session that time ended, with no lock held,
	// from any goroutine.
	OnExpire func(id string)
}

// expired calls OnExpire if there is one.
func (c *Config) expired(id string) {
	if c.OnExpire != nil {
		c.OnExpire(id)
	}
}

// Impl is an implementation of Sessions.
type Impl struct {
	Name string
	Open func(Config) Sessions
	// Exact says that a session that ends early is a defect, which fails the benchmark that sees
	// it, and not something to be counted.
	Exact bool
}

// The implementations of this package.
var (
	HashImpl      = Impl{Name: "hash", Open: func(Config) Sessions { return new(Hash) }}
	LockedMapImpl = Impl{Name: "lockedmap", Open: open(NewLockedMap), Exact: true}
	StdTimerImpl  = Impl{Name: "stdtimer", Open: open(NewStdTimer), Exact: true}
	LuoImpl       = Impl{Name: "luo", Open: open(NewLuo)}
)

func open[S Sessions](f func(Config) S) func(Config) Sessions {
	return func(c Config) Sessions { return f(c) }
}

package gateway

// Limits are the options of a gateway that may change while it serves; [Options] says what they
// mean. What one would refuse stays until it goes by itself.
type Limits struct {
	EvictIdle          bool
	MaxSessionsPerUser int
	EvictUsersIdle     bool
	SessionMaxInflight int
	GlobalMaxInflight  int
	MaxRefusedHellos   int
}

// limits are those that a gateway begins with.
func (o *Options) limits() *Limits {
	return &Limits{
		EvictIdle:          o.EvictIdle,
		MaxSessionsPerUser: o.MaxSessionsPerUser, EvictUsersIdle: o.EvictUsersIdle,
		SessionMaxInflight: o.SessionMaxInflight, GlobalMaxInflight: o.GlobalMaxInflight,
		MaxRefusedHellos: o.MaxRefusedHellos,
	}
}

// SetLimits replaces the limits, for what is decided after it returned. It must not be called by
// two at once. To begin to evict it looks at every session; where an application decides about
// newcomers and the gateway was made without EvictIdle, whom it refuses may have put others out.
func (g *Gateway) SetLimits(l Limits) {
	was := g.limits.Swap(&l)
	g.refusals.limit.Store(int64(l.MaxRefusedHellos))
	switch {
	case l.EvictIdle && !was.EvictIdle:
		g.idlest.fill(g)
	case !l.EvictIdle && was.EvictIdle:
		g.idlest.forget()
	}
}

// SetMaxConnectionsPerIP replaces the bound of connections of one address; see netloop.
func (g *Gateway) SetMaxConnectionsPerIP(n int) { g.net.SetMaxConnectionsPerIP(n) }

// fill enters the sessions that there are. Those that begin meanwhile enter themselves, and one
// that stands there twice is dropped when it comes up.
func (i *idlest) fill(g *Gateway) {
	for s := range g.table.All() {
		if at, _, ok := g.idleSince(s); ok {
			i.enter(g, appointment{at: at, ref: s.Ref()})
		}
	}
}

// forget drops all entries.
func (i *idlest) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.mu.agenda = agenda{}
}

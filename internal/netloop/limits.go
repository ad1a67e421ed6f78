package netloop

// SetMaxConnectionsPerIP replaces Options.MaxConnectionsPerIP, for connections that are accepted
// after it returned. Who is connected stays. Where there was no bound nothing was counted, so those
// connected then are no part of the count.
func (s *Server) SetMaxConnectionsPerIP(n int) { s.addresses.limit.Store(int64(n)) }

// LoopsTurned says whether each loop has turned since the last call, and makes it turn again. Where
// there are no loops, none stands still. It must not be called by two at once.
func (s *Server) LoopsTurned() bool { return s.fleet.turned() }

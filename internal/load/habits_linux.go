package load

// habit is what a connection of a run does.
type habit uint8

const (
	talks      habit = iota // sends messages and reads the answers
	isSilent                // says nothing, and must be expired
	leaves                  // talks a little, and parts
	neverReads              // sends, and reads nothing until the run is over
	trickles                // sends byte by byte, the upgrade or its messages
	vanishes                // hears and says nothing, as if its machine had lost power
)

// habitOf is what the connection with a number does while it is connected, and from the run's
// begin on. Where half of them do something else, each process has both, and where its share is
// odd, every other process has one more of the one kind, and the rest of the other.
func (p Plan) habitOf(id uint32) (first, then habit) {
	process, place := id%uint32(p.Processes), id/uint32(p.Processes)
	odd := (process+place)%2 == 1
	switch p.Profile {
	case ProfileIdle:
		return isSilent, isSilent
	case ProfileStorm:
		return talks, isSilent
	case ProfileChurn:
		return leaves, leaves
	case ProfileChatty:
		if odd {
			return isSilent, isSilent
		}
	case ProfileSlowReader:
		if odd {
			return talks, neverReads
		}
	case ProfileSlowloris:
		if odd {
			return trickles, trickles
		}
	case ProfileHalfOpen:
		if odd {
			return talks, vanishes
		}
	case ProfileEcho, ProfileReconnect:
	}
	return talks, talks
}

// speaks says whether messages of the schedule go over connections with a habit.
func (h habit) speaks() bool { return h == talks || h == leaves }

// share is how many of n things over all processes are this process's.
func (p Plan) share(n int) int {
	mine := n / p.Processes
	if p.Process < n%p.Processes {
		mine++
	}
	return mine
}

package metrics

import (
	"slices"
	"strconv"

	"github.com/curfew-go/curfew/internal/gateway"
	"github.com/curfew-go/curfew/internal/netloop"
)

// other is what is in none of the sets below: something was added to the daemon and not here.
const other = "other"

var (
	// reasons are why sessions end.
	reasons = []gateway.Reason{
		gateway.ReasonIdle, gateway.ReasonLifetime, gateway.ReasonWindow,
		gateway.ReasonBye, gateway.ReasonClosed, gateway.ReasonLost, gateway.ReasonSlow,
		gateway.ReasonRevoked, gateway.ReasonEvicted, gateway.ReasonPolicy, gateway.ReasonDrained,
	}

	// helloErrors are what clients are told whose hello is refused.
	helloErrors = []string{
		"invalid_hello", "missing_hello", "unauthorized", "session_limit", "unavailable",
	}

	// resumeErrors are what clients are told whose resume is refused.
	resumeErrors = []string{
		"resume_unknown", "resume_window", "takeover_limit",
		"session_idle", "session_lifetime", "session_revoked", "session_evicted",
		"session_drained", "session_policy",
		"unauthorized", "unavailable",
	}

	// callOutcomes are what becomes of calls of tools.
	callOutcomes = []string{"ok", "error", "timeout", "refused", "canceled"}

	// events are what an application over HTTP is told or asked, and outcomes what comes of it.
	events   = []string{"connect", "message", "call", "disconnect", "expire", "tools"}
	outcomes = []string{"ok", "refused", "failed", "unusable", "timeout", "canceled", "held"}

	// causes are why connections end.
	causes = []netloop.Cause{
		netloop.CauseClosed, netloop.CausePeer, netloop.CauseLost, netloop.CauseSilent,
		netloop.CauseSlow, netloop.CauseProtocol, netloop.CauseHello, netloop.CausePanic,
	}

	// statuses are what handshakes are refused with.
	statuses = []int{
		400, 401, 403, 404, 405, 408, 413, 426, 429, 431, 500, 503, 505,
	}

	// closeCodes are those that the daemon sends, and those that clients have reason to.
	closeCodes = []netloop.Code{
		1000, 1001, 1002, 1003, netloop.CodeNoStatus, 1007, 1008, 1009, 1011, 1013,
		4000, 4001, 4002, 4003, 4100, 4101, 4102, 4200, 4201, 4202, 4203, 4300, 4301, 4302, 4303,
	}

	// sides are who closes.
	sides = []netloop.Side{netloop.SideServer, netloop.SideClient}
)

// wheelLevels are the levels that are shown; what a wheel has above is counted with the last.
const wheelLevels = 8

// byName gives the counts of a set, those at 0 too, and the sum of all others as "other"; before
// are the values of labels that come first.
func byName[K comparable](
	e emit, set []K, name func(K) string, counts map[K]uint64, before ...string,
) {
	var known, all uint64
	for _, k := range set {
		known += counts[k]
		e(float64(counts[k]), slices.Concat(before, []string{name(k)})...)
	}
	for _, n := range counts {
		all += n
	}
	e(float64(all-known), slices.Concat(before, []string{other})...)
}

// text is a name as a label.
func text[S ~string](s S) string { return string(s) }

// code is a close code as a label.
func code(c netloop.Code) string { return strconv.Itoa(int(c)) }

package conform

import (
	"fmt"
	"slices"
	"sync"
)

// testCase is a case with what it does.
type testCase struct {
	id   string
	rfc  string // section, such as "5.5.2" of RFC 6455 or "7692, 7.1"
	what string // the description, without the RFC

	// script is what is sent and what shall come back; then the connection ends by end, or in
	// the usual way where end is nil.
	script []step
	end    func(*session) error

	// run takes the place of script and end where steps do not do.
	run func(*session) error

	// handshake takes the place of all of the above where the case is about the handshake.
	// Where lenient is not "" a server need not refuse it, and this is remarked of one that does
	// not.
	handshake []edit
	lenient   string

	// offers are of compression; the case is skipped where the server declines them, or passes
	// if that is what it must do. To refuse the handshake for one is more than to decline it,
	// and remarked.
	offers   []offer
	declined bool

	heavy bool // moves many bytes: few such cases run at once
}

// step is frames that are sent and events that they shall bring about before the next step.
type step struct {
	cut  cutting
	send []frame
	want []event
}

// play runs a case on a session.
func (c *testCase) play(s *session) error {
	if c.run != nil {
		return c.run(s)
	}
	for _, step := range c.script {
		s.send(step.cut, step.send...)
		if err := s.expect(step.want...); err != nil {
			return err
		}
	}
	if c.end != nil {
		return c.end(s)
	}
	return s.closeCleanly()
}

// echoes says whether a case is about a connection, on which the server must echo.
func (c *testCase) echoes() bool {
	return c.handshake == nil
}

// describe returns what the world sees of a case.
func (c *testCase) describe() Case {
	rfc := "RFC " + c.rfc
	if len(c.rfc) < 5 || c.rfc[4] != ',' {
		rfc = "RFC 6455, " + c.rfc
	}
	return Case{ID: c.id, RFC: rfc, Description: fmt.Sprintf("%s (%s)", c.what, rfc)}
}

// suite is all cases in order. They are built once and only read.
var suite = sync.OnceValue(func() []*testCase {
	return slices.Concat(
		framingCases(),     // 1
		pingCases(),        // 2
		reservedCases(),    // 3, 4
		fragmentCases(),    // 5
		utf8Cases(),        // 6
		closingCases(),     // 7
		limitCases(),       // 9, 10
		compressionCases(), // 12, 13
		furtherCases(),     // 14
	)
})

// Cases lists all cases in the order of reports.
func Cases() []Case {
	all := make([]Case, len(suite()))
	for i, c := range suite() {
		all[i] = c.describe()
	}
	return all
}

// refusal is the end of a case whose last step is a fault: the server fails the connection with
// one of the codes, after what came before the fault.
func refusal(codes []int, before ...event) func(*session) error {
	return func(s *session) error {
		return s.expectRefusal(codes, before...)
	}
}

// protocolError is the code for what no client may send (RFC 6455, 7.4.1).
var protocolError = []int{1002}

// badData is the code for text that is none (RFC 6455, 7.4.1).
var badData = []int{1007}

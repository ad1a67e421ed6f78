package conform

import "fmt"

// part is a frame of a fragmented message.
func part(op byte, payload string, more bool) frame {
	return frame{op: op, payload: []byte(payload), more: more}
}

// cuts are the three ways in which section 5 sends the same bytes, with what it says of each.
var cuts = []struct {
	cut  cutting
	what string
}{{0, ""}, {wholeFrames, ", sent frame by frame"}, {1, ", sent byte by byte"}}

// fragmentCases is section 5.
func fragmentCases() []*testCase {
	all := []*testCase{
		{
			id: "5.1", rfc: "5.5", what: "a fragmented ping is refused",
			script: []step{{send: []frame{
				part(opPing, "part1", true), part(opContinuation, "part2", false),
			}}},
			end: refusal(protocolError),
		},
		{
			id: "5.2", rfc: "5.5", what: "a fragmented pong is refused",
			script: []step{{send: []frame{
				part(opPong, "part1", true), part(opContinuation, "part2", false),
			}}},
			end: refusal(protocolError),
		},
	}
	all = append(all, twoFragments()...)
	all = append(all, nothingToContinue()...)
	return append(all, mixedFragments()...)
}

// twoFragments is 5.3 to 5.8: what is allowed.
func twoFragments() []*testCase {
	var all []*testCase
	first, last := part(opText, "part1", true), part(opContinuation, "part2", false)
	both := message(opText, []byte("part1part2"))
	for i, c := range cuts {
		all = append(all, &testCase{
			id:   fmt.Sprintf("5.%d", 3+i),
			rfc:  "5.4",
			what: "a message in two fragments comes back whole" + c.what,
			script: []step{{
				c.cut,
				[]frame{first, last},
				[]event{both},
			}},
		})
	}
	for i, c := range cuts {
		all = append(all, &testCase{
			id:   fmt.Sprintf("5.%d", 6+i),
			rfc:  "5.4",
			what: "a ping between two fragments is answered before the message" + c.what,
			script: []step{{
				c.cut,
				[]frame{first, ping("between"), last},
				[]event{pong([]byte("between")), both},
			}},
		})
	}
	return all
}

// nothingToContinue is 5.9 to 5.14.
func nothingToContinue() []*testCase {
	var all []*testCase
	id := 9
	for _, more := range []bool{false, true} {
		for _, c := range cuts {
			what := "a final continuation frame"
			if more {
				what = "a continuation frame that is not final"
			}
			all = append(all, &testCase{
				id:   fmt.Sprintf("5.%d", id),
				rfc:  "5.4",
				what: what + " with nothing to continue is refused" + c.what,
				script: []step{{cut: c.cut, send: []frame{
					part(opContinuation, "lost part", more), whole(opText, hello),
				}}},
				end: refusal(protocolError),
			})
			id++
		}
	}
	return all
}

// mixedFragments is 5.15 to 5.20.
func mixedFragments() []*testCase {
	twice := func(more bool) []step {
		var s step
		for range 2 {
			s.send = append(s.send, part(opContinuation, "part1", more),
				part(opText, "part2", true), part(opContinuation, "part3", false))
		}
		return []step{s}
	}
	all := []*testCase{
		{
			id: "5.15", rfc: "5.4",
			what: "a continuation frame after a fragmented message has ended is refused",
			script: []step{{send: []frame{
				part(opText, "part1", true), part(opContinuation, "part2", false),
				part(opContinuation, "part3", true), text("part4"),
			}}},
			end: refusal(protocolError, message(opText, []byte("part1part2"))),
		},
		{
			id: "5.16", rfc: "5.4",
			what: "a continuation frame that is not final before a fragmented message, twice, " +
				"is refused",
			script: twice(true), end: refusal(protocolError),
		},
		{
			id: "5.17", rfc: "5.4",
			what: "a final continuation frame before a fragmented message, twice, is " +
				"refused",
			script: twice(false), end: refusal(protocolError),
		},
		{
			id: "5.18", rfc: "5.4",
			what: "a second fragment that is no continuation frame is refused",
			script: []step{{send: []frame{
				part(opText, "part1", true), part(opText, "part2", false),
			}}},
			end: refusal(protocolError),
		},
	}
	for i, c := range []cutting{0, wholeFrames} {
		all = append(all, &testCase{
			id:  fmt.Sprintf("5.%d", 19+i),
			rfc: "5.4",
			what: "a message in five fragments with two pings between; the first is answered " +
				"while the message is not complete" + cuts[i].what,
			script: []step{
				{c, []frame{
					part(opText, "part1", true), part(opContinuation, "part2", true), ping("one"),
				}, []event{pong([]byte("one"))}},
				{c, []frame{
					part(opContinuation, "part3", true), part(opContinuation, "part4", true),
					ping("two"), part(opContinuation, "part5", false),
				}, []event{
					pong([]byte("two")), message(opText, []byte("part1part2part3part4part5")),
				}},
			},
		})
	}
	return all
}

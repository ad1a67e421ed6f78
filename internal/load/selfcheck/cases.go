package selfcheck

import (
	"maps"
	"slices"
	"time"

	"github.com/curfew-go/curfew/internal/load/selfcheck/faulty"
)

// Cases are all cases.
func Cases() []Case {
	return slices.Concat(
		cleanCases(), messageCases(), connectionCases(), sessionCases(), resumeCases(),
		misbehavingCases(), timeCases(),
	)
}

// QuickCases are those of them that show in seconds that the rest can be relied on.
func QuickCases() []Case {
	return slices.DeleteFunc(Cases(), func(c Case) bool { return !c.Quick })
}

// counts are what a case must find.
type counts = map[string]Count

// idle is after what silence the servers of cases end sessions.
const idle = time.Second

// short is the patience of servers that are to lose it.
const short = 500 * time.Millisecond

// both makes a case for plain frames and one for curfew.v1.
func both(c Case) []Case {
	plain, v1 := c, c
	plain.Name += ", plain"
	v1.Name += ", curfew.v1"
	v1.Server.V1 = true
	return []Case{plain, v1}
}

// cleanCases are servers without fault, in every profile. The harness must not cry wolf.
func cleanCases() []Case {
	all := slices.Concat(
		both(Case{Name: "none, echo", Processes: 2, Quick: true}),
		both(Case{Name: "none, awkward", Server: faulty.Options{Fault: faulty.Awkward}}),
		both(Case{Name: "none, large messages", Size: 100_000, Rate: 100}),
		both(Case{Name: "none, small messages", Size: 1}),
		both(Case{Name: "none, pings", Server: faulty.Options{
			Ping: 100 * time.Millisecond, Patience: 5 * time.Second,
		}}),
		both(Case{
			Name: "none, churn", Profile: "churn", Counts: counts{"closes.1000": some()},
		}),
	)
	all = append(all, Case{
		Name: "none, reconnect", Profile: "reconnect", Server: faulty.Options{V1: true},
		Counts: counts{"resume.resumed": some(), "resume.dropped": some()},
	}, Case{
		Name: "none, reconnect over a slow way", Profile: "reconnect", Connections: 50,
		Rate: 450, Duration: 2 * time.Second,
		Server: faulty.Options{V1: true, Latency: 100 * time.Millisecond},
		Counts: counts{"resume.resumed": some(), "resume.dropped": some()},
	})
	return slices.Concat(all, expiring(
		Case{Name: "none, idle", Profile: "idle", Processes: 2, Quick: true}, 0, 0),
		expiring(Case{Name: "none, chatty", Profile: "chatty"}, 0, 0),
		expiring(Case{Name: "none, storm", Profile: "storm"}, 0, 0))
}

// expiring makes cases of profiles in which the server must end sessions: half of them where the
// others talk. Of these ends many are early, and some miss altogether.
func expiring(c Case, early, missing uint64) []Case {
	c = c.withDefaults()
	c.Server.Idle = idle
	silent := uint64(c.Connections)
	if c.Profile == "chatty" {
		silent /= 2
	}
	var cases []Case
	for _, of := range both(c) {
		of.ExpectIdle = idle
		of.Counts = counts{
			"expiry.expected": exactly(silent),
			"expiry.observed": exactly(silent - missing),
			"expiry.early":    exactly(early),
			"expiry.missing":  exactly(missing),
			"closes.4200":     exactly(silent - missing),
		}
		maps.Copy(of.Counts, c.Counts)
		cases = append(cases, of)
	}
	return cases
}

// messageCases are faults that strike messages.
func messageCases() []Case {
	var cases []Case
	add := func(quick bool, f faulty.Fault, every uint64, want counts) {
		cases = append(cases, both(Case{
			Name: string(f), Server: faulty.Options{Fault: f, At: 50, Every: every},
			Exit: 1, Counts: want, Quick: quick,
		})...)
	}
	spoilt := counts{"wrong": each(1), "lost": each(1)} // the right answer never came
	add(true, faulty.Withhold, 100, counts{"lost": each(1)})
	add(true, faulty.Flip, 0, spoilt)
	add(false, faulty.FlipFirst, 0, spoilt)
	add(false, faulty.Truncate, 0, spoilt)
	add(false, faulty.Extend, 0, spoilt)
	add(false, faulty.Empty, 0, spoilt)
	add(false, faulty.Swap, 0, counts{"wrong": exactly(2), "lost": exactly(2)})
	add(true, faulty.Twice, 0, counts{"duplicated": each(1)})
	add(false, faulty.TwiceLater, 0, counts{"duplicated": each(1)})
	add(false, faulty.Push, 0, counts{"wrong": each(1)})
	add(true, faulty.Reset, 0, counts{
		"lost": each(1), "cut": each(1), "errors.econnreset": each(1),
	})
	add(false, faulty.Vanish, 0, counts{"lost": each(1), "cut": each(1), "errors.eof": each(1)})
	// The next message may be under way already when the connection ends.
	add(false, faulty.VanishIdle, 0, counts{
		"lost": upTo(1), "cut": each(1), "errors.eof": upTo(1), "errors.econnreset": upTo(1),
	})
	add(false, faulty.Close, 0, counts{"lost": each(1), "cut": each(1), "closes.1011": each(1)})
	// A talker that is told to go, with nothing in flight.
	add(false, faulty.CloseIdle, 0, counts{"lost": upTo(1), "cut": each(1), "closes.1011": each(1)})
	add(false, faulty.Breach, 0, counts{
		"lost": each(1), "cut": each(1), "errors.frame_reserved_opcode": each(1),
	})
	add(false, faulty.Deaf, 0, counts{"lost": each(1)})
	return slices.Concat(cases, lateCases(), both(Case{
		Name: "1 % withheld, 1,000 connections", Connections: 1000, Rate: 2000,
		Duration: 2 * time.Second, Processes: 2, Exit: 1,
		Server: faulty.Options{Fault: faulty.Withhold, At: 100, Every: 100},
		Counts: counts{"lost": exactly(40)},
	}))
}

// lateCases are answers that come when they have been given up, and messages that no connection
// becomes free for.
func lateCases() []Case {
	return slices.Concat(
		// The connection's next message is due when the answer is given up, and the late answer
		// comes after that to the next.
		both(Case{
			Name: string(faulty.Reorder), Connections: 10, Rate: 50, Exit: 1,
			Duration: 6500 * time.Millisecond,
			Server:   faulty.Options{Fault: faulty.Reorder, At: 20},
			Counts:   counts{"lost": each(1), "late": each(1), "reordered": each(1)},
		}),
		// With as many connections as messages a second the next is not due for a second.
		both(Case{
			Name: string(faulty.Late), Connections: 100, Rate: 100, Exit: 1,
			Duration: 6500 * time.Millisecond,
			Server: faulty.Options{
				Fault: faulty.Late, At: 20, Delay: 5400 * time.Millisecond,
			},
			Counts: counts{"lost": each(1), "late": each(1)},
		}),
		both(Case{
			Name: "nothing is answered", Connections: 4, Rate: 20, Duration: time.Second, Exit: 1,
			Server: faulty.Options{Fault: faulty.Withhold, Every: 1},
			Counts: counts{"lost": some(), "unsent": some()},
		}),
	)
}

// connectionCases are faults that strike connections as they are made.
func connectionCases() []Case {
	return slices.Concat(
		both(Case{
			Name: "refuse, one in ten", Exit: 1, Quick: true,
			Server: faulty.Options{Fault: faulty.Refuse, At: 5, Every: 10},
			Counts: counts{
				"connect.ok": exactly(18), "connect.failed": exactly(2),
				"errors.upgrade_503": exactly(2),
			},
		}),
		both(Case{
			Name: "refuse, all", Exit: 2,
			Server: faulty.Options{Fault: faulty.Refuse, Every: 1},
			Counts: counts{
				"connect.failed": exactly(20), "errors.upgrade_503": exactly(20),
				"unsent": upTo(300),
			},
		}),
		both(Case{
			Name: "subprotocol, one in ten", Exit: 1, Quick: true,
			Server: faulty.Options{Fault: faulty.Subprotocol, At: 5, Every: 10},
			Counts: counts{
				"connect.ok": exactly(18), "connect.failed": exactly(2),
				"errors.wrong_subprotocol": exactly(2),
			},
		}),
		both(Case{
			Name: "subprotocol, all", Exit: 2,
			Server: faulty.Options{Fault: faulty.Subprotocol, Every: 1},
			Counts: counts{
				"connect.failed": exactly(20), "errors.wrong_subprotocol": exactly(20),
				"unsent": upTo(300),
			},
		}),
	)
}

// sessionCases are sessions that end when they should not, or do not, or not as they should.
func sessionCases() []Case {
	one := func(f faulty.Fault) faulty.Options { return faulty.Options{Fault: f, At: 7} }
	var cases []Case
	for _, profile := range []string{"idle", "chatty", "storm"} {
		at := one(faulty.Early)
		early := Case{Name: "early, " + profile, Profile: profile, Exit: 1, Server: at}
		stay := Case{Name: "stay, " + profile, Profile: profile, Exit: 1, Server: one(faulty.Stay)}
		early.Quick, stay.Quick = profile == "idle", profile == "idle"
		if profile == "storm" { // it may end with its one message under way
			early.Counts = counts{"lost": upTo(1)}
		}
		if profile == "chatty" {
			// Which of the connections talk is the harness's choice, so all sessions are struck:
			// the silent ones end early, and those that talk are kept by what they say.
			early.Server = faulty.Options{Fault: faulty.Early, Every: 1}
			stay.Server = faulty.Options{Fault: faulty.Stay, Every: 1}
			cases = append(cases, expiring(early, 10, 0)...)
			cases = append(cases, expiring(stay, 0, 10)...)
			continue
		}
		cases = append(cases, expiring(early, 1, 0)...)
		cases = append(cases, expiring(stay, 0, 1)...)
	}
	// The hello of curfew.v1 says what the harness is not told, and may wait for if there is time.
	told := expiring(Case{
		Name: "stay, idle, as the hello has it", Profile: "idle", Exit: 1,
		Server: one(faulty.Stay), Duration: 3 * time.Second,
	}, 0, 1)[1]
	told.ExpectIdle = 0
	cases = append(cases, told)
	// A talker is ended. In chatty the harness expects the ends of ten silent ones.
	cases = append(cases, expiring(Case{
		Name: "expire, chatty", Profile: "chatty", Exit: 1,
		Server: faulty.Options{Fault: faulty.Expire, At: 100},
		Counts: counts{
			"expiry.early": exactly(1), "expiry.observed": exactly(11),
			"closes.4200": exactly(11), "lost": upTo(1),
		},
	}, 0, 0)...)
	// How it is said is a matter of curfew.v1.
	v1 := func(all []Case) []Case { return all[1:] }
	said := counts{"errors.expired_without_a_word": exactly(1)}
	return slices.Concat(cases,
		v1(expiring(Case{
			Name: "untold, idle", Profile: "idle", Server: one(faulty.Untold), Counts: said,
		}, 0, 0)),
		v1(expiring(Case{
			Name: "misnamed, idle", Profile: "idle", Server: one(faulty.Misnamed), Counts: said,
		}, 0, 0)),
		v1(expiring(Case{
			Name: "miscode, idle", Profile: "idle", Exit: 1, Server: one(faulty.Miscode),
			Counts: counts{"closes.1000": exactly(1)},
		}, 0, 1)),
	)
}

// resumeCases are faults of servers from which sessions are resumed.
func resumeCases() []Case {
	resume := func(f faulty.Fault, exit int, latency time.Duration, want counts) Case {
		want["resume.dropped"] = some()
		return Case{
			Name: string(f) + ", reconnect", Profile: "reconnect", Exit: exit, Counts: want,
			Connections: 50, Rate: 450, Duration: 7 * time.Second,
			Server: faulty.Options{V1: true, Fault: f, At: 3, Latency: latency},
		}
	}
	slow := 100 * time.Millisecond // so that answers are under way when connections are dropped
	return []Case{
		resume(faulty.Omit, 1, slow, counts{
			"lost": exactly(1), "errors.numbers_left_out": exactly(1),
		}),
		resume(faulty.Lose, 1, slow, counts{"resume.gaps": exactly(1)}),
		resume(faulty.FalseGap, 1, 0, counts{"resume.gaps": exactly(1)}),
		resume(faulty.Replay, 1, slow, counts{"duplicated": exactly(1)}),
		// What was in flight then is lost with the session.
		resume(faulty.Change, 1, 0, counts{"resume.changed": exactly(1), "lost": upTo(1)}),
		resume(faulty.Forget, 1, 0, counts{
			"resume.refused": exactly(1), "errors.hello_resume_unknown": exactly(1),
			"lost": upTo(1),
		}),
		resume(faulty.Falter, 0, 0, counts{"errors.eof": exactly(1)}),
	}
}

// misbehavingCases are servers that do not notice who misbehaves, and beside them some that do.
func misbehavingCases() []Case {
	var cases []Case
	for _, of := range []struct {
		profile string
		server  faulty.Options
	}{
		{"slow-reader", faulty.Options{Patience: short}},
		{"slowloris", faulty.Options{Patience: short}},
		{"half-open", faulty.Options{Patience: short, Ping: 300 * time.Millisecond}},
	} {
		noticed := Case{
			Name: "none, " + of.profile, Profile: of.profile, Server: of.server,
			Duration: 4 * time.Second,
			Counts: counts{
				"fault.injected": some(), "fault.cut": some(), "fault.reasons.econnreset": some(),
			},
		}
		kept := noticed
		kept.Name = "indulgent, " + of.profile
		kept.Server.Fault = faulty.Indulgent
		kept.Counts = counts{
			"fault.injected": exactly(10), "fault.cut": exactly(0), "fault.held": exactly(10),
		}
		if of.profile != "slowloris" { // one that is cut while it trickles comes again
			noticed.Counts = counts{
				"fault.injected": exactly(10), "fault.cut": exactly(10),
				"fault.reasons.econnreset": exactly(10),
			}
		}
		cases = append(cases, both(noticed)...)
		cases = append(cases, both(kept)...)
	}
	// A server that has promised to end the silent must end those that are gone too.
	gone := Case{
		Name: "half-open, never ended", Profile: "half-open", Exit: 1, ExpectIdle: idle,
		Server: faulty.Options{Fault: faulty.Indulgent},
		Counts: counts{
			"fault.injected": exactly(10), "fault.held": exactly(10),
			"expiry.expected": exactly(10), "expiry.missing": exactly(10),
		},
	}
	return append(cases, both(gone)...)
}

// timeCases are about how long things take, and about the harness itself.
func timeCases() []Case {
	second := float64(time.Second / time.Microsecond)
	stall := Case{
		Name: "stall of 200 ms each second", Connections: 10, Rate: 2000,
		Duration: 10 * time.Second, Stall: true,
		Server: faulty.Options{
			Fault: faulty.Stall, Delay: 200 * time.Millisecond, Period: time.Second,
		},
	}
	long := stall
	long.Name = "stall of 600 ms each second"
	long.Connections, long.Rate, long.Processes, long.Duration = 8, 1000, 2, 5*time.Second
	long.Server.Delay = 600 * time.Millisecond
	overdue := expiring(Case{
		Name: "overdue by 300 ms, idle", Profile: "idle", Connections: 200,
		Server: faulty.Options{Fault: faulty.Overdue, Every: 1, Delay: 300 * time.Millisecond},
		Times: []Time{
			{"expiry.p50_ms", 300, 350}, {"expiry.p99_ms", 300, 400}, {"expiry.max_ms", 300, 500},
		},
	}, 0, 0)
	punctual := expiring(Case{
		Name: "none, lateness", Profile: "idle", Connections: 200,
		Times: []Time{{"expiry.p50_ms", 0, 50}, {"expiry.p99_ms", 0, 100}},
	}, 0, 0)
	slow := Case{
		Name: "slow, one connection in a hundred", Connections: 100, Rate: 500,
		Duration: 2 * time.Second,
		Server:   faulty.Options{Fault: faulty.Slow, At: 42, Delay: 50 * time.Millisecond},
		Times: []Time{
			{"fairness.jain_index", 0, 0.1},
			{"fairness.mean_p50_us", 0, 5000},
			{"fairness.mean_max_us", 50_000, 60_000},
		},
	}
	fair := Case{
		Name: "none, fairness", Connections: 100, Rate: 500, Duration: 2 * time.Second,
		Times: []Time{{"fairness.jain_index", 0.2, 1}},
	}
	frozen := Case{
		Name: "the harness is stopped for a second", Exit: 3, Freeze: time.Second,
		Duration: 4 * time.Second,
		Times:    []Time{{"timing_error.max_us", 0.9 * second, 1.5 * second}},
	}
	two := frozen
	two.Name, two.Processes = "one of two workers is stopped for a second", 2
	return slices.Concat(
		both(stall), []Case{long}, overdue, punctual, both(slow), both(fair),
		[]Case{frozen, two},
	)
}

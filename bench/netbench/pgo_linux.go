package main

import (
	"errors"
	"fmt"
	"os"
)

// compareGuided measures what an echo costs a daemon that was built with a profile, beside the
// plain one, in raw frames and in JSON.
func compareGuided(s settings) error {
	plain, guided := daemons(s.curfewd)[0], daemons(s.guided)[0]
	plain.pin, guided.pin = s.pin, s.pin
	fmt.Printf("pinned: %v\n", s.pin)
	found := results{baseline: "plain"}
	var broken error
	for round := 1; round <= s.rounds; round++ {
		for _, p := range speeches[:2] {
			m := measurement{s: s, round: round, found: &found}
			all := []contender{{"plain", plain.with(p.client)}, {"pgo", guided.with(p.client)}}
			if err := m.besides(all, "protocol="+p.name); err != nil {
				err = fmt.Errorf("protocol=%s round=%d: %w", p.name, round, err)
				fmt.Printf("# failed: %v\n", err)
				broken = errors.Join(broken, err)
			}
		}
	}
	return errors.Join(broken, found.print(os.Stdout))
}

package load

import "time"

// holdTask counts what happens to connections that are left alone.
type holdTask struct{ report HoldReport }

func (t *holdTask) opened(uint32, time.Duration)          {}
func (t *holdTask) message(uint32, []byte, time.Duration) { t.report.Messages++ }

func (t *holdTask) closed(_ uint32, _ state, why string) {
	if t.report.Closes == nil {
		t.report.Closes = map[string]int{}
	}
	t.report.Closes[why]++
}

// Hold sends nothing for a while, and answers pings.
func (c *Client) Hold(d time.Duration) (HoldReport, error) {
	t := new(holdTask)
	c.task = t
	defer func() { c.task = idle{} }()
	start := c.clock.now()
	for c.clock.now() < start+d {
		if err := c.turn(start + d); err != nil {
			return t.report, err
		}
	}
	t.report.Open = c.open
	t.report.Wall = c.clock.now() - start
	return t.report, nil
}

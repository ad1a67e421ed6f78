package conform

import "time"

// Outcome is what became of a case.
type Outcome string

// The outcomes of a case.
const (
	Pass Outcome = "pass"
	Fail Outcome = "fail"
	Skip Outcome = "skip" // what the case is about, the server need not and does not offer
)

// Case describes one case.
type Case struct {
	// ID is the case's number. Sections 1 to 13 are numbered as in the Autobahn testsuite.
	ID string

	// RFC is where the rule stands that the case tests, such as "RFC 6455, 5.5.2".
	RFC string

	// Description says what is sent and what should come of it, in a sentence.
	Description string
}

// Result is a case with what became of it.
type Result struct {
	ID          string  `json:"id"`
	Description string  `json:"description"`
	Outcome     Outcome `json:"result"`

	// Detail says why a case failed or was skipped. For a case that passed it holds remarks,
	// where the server does what an RFC permits but advises against.
	Detail string `json:"detail"`

	// RFC, Reason, Sent, Expected and Seen are for whoever looks into a case. Reason is Detail
	// without what was sent, expected and seen.
	RFC      string `json:"-"`
	Reason   string `json:"-"`
	Sent     string `json:"-"`
	Expected string `json:"-"`
	Seen     string `json:"-"`

	silent bool // failed for what did not come in time
}

// Report is what a run found. Server is the URL, with the values of its query left out: they may
// be secrets.
type Report struct {
	Server  string   `json:"server"`
	Cases   []Result `json:"cases"`
	Passed  int      `json:"passed"`
	Failed  int      `json:"failed"`
	Skipped int      `json:"skipped"`

	// Took is how long the run took.
	Took time.Duration `json:"-"`
}

func (r *Report) count() {
	for _, c := range r.Cases {
		switch c.Outcome {
		case Pass:
			r.Passed++
		case Fail:
			r.Failed++
		case Skip:
			r.Skipped++
		}
	}
}

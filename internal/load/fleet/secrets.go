package fleet

import (
	"errors"
	"net/url"
	"strings"

	"github.com/curfew-go/curfew/internal/load"
)

// hidden stands where a secret was.
const hidden = "***"

// PublicURL is a URL without what may be secret: user, password, and the values of its query.
func PublicURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return hidden
	}
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	u.RawQuery, u.ForceQuery = "", false
	return u.String()
}

// secrets are the words of a plan that nobody should read. Any field of the upgrade may be one.
func secrets(p *load.Plan) []string {
	var found []string
	add := func(s string) {
		if s != "" {
			found = append(found, s)
		}
	}
	add(p.Token)
	for _, values := range p.Header {
		for _, v := range values {
			add(v)
			if _, credentials, ok := strings.Cut(v, " "); ok {
				add(credentials)
			}
		}
	}
	u, err := url.Parse(p.URL)
	if err != nil {
		return found
	}
	if u.User != nil {
		add(u.User.String())
		password, _ := u.User.Password()
		add(password)
	}
	add(u.RawQuery)
	for _, values := range u.Query() {
		for _, v := range values {
			add(v)
		}
	}
	return found
}

// shortest is how long a secret is at least: what is shorter is found in any sentence.
const shortest = 4

// scrub hides the plan's secrets in a sentence.
func scrub(p *load.Plan, sentence string) string {
	for _, s := range secrets(p) {
		if len(s) >= shortest {
			sentence = strings.ReplaceAll(sentence, s, hidden)
		}
	}
	return sentence
}

// Public is an error without the plan's secrets.
func Public(p *load.Plan, err error) error {
	if told := err.Error(); scrub(p, told) != told {
		return errors.New(scrub(p, told))
	}
	return err
}

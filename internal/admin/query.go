package admin

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
)

// Sessions on one page of a list.
const (
	limitDefault = 100
	limitMax     = 1000
)

// nameBytesMax bounds an ID and a user's name.
const nameBytesMax = 255

// listQuery says which sessions a list shows, and how.
type listQuery struct {
	filter Filter
	order  order
	limit  int
	after  key // the page begins behind it; the zero key: with the first
}

// place is after which session the daemon is asked to begin; 0: with the first.
func (q *listQuery) place() uint64 {
	if q.order.by == byPlace {
		return q.after.ref
	}
	return 0
}

// parseList reads the parameters of a list.
func parseList(rawQuery string) (q listQuery, err error) {
	v, err := parseQuery(rawQuery, "state", "user", "sort", "limit", "cursor")
	if err != nil {
		return q, err
	}
	if q.filter, err = parseFilter(v); err != nil {
		return q, err
	}
	q.limit = limitDefault
	if text := v.Get("limit"); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n < 1 || n > limitMax {
			return q, badRequest(fmt.Sprintf("limit is not a number from 1 to %d", limitMax))
		}
		q.limit = int(n)
	}
	if q.order, err = parseOrder(v.Get("sort")); err != nil {
		return q, err
	}
	if cursor := v.Get("cursor"); cursor != "" {
		q.after, err = parseCursor(cursor, q.order)
	}
	return q, err
}

// parseFilter reads the parameters that say which sessions are meant.
func parseFilter(v url.Values) (Filter, error) {
	f := Filter{State: State(v.Get("state")), User: v.Get("user")}
	switch f.State {
	case "", StateLive, StateDetached, StateGrace:
	default:
		return f, badRequest("state is not live, detached or grace")
	}
	if len(f.User) > nameBytesMax {
		return f, badRequest(fmt.Sprintf("user is longer than %d bytes", nameBytesMax))
	}
	return f, nil
}

// parseQuery takes a query apart in which the known parameters stand at most once and no others.
func parseQuery(rawQuery string, known ...string) (url.Values, error) {
	v, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, badRequest("the query is malformed")
	}
	for name, values := range v {
		switch {
		case !slices.Contains(known, name):
			return nil, badRequest(fmt.Sprintf("unknown parameter %q", name))
		case len(values) > 1:
			return nil, badRequest(name + " is given more than once")
		}
	}
	return v, nil
}

// parseOrder reads how a list is sorted.
func parseOrder(text string) (order, error) {
	if text == "" {
		return order{}, nil
	}
	for o := range orders {
		if o.String() == text {
			return o, nil
		}
	}
	return order{}, badRequest("sort is not created_at, last_activity or deadline, with - for " +
		"descending")
}

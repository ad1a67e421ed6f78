package backend

// SetToken replaces HTTPOptions.Token, for requests that begin after it returned. It must be
// visible ASCII; "" sends none.
func (h *HTTP) SetToken(token string) {
	if token == "" {
		h.link.token.Store(nil)
		return
	}
	h.link.token.Store(&[]string{"Bearer " + token})
}

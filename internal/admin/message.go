package admin

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"
)

// readMessage reads the message in a request's body.
func (s *Server) readMessage(w http.ResponseWriter, r *http.Request) (Message, error) {
	kind, err := kindOf(r.Header)
	if err != nil {
		return Message{}, err
	}
	data, err := readBody(w, r, s.o.MaxMessageBytes)
	switch {
	case err != nil:
		return Message{}, err
	case kind != Binary && !utf8.Valid(data):
		return Message{}, badRequest("the body is not UTF-8")
	case kind == JSON && !json.Valid(data):
		return Message{}, badRequest("the body is not one JSON value")
	}
	return Message{kind, data}, nil
}

// kindOf says what a body is by its headers.
func kindOf(h http.Header) (Kind, error) {
	name, err := contentType(h)
	switch {
	case err != nil:
		return 0, err
	case isJSON(name):
		return JSON, nil
	case strings.HasPrefix(name, "text/"):
		return Text, nil
	}
	return Binary, nil
}

package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
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
	tooLarge := &problem{
		status: http.StatusRequestEntityTooLarge, code: codeTooLarge,
		message: fmt.Sprintf("a message has at most %d bytes", s.o.MaxMessageBytes),
	}
	if r.ContentLength > s.o.MaxMessageBytes {
		return Message{}, tooLarge
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.o.MaxMessageBytes))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return Message{}, tooLarge
	}
	switch {
	case err != nil:
		return Message{}, badRequest("the body did not come whole")
	case kind != Binary && !utf8.Valid(data):
		return Message{}, badRequest("the body is not UTF-8")
	case kind == JSON && !json.Valid(data):
		return Message{}, badRequest("the body is not one JSON value")
	}
	return Message{kind, data}, nil
}

// kindOf says what a body is by its headers.
func kindOf(h http.Header) (Kind, error) {
	if c := h.Get("Content-Encoding"); c != "" && !strings.EqualFold(c, "identity") {
		return 0, mediaType("a body is pushed as it is: it must not be encoded")
	}
	contentType := h.Get("Content-Type")
	if contentType == "" {
		return Binary, nil
	}
	name, parameters, err := mime.ParseMediaType(contentType)
	kind := Binary
	switch {
	case err != nil:
		return 0, badRequest("Content-Type is malformed")
	case name == "application/json", strings.HasSuffix(name, "+json"):
		kind = JSON
	case strings.HasPrefix(name, "text/"):
		kind = Text
	}
	if kind == Binary {
		return kind, nil
	}
	switch strings.ToLower(parameters["charset"]) {
	case "", "utf-8", "us-ascii":
		return kind, nil
	}
	return 0, mediaType("a charset other than UTF-8 is not spoken here")
}

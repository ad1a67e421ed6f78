package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// jsonType is the type of bodies here, asked and answered.
const jsonType = "application/json"

// jsonBytesMax bounds a body that is no message.
const jsonBytesMax = 4 << 10

// readJSON reads a request's body, one JSON object such as the example, into v.
func readJSON(w http.ResponseWriter, r *http.Request, v any, example string) error {
	if kind, err := contentType(r.Header); err != nil || kind != jsonType {
		return mediaType("the body must be sent as Content-Type: " + jsonType)
	}
	data, err := readBody(w, r, jsonBytesMax)
	if err != nil {
		return err
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badRequest("the body is not a JSON object such as " + example)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badRequest("the body has something behind its JSON object")
	}
	return nil
}

// readBody reads a request's body, of at most so many bytes.
func readBody(w http.ResponseWriter, r *http.Request, bytesMax int64) ([]byte, error) {
	tooLarge := &problem{
		status: http.StatusRequestEntityTooLarge, code: codeTooLarge,
		message: fmt.Sprintf("the body has at most %d bytes", bytesMax),
	}
	if r.ContentLength > bytesMax {
		return nil, tooLarge
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bytesMax))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge
	}
	if err != nil {
		return nil, badRequest("the body did not come whole")
	}
	haveRead(w)
	if g := guestOf(r); g != nil {
		g.begin()
	}
	return data, nil
}

// haveRead notes that a request's body was read to the end.
func haveRead(w http.ResponseWriter) {
	if rec, ok := w.(*recorder); ok {
		rec.unread = false
	}
}

// noBody refuses a body where none is taken.
func noBody(w http.ResponseWriter, r *http.Request) error {
	if r.ContentLength == 0 {
		return nil
	}
	if r.ContentLength < 0 { // it says so by being empty
		switch n, err := io.ReadFull(r.Body, make([]byte, 1)); {
		case n == 0 && errors.Is(err, io.EOF):
			haveRead(w)
			return nil
		case n == 0:
			return badRequest("the body did not come whole")
		}
	}
	return badRequest("no body is taken here")
}

// contentType is what a body is said to be, "" where nothing is said, without its parameters. They
// may say nothing but that text is in UTF-8, and it must not be encoded.
func contentType(h http.Header) (string, error) {
	for _, name := range []string{"Content-Type", "Content-Encoding"} {
		if len(h.Values(name)) > 1 {
			return "", badRequest(name + " is given more than once")
		}
	}
	if c := h.Get("Content-Encoding"); c != "" && !strings.EqualFold(c, "identity") {
		return "", mediaType("a body is taken as it is: it must not be encoded")
	}
	text := h.Get("Content-Type")
	if text == "" {
		return "", nil
	}
	name, parameters, err := mime.ParseMediaType(text)
	if err != nil {
		return "", badRequest("Content-Type is malformed")
	}
	if !isJSON(name) && !strings.HasPrefix(name, "text/") {
		return name, nil
	}
	switch strings.ToLower(parameters["charset"]) {
	case "", "utf-8", "us-ascii":
		return name, nil
	}
	return "", mediaType("a charset other than UTF-8 is not spoken here")
}

func isJSON(contentType string) bool {
	return contentType == jsonType || strings.HasSuffix(contentType, "+json")
}

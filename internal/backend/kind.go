package backend

import (
	"encoding/json"
	"errors"
	"mime"
	"strings"
	"unicode/utf8"
)

// Why data is not what it is said to be. The texts are for whoever sent it.
var (
	errNotJSON    = errors.New("the data is no JSON value in UTF-8")
	errNotUTF8    = errors.New("the text is not UTF-8")
	errCharset    = errors.New("the charset must be UTF-8")
	errMediaType  = errors.New("the Content-Type cannot be read")
	errNoSuchKind = errors.New("the data is of no kind")
)

// contentTypes are the types that data is sent with.
var contentTypes = [...]string{
	JSON:   "application/json",
	Text:   "text/plain; charset=utf-8",
	Binary: "application/octet-stream",
}

// KindOf is the Kind of data with that Content-Type: JSON for application/json and whatever ends in
// +json, Text for text/*, and Binary for all others and none.
func KindOf(contentType string) Kind {
	name, _, _ := strings.Cut(contentType, ";")
	name = strings.TrimSpace(name)
	switch {
	case strings.EqualFold(name, "application/json"), hasSuffixFold(name, "+json"):
		return JSON
	case hasPrefixFold(name, "text/"):
		return Text
	}
	return Binary
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

// Check says what is wrong with data as something of this kind: JSON is one value, and both JSON
// and Text are UTF-8, since they go into text frames.
func (k Kind) Check(data []byte) error {
	switch k {
	case JSON:
		if !json.Valid(data) || !utf8.Valid(data) {
			return errNotJSON
		}
	case Text:
		if !utf8.Valid(data) {
			return errNotUTF8
		}
	case Binary:
	default:
		return errNoSuchKind
	}
	return nil
}

// MessageOf is the message with that Content-Type and data, which it keeps. Answers and pushes obey
// it alike. Its errors are about the input and name nothing of the network.
func MessageOf(contentType string, data []byte) (Message, error) {
	kind := KindOf(contentType)
	if kind != Binary {
		if err := checkCharset(contentType); err != nil {
			return Message{}, err
		}
	}
	if err := kind.Check(data); err != nil {
		return Message{}, err
	}
	return Message{Kind: kind, Data: data}, nil
}

// checkCharset passes UTF-8, what is part of it, and what names none.
func checkCharset(contentType string) error {
	if !strings.Contains(contentType, ";") || contentType == contentTypes[Text] {
		return nil
	}
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return errMediaType
	}
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "utf8", "us-ascii":
		return nil
	}
	return errCharset
}

package backend

import (
	"testing"
)

func TestKindOf(t *testing.T) {
	for contentType, want := range map[string]Kind{
		"application/json":                  JSON,
		"APPLICATION/JSON; charset=utf-8":   JSON,
		"application/problem+json":          JSON,
		" application/ld+JSON ;x=y":         JSON,
		"text/plain":                        Text,
		"Text/HTML;charset=latin1":          Text,
		"text/json":                         Text,
		"application/octet-stream":          Binary,
		"application/jsonl":                 Binary,
		"application/x-www-form-urlencoded": Binary,
		"":                                  Binary,
		";":                                 Binary,
		"json":                              Binary,
		"text":                              Binary,
	} {
		if got := KindOf(contentType); got != want {
			t.Errorf("KindOf(%q) = %v, want %v", contentType, got, want)
		}
	}
}

func TestMessageOf(t *testing.T) {
	for _, c := range []struct {
		contentType, data string
		want              Kind // 0: an error
	}{
		{"application/json", `{"a":9007199254740993}`, JSON},
		{"application/json; charset=UTF-8", " null ", JSON},
		{"application/json; charset=utf-16", "1", 0},
		{"application/json", "", 0},
		{"application/json", "{} {}", 0},
		{"application/json", "\"\xff\"", 0}, // JSON to encoding/json, but not to a text frame
		{"text/plain", "hello", Text},
		{"text/plain", "", Text},
		{"text/plain; charset=\"us-ascii\"", "hello", Text},
		{"text/plain; charset=iso-8859-1", "hello", 0},
		{"text/plain; charset", "hello", 0},
		{"text/html", "\xff", 0},
		{"image/png; charset=nonsense", "\xff", Binary},
		{"", "\xff", Binary},
	} {
		m, err := MessageOf(c.contentType, []byte(c.data))
		if (err != nil) != (c.want == 0) || m.Kind != c.want {
			t.Errorf("MessageOf(%q, %q) = %v, %v; want kind %v",
				c.contentType, c.data, m, err, c.want)
		}
		if err == nil && string(m.Data) != c.data {
			t.Errorf("MessageOf(%q, %q) has data %q", c.contentType, c.data, m.Data)
		}
	}
	if Kind(0).Check(nil) == nil || Kind(9).Check(nil) == nil {
		t.Error("Check passes data of no kind")
	}
}

package backend

import "testing"

func TestEcho(t *testing.T) {
	var b Backend = Echo{}
	for _, text := range []bool{true, false} {
		in := Message{Text: text, Data: []byte("hello")}
		out, err := b.Message(t.Context(), in)
		if err != nil || out.Text != text || string(out.Data) != "hello" {
			t.Errorf("Message(%v) = %v, %v", in, out, err)
		}
	}
}

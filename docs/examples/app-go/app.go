package main

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// app answers the events that curfewd posts.
type app struct {
	token  string            // what curfewd must show
	users  map[string]string // token: user
	room   *room
	pushes *pusher
}

// bodyBytesMax is more than curfewd posts by default (--max-message-bytes 65536).
const bodyBytesMax = 1 << 20

// ServeHTTP answers one event.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	shown := []byte(r.Header.Get("Authorization"))
	if a.token != "" && subtle.ConstantTimeCompare(shown, []byte("Bearer "+a.token)) == 0 {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, bodyBytesMax)
	session, user := r.Header.Get("Curfew-Session"), r.Header.Get("Curfew-User")
	switch event := r.Header.Get("Curfew-Event"); event {
	case "tools":
		answer(w, tools)
	case "connect":
		a.connect(w, r, session)
	case "message", "call":
		a.room.enter(session, user)
		if event == "call" {
			a.call(w, r, user)
		} else {
			a.message(w, r, user)
		}
	case "disconnect", "expire":
		if user, last := a.room.leave(session); last {
			a.pushes.send("", map[string]string{"left": user})
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
}

// connect lets in who has a token, under the name that belongs to it.
func (a *app) connect(w http.ResponseWriter, r *http.Request, session string) {
	var in struct{ Token string }
	if !read(w, r, &in) {
		return
	}
	user, ok := a.users[in.Token]
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if a.room.enter(session, user) {
		a.pushes.send("", map[string]string{"joined": user})
	}
	w.Header().Set("Curfew-User", user)
	w.WriteHeader(http.StatusNoContent)
}

// message goes to everybody else, and its answer says to how many.
func (a *app) message(w http.ResponseWriter, r *http.Request, user string) {
	var in struct{ Text *string }
	if !read(w, r, &in) {
		return
	}
	if in.Text == nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	sent := 0
	for _, other := range a.room.users() {
		if other != user {
			a.pushes.send(other, map[string]string{"from": user, "text": *in.Text})
			sent++
		}
	}
	answer(w, map[string]int{"sent": sent})
}

// tools are what call can do.
var tools = json.RawMessage(`{"tools":[
 {"name":"who","description":"lists who is in the room","inputSchema":{"type":"object"}},
 {"name":"whisper","description":"says something to one user","inputSchema":{"type":"object",
  "properties":{"to":{"type":"string"},"text":{"type":"string"}},"required":["to","text"]}}
]}`)

// call runs a tool.
func (a *app) call(w http.ResponseWriter, r *http.Request, user string) {
	var in struct {
		Name      string
		Arguments struct{ To, Text *string }
	}
	if !read(w, r, &in) {
		return
	}
	switch in.Name {
	case "who":
		answer(w, map[string]string{"text": strings.Join(a.room.users(), "\n")})
	case "whisper":
		to, text := in.Arguments.To, in.Arguments.Text
		if to == nil || text == nil || !slices.Contains(a.room.users(), *to) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		a.pushes.send(*to, map[string]string{"from": user, "whisper": *text})
		answer(w, map[string]string{"text": "whispered to " + *to})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// read takes the body as JSON, or refuses it.
func read(w http.ResponseWriter, r *http.Request, v any) bool {
	if r.Header.Get("Content-Type") != "application/json" {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return false
	}
	if json.NewDecoder(r.Body).Decode(v) != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return false
	}
	return true
}

// answer answers with JSON.
func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the other side may be gone
}

// parseTokens reads TOKEN=USER,...
func parseTokens(list string) map[string]string {
	users := map[string]string{}
	for one := range strings.SplitSeq(list, ",") {
		if token, user, ok := strings.Cut(one, "="); ok {
			users[strings.TrimSpace(token)] = strings.TrimSpace(user)
		}
	}
	return users
}

// variable is the environment's name of a setting.
func variable(name string) string {
	return "APP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

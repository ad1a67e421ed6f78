package engine_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/curfew-go/curfew/engine"
)

// A table ends what is not touched. Here time is moved by hand; leave Manual out, and the table
// keeps its own.
func Example() {
	sessions, err := engine.New(engine.Options[string]{
		IdleTimeout: 30 * time.Minute,
		Manual:      true,
		OnExpire: func(batch []engine.Expired[string]) {
			for _, s := range batch {
				fmt.Println(s.Value, "ended:", s.Reason)
			}
		},
	})
	if err != nil {
		panic(err)
	}
	defer sessions.Close()

	alice, _ := sessions.Create("alice")
	sessions.Ensure("bob's-own-id", "bob")

	sessions.Advance(20 * time.Minute)
	fmt.Println("alice lives:", sessions.Touch(alice.ID()))
	sessions.Advance(20 * time.Minute)
	fmt.Println("bob lives:", sessions.Touch("bob's-own-id"))
	// Output:
	// alice lives: true
	// bob ended: idle
	// bob lives: false
}

// The sessions of a web server: the ID goes into a cookie, the value stays in the table, and each
// request of a client touches its session.
func ExampleTable_Touch_httpServer() {
	sessions, err := engine.New(engine.Options[string]{IdleTimeout: 20 * time.Minute})
	if err != nil {
		panic(err)
	}
	defer sessions.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		s, err := sessions.Create(r.FormValue("user"))
		if err != nil { // ErrFull: the table's MaxSessions.
			http.Error(w, "try again later", http.StatusServiceUnavailable)
			return
		}
		http.SetCookie(w, &http.Cookie{
			Name: "session", Value: s.ID(), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("session")
		if err != nil || !sessions.Touch(c.Value) {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		s, _ := sessions.Lookup(c.Value)
		user, _ := s.Value()
		fmt.Fprintf(w, "hello %s", user)
	})

	login := httptest.NewRequest("POST", "/login?user=alice", nil)
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, login)
	home := httptest.NewRequest("GET", "/", nil)
	home.AddCookie(answer.Result().Cookies()[0])
	answer = httptest.NewRecorder()
	mux.ServeHTTP(answer, home)
	body, _ := io.ReadAll(answer.Body)
	fmt.Println(string(body))
	// Output: hello alice
}

// conn stands for a connection that the application has open.
type conn struct {
	name   string
	closed bool
}

func (c *conn) close() { c.closed = true }

// A registry of connections: the value is the connection, which the table's end of the session
// closes, and the connection holds the eight-byte Ref for touching without a look-up.
func ExampleTable_At_connectionRegistry() {
	registry, err := engine.New(engine.Options[*conn]{
		IdleTimeout: time.Minute,
		Manual:      true,
		OnExpire: func(batch []engine.Expired[*conn]) {
			for _, s := range batch {
				s.Value.close()
				fmt.Println("closed", s.Value.name)
			}
		},
	})
	if err != nil {
		panic(err)
	}
	defer registry.Close()

	talks, _ := registry.Create(&conn{name: "the silent one"})
	ref := talks.Ref()
	registry.Create(&conn{name: "another"})

	registry.Advance(50 * time.Second)
	fmt.Println("alive:", registry.At(ref).Touch())
	registry.Advance(50 * time.Second)
	fmt.Println("left:", registry.Len())
	// Output:
	// alive: true
	// closed another
	// left: 1
}

// In its grace a session is recoverable: whoever owns it can be warned, and a touch revives it.
func ExampleOptions_grace() {
	sessions, err := engine.New(engine.Options[string]{
		IdleTimeout: 10 * time.Minute,
		Grace:       2 * time.Minute,
		Manual:      true,
		OnGrace: func(batch []engine.Session[string]) {
			for _, s := range batch {
				user, _ := s.Value()
				fmt.Println("are you still there,", user)
			}
		},
		OnExpire: func(batch []engine.Expired[string]) {
			for _, s := range batch {
				fmt.Println(s.Value, "is gone")
			}
		},
	})
	if err != nil {
		panic(err)
	}
	defer sessions.Close()

	alice, _ := sessions.Create("alice")
	sessions.Advance(11 * time.Minute)
	fmt.Println("revived:", alice.Touch())
	sessions.Advance(12 * time.Minute)
	// Output:
	// are you still there, alice
	// revived: true
	// alice is gone
}

// A lifetime ends a session however busy it is, so that a stolen ID is not good for ever. Renew
// gives a session another ID when its user's rights change.
func ExampleOptions_maxLifetime() {
	sessions, err := engine.New(engine.Options[string]{
		IdleTimeout: time.Hour,
		MaxLifetime: 8 * time.Hour,
		Manual:      true,
		OnExpire: func(batch []engine.Expired[string]) {
			fmt.Println(batch[0].Value, "ended:", batch[0].Reason)
		},
	})
	if err != nil {
		panic(err)
	}
	defer sessions.Close()

	visitor, _ := sessions.Create("alice")
	old := visitor.ID()
	loggedIn, _ := sessions.Renew(old)
	fmt.Println("same session:", loggedIn == visitor, "old ID:", sessions.Touch(old))
	for range 16 {
		sessions.Advance(30 * time.Minute)
		sessions.Touch(loggedIn.ID())
	}
	// Output:
	// same session: true old ID: false
	// alice ended: lifetime
}

// Sessions may have timeouts of their own: a paying user's, a mobile client's, one that the client
// asked for.
func ExampleSession_SetIdleTimeout() {
	sessions, err := engine.New(engine.Options[string]{
		IdleTimeout: time.Hour,
		Manual:      true,
		OnExpire: func(batch []engine.Expired[string]) {
			for _, s := range batch {
				fmt.Println(s.Value, "after", s.Due.Sub(s.LastTouch))
			}
		},
	})
	if err != nil {
		panic(err)
	}
	defer sessions.Close()

	for user, timeout := range map[string]time.Duration{
		"guest": 5 * time.Minute, "member": 0, "agent": 24 * time.Hour,
	} {
		s, _ := sessions.Create(user)
		s.SetIdleTimeout(timeout) // 0 is the table's.
	}
	for range 3 {
		sessions.Advance(30 * time.Minute)
	}
	sessions.Advance(24 * time.Hour)
	// Output:
	// guest after 5m0s
	// member after 1h0m0s
	// agent after 24h0m0s
}

// Tests of what uses a table need not wait: a manual table's time stands still until it is moved.
func ExampleTable_Advance() {
	sessions, err := engine.New(engine.Options[struct{}]{IdleTimeout: time.Hour, Manual: true})
	if err != nil {
		panic(err)
	}
	defer sessions.Close()
	for range 10 {
		sessions.Create(struct{}{})
	}
	fmt.Println(sessions.Advance(time.Hour-time.Nanosecond), "ended too early")
	fmt.Println(sessions.Advance(time.Nanosecond), "ended on time")
	// Output:
	// 0 ended too early
	// 10 ended on time
}

// All visits every session, for a page of an operator or a count by some property.
func ExampleTable_All() {
	sessions, err := engine.New(engine.Options[string]{})
	if err != nil {
		panic(err)
	}
	defer sessions.Close()
	for _, user := range []string{"carol", "alice", "bob"} {
		sessions.Create(user)
	}
	var users []string
	for s := range sessions.All() {
		user, _ := s.Value()
		users = append(users, user)
	}
	slices.Sort(users)
	fmt.Println(strings.Join(users, " "))
	// Output: alice bob carol
}

// Touching many sessions at once is faster than one by one: a server's loop may gather the Refs of
// those it heard from.
func ExampleTable_TouchBatch() {
	sessions, err := engine.New(engine.Options[struct{}]{})
	if err != nil {
		panic(err)
	}
	defer sessions.Close()
	var heard []engine.Ref
	for range 100 {
		s, _ := sessions.Create(struct{}{})
		heard = append(heard, s.Ref())
	}
	sessions.At(heard[0]).Remove()
	fmt.Println(sessions.TouchBatch(heard), "alive")
	// Output: 99 alive
}

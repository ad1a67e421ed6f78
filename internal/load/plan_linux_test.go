package load

import (
	"encoding/json"
	"math"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// goodPlan is a plan with nothing wrong.
func goodPlan() Plan {
	return Plan{
		URL: "ws://127.0.0.1:8079/ws", Connections: 10, Rate: 100, Size: 32, Duration: time.Second,
	}.WithDefaults()
}

func TestPlan_Validate(t *testing.T) {
	for want, change := range map[string]func(p *Plan){
		"":                       func(*Plan) {},
		"is no WebSocket URL":    func(p *Plan) { p.URL = "http://127.0.0.1/ws" },
		`"" is no WebSocket URL`: func(p *Plan) { p.URL = "" },
		`"ws:///ws" is no Web`:   func(p *Plan) { p.URL = "ws:///ws" },
		`is no WebSocket`:        func(p *Plan) { p.URL = "ws://[::1/ws" },
		`no fragment (#a)`:       func(p *Plan) { p.URL += "#a" },
		`no profile "bogus"`:     func(p *Plan) { p.Profile = "bogus" },
		`no protocol "bogus"`:    func(p *Plan) { p.Protocol = "bogus" },
		`has a line break`:       func(p *Plan) { p.Subprotocol = "a\r\nb" },
		`token has a line break`: func(p *Plan) { p.Token = "a\nb" },
		`--connections 0`:        func(p *Plan) { p.Connections = 0 },
		`--connections 16777217`: func(p *Plan) { p.Connections = 1<<24 + 1 },
		`chatty needs two for each`: func(p *Plan) {
			p.Profile, p.Connections, p.Processes = ProfileChatty, 5, 3
		},
		`half-open needs two`: func(p *Plan) { p.Profile, p.Connections = ProfileHalfOpen, 1 },
		`--ramp -1`:           func(p *Plan) { p.Ramp = -1 },
		`--rate 0`:            func(p *Plan) { p.Rate = 0 },
		`--rate -1`:           func(p *Plan) { p.Rate = -1 },
		`--rate NaN`:          func(p *Plan) { p.Rate = math.NaN() },
		`--rate +Inf`:         func(p *Plan) { p.Rate = math.Inf(1) },
		`--ramp NaN`:          func(p *Plan) { p.Ramp = math.NaN() },
		`--ramp +Inf`:         func(p *Plan) { p.Ramp = math.Inf(1) },
		`--size 0`:            func(p *Plan) { p.Size = 0 },
		`--size 16777217`:     func(p *Plan) { p.Size = sizeMax + 1 },
		`--duration 0s`:       func(p *Plan) { p.Duration = 0 },
		`--duration -1s`:      func(p *Plan) { p.Duration = -time.Second },
		`a negative duration`: func(p *Plan) { p.Warmup = -1 },
		`negative duration`:   func(p *Plan) { p.ExpectIdle = -1 },
		`process 1 of 1`:      func(p *Plan) { p.Process = 1 },
		`process -1 of 1`:     func(p *Plan) { p.Process = -1 },
	} {
		p := goodPlan()
		change(&p)
		err := p.Validate()
		if want == "" {
			if err != nil {
				t.Errorf("a good plan: %v", err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want %q", err, want)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("Validate() = %v, want one problem", err)
		}
	}
}

func TestPlan_ValidateSaysAllAtOnce(t *testing.T) {
	err := Plan{URL: "x", Profile: "y", Protocol: "z", Processes: 1, Rate: -1, Ramp: -1}.Validate()
	if err == nil || strings.Count(err.Error(), "\n") < 7 {
		t.Errorf("Validate() = %v, want eight problems", err)
	}
	if _, err := NewWorker(Plan{URL: "x"}, nil); err == nil {
		t.Error("NewWorker of a bad plan gives no error")
	}
}

func TestPlan_ProfilesWithoutRate(t *testing.T) {
	for _, profile := range Profiles() {
		p := goodPlan()
		p.Profile, p.Rate = profile, 0
		if err := p.Validate(); (err == nil) == profile.Talks() {
			t.Errorf("%s without a rate: %v", profile, err)
		}
	}
}

func TestPlan_WithDefaults(t *testing.T) {
	p := Plan{}.WithDefaults()
	if p.Processes != 1 || p.Interval != 100*time.Millisecond || p.Profile != ProfileEcho ||
		p.Protocol != SpeakPlain || p.Subprotocol != "" {
		t.Errorf("WithDefaults() = %+v", p)
	}
	for protocol, want := range map[string]string{SpeakJSON: "curfew.v1", SpeakRaw: "curfew.raw"} {
		p := Plan{Protocol: protocol}.WithDefaults()
		if p.Subprotocol != want {
			t.Errorf("%s has %q, want %q", protocol, p.Subprotocol, want)
		}
		if again := p.WithDefaults(); !reflect.DeepEqual(again, p) {
			t.Errorf("again: %+v, want %+v", again, p)
		}
		if p = (Plan{Protocol: protocol, Subprotocol: "x"}).WithDefaults(); p.Subprotocol != "x" {
			t.Errorf("%s has %q, want x", protocol, p.Subprotocol)
		}
	}
}

// TestPlan_IsPlainData holds that a plan is the same after it was sent as JSON.
func TestPlan_IsPlainData(t *testing.T) {
	p := goodPlan()
	p.Header = http.Header{"A": {"b"}}
	p.Roots = []byte("pem")
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var back Plan
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(p, back) {
		t.Errorf("%+v came back as %+v, %v", p, back, err)
	}
}

// TestPlan_SharesAddUp holds that processes share all, evenly, and that where connections are of
// two kinds each has some of both.
func TestPlan_SharesAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := goodPlan()
		p.Processes = rapid.IntRange(1, 20).Draw(t, "processes")
		n := rapid.IntRange(0, 1000).Draw(t, "n")
		sum := 0
		for p.Process = range p.Processes {
			share := p.share(n)
			if share < n/p.Processes || share > n/p.Processes+1 {
				t.Fatalf("%d of %d for one of %d", share, n, p.Processes)
			}
			sum += share
		}
		if sum != n {
			t.Fatalf("%d processes have %d, want %d", p.Processes, sum, n)
		}
	})
}

func TestStamp_RoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		who := rapid.Uint32Range(0, 1<<24-1).Draw(t, "who")
		which := rapid.Uint32Range(0, 1<<24-1).Draw(t, "which")
		size := rapid.IntRange(0, 40).Draw(t, "size")
		b := make([]byte, size)
		for i := range b {
			b[i] = '~'
		}
		stamp(b, who, which)
		gotWho, gotWhich, ok := readStamp(b)
		if ok != (size >= stampBytes) || ok && (gotWho != who || gotWhich != which) {
			t.Fatalf("readStamp of %q = %d, %d, %v, want %d, %d", b, gotWho, gotWhich, ok, who,
				which)
		}
		if size > stampBytes && strings.Trim(string(b[stampBytes:]), "~") != "" {
			t.Fatalf("the stamp went too far: %q", b)
		}
	})
}

func TestStamp_ReadRefuses(t *testing.T) {
	for _, s := range []string{"", "00000000000", "00000000000w", "A00000000000", "-00000000000"} {
		if who, which, ok := readStamp([]byte(s)); ok {
			t.Errorf("readStamp(%q) = %d, %d, want none", s, who, which)
		}
	}
}

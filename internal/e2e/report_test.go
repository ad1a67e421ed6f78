//go:build e2e

package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gorilla "github.com/gorilla/websocket"

	loadreport "github.com/curfew-go/curfew/internal/load/report"
	"github.com/curfew-go/curfew/internal/load/result"
)

// inspector is a page of Chromium, driven over the DevTools protocol.
type inspector struct {
	t       *testing.T
	conn    *gorilla.Conn
	session string
	calls   int

	complaints []string // errors, and whatever was written to the console
	asked      []string // addresses of what was loaded
}

// browsers bounds how many are inspected at once: more are slower than a test's patience, where the
// machine has few processors. A test has one at a time.
var browsers = make(chan struct{}, 3)

// inspect starts a browser with one page, which shows nothing yet.
func inspect(t *testing.T) *inspector {
	t.Helper()
	browsers <- struct{}{}
	t.Cleanup(func() { <-browsers })
	profile := t.TempDir()
	launch(t, exec.Command("chromium", "--headless", "--disable-gpu", "--no-first-run",
		"--no-sandbox",            // which root cannot have
		"--disable-dev-shm-usage", // which is small in containers
		"--hide-scrollbars",       // which pictures of a whole page are cut off for
		"--remote-debugging-port=0", "--user-data-dir="+profile, "about:blank"))
	conn, answer, err := gorilla.DefaultDialer.Dial(
		devTools(t, filepath.Join(profile, "DevToolsActivePort")), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	i := &inspector{t: t, conn: conn}
	var made struct{ TargetID string }
	i.call("Target.createTarget", with{"url": "about:blank"}, &made)
	var attached struct{ SessionID string }
	i.call("Target.attachToTarget", with{"targetId": made.TargetID, "flatten": true}, &attached)
	i.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		i.call(domain+".enable", nil, nil)
	}
	return i
}

// devTools waits for a browser to write down where it listens.
func devTools(t *testing.T, file string) string {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(patience); ; {
		b, err := os.ReadFile(file)
		if port, path, ok := strings.Cut(strings.TrimSpace(string(b)), "\n"); ok {
			return "ws://127.0.0.1:" + port + path
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("the browser does not say where it listens")
		}
	}
}

// said is what the browser says: the answer to a call, or an event.
type said struct {
	ID     int
	Method string
	Result json.RawMessage
	Error  *struct{ Message string }
	Params struct {
		Request          struct{ URL string }
		ExceptionDetails json.RawMessage
		Args             json.RawMessage
		Entry            struct{ Level, Text, URL string }
	}
}

// hear takes in what the browser says next.
func (i *inspector) hear() (s said) {
	i.t.Helper()
	_ = i.conn.SetReadDeadline(time.Now().Add(patience))
	if err := i.conn.ReadJSON(&s); err != nil {
		i.t.Fatalf("the browser: %v", err)
	}
	switch s.Method {
	case "Runtime.exceptionThrown":
		i.complaints = append(i.complaints, string(s.Params.ExceptionDetails))
	case "Runtime.consoleAPICalled":
		i.complaints = append(i.complaints, string(s.Params.Args))
	case "Log.entryAdded":
		i.complaints = append(i.complaints, s.Params.Entry.Text+" "+s.Params.Entry.URL)
	case "Network.requestWillBeSent":
		i.asked = append(i.asked, s.Params.Request.URL)
	}
	return s
}

// call has the browser do something, and stores what comes of it in into, if any.
func (i *inspector) call(method string, how with, into any) {
	i.t.Helper()
	i.calls++
	command := with{"id": i.calls, "method": method}
	if how != nil {
		command["params"] = how
	}
	if i.session != "" {
		command["sessionId"] = i.session
	}
	if err := i.conn.WriteJSON(command); err != nil {
		i.t.Fatal(err)
	}
	s := i.hear()
	for s.ID != i.calls {
		s = i.hear()
	}
	if s.Error != nil {
		i.t.Fatalf("%s: %s", method, s.Error.Message)
	}
	if into != nil {
		if err := json.Unmarshal(s.Result, into); err != nil {
			i.t.Fatal(err)
		}
	}
}

// eval evaluates a script in the page, waits for what it promises, and stores its value in into.
func (i *inspector) eval(script string, into any) {
	i.t.Helper()
	var got struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	i.call("Runtime.evaluate", with{
		"expression": script, "returnByValue": true, "awaitPromise": true,
	}, &got)
	if got.ExceptionDetails != nil {
		i.t.Fatalf("%s: %s", script, got.ExceptionDetails)
	}
	if into != nil {
		if err := json.Unmarshal(got.Result.Value, into); err != nil {
			i.t.Fatalf("%s: %v", script, err)
		}
	}
}

// afterFrames waits until what a change of theme or width has brought about is drawn.
const afterFrames = `new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() =>
	requestAnimationFrame(() => r(true)))))`

// show sets theme and width.
func (i *inspector) show(theme string, width int) {
	i.t.Helper()
	i.call("Emulation.setEmulatedMedia", with{"features": []with{
		{"name": "prefers-color-scheme", "value": theme},
	}}, nil)
	i.call("Emulation.setDeviceMetricsOverride", with{
		"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false,
	}, nil)
	i.eval(afterFrames, nil)
}

// open opens a page and waits until it is loaded.
func (i *inspector) open(address string) {
	i.t.Helper()
	i.call("Page.navigate", with{"url": address}, nil)
	i.eval(`new Promise((r) => {
		if (document.readyState === 'complete') r();
		else addEventListener('load', r);
	})`, nil)
	i.eval(afterFrames, nil)
}

// look is a picture of the whole page, kept under a name where E2E_PICTURES names a directory.
func (i *inspector) look(name string) image.Image {
	i.t.Helper()
	var shot struct{ Data string }
	i.call("Page.captureScreenshot", with{"captureBeyondViewport": true}, &shot)
	b, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		i.t.Fatal(err)
	}
	if dir := os.Getenv("E2E_PICTURES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), b, 0o644); err != nil {
			i.t.Fatal(err)
		}
	}
	picture, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		i.t.Fatal(err)
	}
	return picture
}

// loadRun is a report with something for every plot.
func loadRun() *result.Result {
	p := &result.Part{Sent: 4000, Received: 3990, Lost: 10}
	p.Connect.OK = 100
	for n := range 60 {
		i := result.Interval{
			Phase: result.PhaseRun, Number: n, Start: time.Duration(n) * 100 * time.Millisecond,
			End:  time.Duration(n+1) * 100 * time.Millisecond,
			Sent: 100, Received: 100, Open: 100, Expired: uint64(n % 3), Bad: uint64(n / 50),
		}
		if n < 10 {
			i.Phase, i.Sent, i.Received, i.Opened, i.Open = result.PhaseConnect, 0, 0, 10,
				uint64(10*n+10)
		}
		for m := range 100 {
			took := time.Duration(100+m*m+40*n) * time.Microsecond
			p.Latency.Record(2 * took)
			p.Uncorrected.Record(took)
			p.Connect.Latency.Record(took / 3)
			p.Expiry.Lateness.Record(5 * took)
			if n >= 10 {
				i.Latency.Record(2 * took)
			}
		}
		p.Intervals = append(p.Intervals, i)
	}
	p.Expiry.Expected, p.Expiry.Observed = 60, 60
	p.TimingError.Record(30 * time.Microsecond)
	p.Phases = []result.Phase{
		{Name: result.PhaseConnect, End: time.Second},
		{Name: result.PhaseRun, Start: time.Second, End: 6 * time.Second},
	}
	r := result.Of(p)
	r.Profile, r.IntendedRate, r.Environment.Server = "chatty", 1000, "ws://127.0.0.1:8079/ws"
	r.Errors = map[string]uint64{"</script><script>alert('from outside')</script>": 1}
	r.Judge(0)
	return r
}

// plotsInk counts, for each plot, the pixels that were drawn, and those in the colour that the
// theme gives to what is written along the axes.
const plotsInk = `[...document.querySelectorAll('figure.plot')].map((figure) => {
	const canvas = figure.querySelector('canvas');
	const soft = getComputedStyle(document.documentElement).getPropertyValue('--soft').trim();
	const want = [1, 3, 5].map((i) => parseInt(soft.slice(i, i + 2), 16));
	const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d',
		{ willReadFrequently: true });
	copy.drawImage(canvas, 0, 0);
	const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
	let inked = 0;
	let themed = 0;
	for (let i = 0; i < data.length; i += 4) {
		if (data[i + 3] > 0) inked++;
		if (data[i + 3] > 200 && want.every((v, c) => Math.abs(data[i + c] - v) < 25)) themed++;
	}
	return {
		name: figure.dataset.plot, inked, themed,
		width: canvas.clientWidth, room: figure.clientWidth,
	};
})`

// TestReport_InABrowser opens a report as its reader does: as a file, in both themes, wide and
// narrow.
func TestReport_InABrowser(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "report.html")
	var page bytes.Buffer
	if err := loadreport.Write(&page, loadRun()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, page.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	i := inspect(t)
	i.show("light", 1200)
	i.open("file://" + name)
	for _, c := range []struct {
		theme string
		width int
	}{{"light", 1200}, {"dark", 1200}, {"dark", 380}, {"light", 380}} {
		i.show(c.theme, c.width)
		checkPlots(t, i, fmt.Sprintf("%s-%d", c.theme, c.width))
		corner := i.look(fmt.Sprintf("report-%s-%d", c.theme, c.width)).At(1, 1)
		if r, _, _, _ := corner.RGBA(); (r < 0x8000) != (c.theme == "dark") {
			t.Errorf("%s: the paper is %v", c.theme, corner)
		}
		var wide int
		if i.eval("document.documentElement.scrollWidth", &wide); wide > c.width {
			t.Errorf("at %d pixels the page is %d wide", c.width, wide)
		}
	}
	checkHover(t, i)
	checkLinear(t, i)
	checkPrint(t, i)
	checkQuiet(t, i, name)
}

// checkQuiet holds that the browser found nothing to complain of, and loaded the page alone.
func checkQuiet(t *testing.T, i *inspector, name string) {
	t.Helper()
	if len(i.complaints) > 0 {
		t.Errorf("the browser complains:\n%s", strings.Join(i.complaints, "\n"))
	}
	i.asked = slices.DeleteFunc(i.asked, func(address string) bool {
		return address == "file://"+name || address == "data:,"
	})
	if len(i.asked) > 0 {
		t.Errorf("the page loads %q", i.asked)
	}
}

func checkPlots(t *testing.T, i *inspector, when string) {
	t.Helper()
	want := []string{
		"percentiles", "rate", "latency", "open", "turnover", "expired", "bad", "lateness",
		"connect",
	}
	if names := drawn(t, i, when); !slices.Equal(names, want) {
		t.Errorf("%s: plots %q, want %q", when, names, want)
	}
}

// drawn are the names of the plots, all of which must show something.
func drawn(t *testing.T, i *inspector, when string) (names []string) {
	t.Helper()
	var plots []struct {
		Name                       string
		Inked, Themed, Width, Room int
	}
	i.eval(plotsInk, &plots)
	for _, p := range plots {
		names = append(names, p.Name)
		if p.Inked < 1500 || p.Themed < 50 || p.Width > p.Room || p.Width < p.Room*3/4 {
			t.Errorf("%s: nothing drawn, in other colours, or of another width: %+v", when, p)
		}
	}
	return names
}

// checkHover points at a plot over time: that one and the others show what was then.
func checkHover(t *testing.T, i *inspector) {
	t.Helper()
	i.show("light", 1200)
	var at struct{ X, Y float64 }
	i.eval(`(() => {
		const over = document.querySelector('figure[data-plot=rate] .u-over');
		over.scrollIntoView({ block: 'center' });
		const box = over.getBoundingClientRect();
		return { x: box.x + box.width * 0.75, y: box.y + box.height / 2 };
	})()`, &at)
	i.call("Input.dispatchMouseEvent", with{"type": "mouseMoved", "x": at.X, "y": at.Y}, nil)
	i.eval(afterFrames, nil)
	var legends map[string]string
	i.eval(`Object.fromEntries([...document.querySelectorAll('figure.plot')].map(
		(f) => [f.dataset.plot, f.querySelector('.u-legend').innerText.replace(/\s+/g, ' ')]))`,
		&legends)
	for plot, want := range map[string]string{
		"rate": "received1,000", "open": "open100", "latency": " ms", "percentiles": "from due–",
	} {
		if !strings.Contains(legends[plot], want) {
			t.Errorf("pointing at a moment, %s shows %q, want %q", plot, legends[plot], want)
		}
	}
	i.look("report-hover")
}

// checkLinear switches a plot to a linear axis and back.
func checkLinear(t *testing.T, i *inspector) {
	t.Helper()
	const picture = `document.querySelector('figure[data-plot=percentiles] canvas').toDataURL()`
	const press = `document.querySelector('figure[data-plot=percentiles] [data-scale=%s]').click()`
	var log, linear, again string
	i.eval(picture, &log)
	i.eval(fmt.Sprintf(press, "linear"), nil)
	i.eval(afterFrames, nil)
	i.eval(picture, &linear)
	i.eval(fmt.Sprintf(press, "log"), nil)
	i.eval(afterFrames, nil)
	i.eval(picture, &again)
	if log == linear || log != again {
		t.Error("the switch between a logarithmic and a linear axis changes nothing, or not back")
	}
}

// checkPrint prints from the dark theme, which must come out on white paper, and be back after.
func checkPrint(t *testing.T, i *inspector) {
	t.Helper()
	i.show("dark", 1200)
	const ink = `getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()`
	i.eval("addEventListener('beforeprint', () => { window.printed = "+ink+"; })", nil)
	var pdf struct{ Data string }
	i.call("Page.printToPDF", with{"printBackground": true}, &pdf)
	b, err := base64.StdEncoding.DecodeString(pdf.Data)
	if err != nil || len(b) < 10_000 {
		t.Errorf("a print of %d bytes, %v", len(b), err)
	}
	if dir := os.Getenv("E2E_PICTURES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "report.pdf"), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	i.eval(afterFrames, nil)
	var was struct{ Printed, Now string }
	i.eval("({ printed: window.printed, now: "+ink+" })", &was)
	if was.Printed != "#1d2126" || was.Now == was.Printed {
		t.Errorf("ink %s in print and %s after it", was.Printed, was.Now)
	}
	checkPlots(t, i, "after printing")
}

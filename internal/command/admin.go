package command

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/curfew-go/curfew/internal/adminclient"
	"github.com/curfew-go/curfew/internal/screen"
)

// exitRefused is the code of a command that the daemon heard and did not do, or not all of.
const exitRefused = 1

// adminExits explains the exit codes in the help of each command that asks a daemon.
const adminExits = `
Exit codes: 0 done; 1 the daemon was reached and did not do it, or not all of it; 2 the command
was not understood, or no daemon answered as it should; 130 interrupted.`

// adminFlags are the flags of each command that asks a daemon.
type adminFlags struct {
	admin, token, tokenFile, ca, output string
	timeout                             time.Duration
}

// addAdmin gives a command the flags, and what follows from having them.
func (f *adminFlags) addAdmin(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.admin, "admin", "",
		"`ADDRESS` of the admin API: a URL, HOST:PORT or unix:PATH (environment: CURFEW_ADMIN;\n"+
			"else "+adminclient.DefaultAddress+")")
	flags.StringVar(&f.tokenFile, "admin-token-file", "",
		"`FILE` whose first token is shown, one a line (environment: CURFEW_ADMIN_TOKEN_FILE)")
	flags.StringVar(&f.token, "admin-token", "",
		"the `TOKEN` itself, which others may see in the list of processes\n"+
			"(environment: CURFEW_ADMIN_TOKEN, which they do not)")
	flags.StringVar(&f.ca, "admin-ca", "", "trust the certificates in this PEM `FILE` too")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long one request may take")
	flags.StringVarP(&f.output, "output", "o", "table",
		"`FORMAT` of the output: table, or json, which is what the API said")
	c.DisableFlagsInUseLine = true
	_ = c.RegisterFlagCompletionFunc("output", fixed("table", "json")) // the flag is there
}

// fixed completes a flag by fixed words.
func fixed(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

// operation is a command that has a daemon to ask.
type operation struct {
	p      Process
	client *adminclient.Client
	json   bool
	in     *bufio.Reader // standard input, whose reading a signal ends
}

// open makes a client of what the flags and the environment say.
func (f *adminFlags) open(p Process) (*operation, error) {
	if f.output != "table" && f.output != "json" {
		return nil, fmt.Errorf("--output is %q: must be table or json", f.output)
	}
	if f.timeout <= 0 {
		return nil, fmt.Errorf("--timeout is %v: must be above 0", f.timeout)
	}
	token, tokenFrom, err := f.findToken(p)
	if err != nil {
		return nil, err
	}
	o := adminclient.Options{Address: f.admin, Token: token, Timeout: f.timeout, Version: p.Version}
	from := "--admin"
	if o.Address == "" {
		from, o.Address = "CURFEW_ADMIN", p.env("CURFEW_ADMIN")
	}
	if f.ca != "" {
		if o.RootCAs, err = trustedBy("--admin-ca", f.ca); err != nil {
			return nil, err
		}
	}
	if _, err := adminclient.New(adminclient.Options{Address: o.Address}); err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	client, err := adminclient.New(o)
	if err != nil { // all but the token is checked
		return nil, fmt.Errorf("%s: %w", tokenFrom, err)
	}
	return &operation{p: p, client: client, json: f.output == "json"}, nil
}

// trustedBy are the system's certificates and those of the file that a flag names.
func trustedBy(flag, file string) (*x509.CertPool, error) {
	roots, err := trusted(file)
	if err != nil {
		return nil, errors.New(strings.Replace(err.Error(), "--ca", flag, 1))
	}
	return roots, nil
}

// env is a variable of the environment; "" where it is not set.
func (p Process) env(name string) string {
	for _, v := range slices.Backward(p.Env) {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// findToken is the token to show, and who gave it. A flag beats the environment.
func (f *adminFlags) findToken(p Process) (token, from string, err error) {
	token, from = f.token, "--admin-token"
	file, fileFrom := f.tokenFile, "--admin-token-file"
	remedy := "leave one out"
	if token == "" && file == "" {
		token, from = p.env("CURFEW_ADMIN_TOKEN"), "CURFEW_ADMIN_TOKEN"
		file, fileFrom = p.env("CURFEW_ADMIN_TOKEN_FILE"), "CURFEW_ADMIN_TOKEN_FILE"
		remedy = "unset one"
	}
	switch {
	case token != "" && file != "":
		return "", "", fmt.Errorf("%s and %s give two tokens: %s", from, fileFrom, remedy)
	case file == "":
		return token, from, nil
	}
	if token, err = readToken(file); err != nil {
		err = fmt.Errorf("%s: %w", fileFrom, err)
	}
	return token, fileFrom, err
}

// tokenFileMax bounds what is read of a file of tokens.
const tokenFileMax = 1 << 20

// byteOrderMark is what some editors begin a file with.
const byteOrderMark = "\ufeff"

// readToken is the first token of a file such as the daemon has: one a line, where blank lines and
// those that begin with # do not count.
func readToken(file string) (string, error) {
	b, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", file, cause(err))
	}
	defer func() { _ = b.Close() }() // nothing was written
	lines := bufio.NewScanner(io.LimitReader(b, tokenFileMax))
	for first := true; lines.Scan(); first = false {
		token := lines.Text()
		if first {
			token = strings.TrimPrefix(token, byteOrderMark)
		}
		if token = strings.TrimSpace(token); token != "" && token[0] != '#' {
			return token, nil
		}
	}
	err = lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return "", fmt.Errorf("%s holds no token: a line of it is too long for one", file)
	}
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", file, cause(err))
	}
	return "", fmt.Errorf("%s holds no token", file)
}

// run runs what a command does, with a context that the first signal ends, and gives its error an
// exit code. The second signal ends whatever does not heed the first, such as an output that nobody
// reads.
func (f *adminFlags) run(
	ctx context.Context, p Process, do func(ctx context.Context, o *operation) error,
) error {
	o, err := f.open(p)
	if err != nil {
		return err
	}
	defer o.client.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o.in = bufio.NewReader(&interruptible{ctx, p.Stdin})
	result := make(chan error, 1)
	go func() { result <- do(ctx, o) }()
	for waiting := true; waiting; {
		select {
		case err = <-result:
			waiting = false
		case <-p.Signals: // A nil channel never says anything.
			if ctx.Err() != nil {
				return exitError{exitInterrupted, errTold}
			}
			cancel()
		}
	}
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return exitError{exitInterrupted, errTold}
	}
	return coded(err)
}

// interruptible is an input whose reading ends with a context.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

// Read reads what comes first: something, or the end of the context.
func (i *interruptible) Read(b []byte) (int, error) {
	type part struct {
		data []byte
		err  error
	}
	came := make(chan part, 1)
	go func() { // which stays behind where nothing comes; the process ends then
		own := make([]byte, len(b))
		n, err := i.r.Read(own)
		came <- part{own[:n], err}
	}()
	select {
	case p := <-came:
		return copy(b, p.data), p.err
	case <-i.ctx.Done():
		return 0, i.ctx.Err()
	}
}

// coded gives an error of the client the exit code that fits.
func coded(err error) error {
	if _, ok := errors.AsType[exitError](err); ok {
		return err
	}
	switch adminclient.KindOf(err) {
	case adminclient.KindForbidden, adminclient.KindNotFound, adminclient.KindBusy,
		adminclient.KindRefused, adminclient.KindFailed, adminclient.KindUnknown:
		return exitError{exitRefused, err}
	}
	return err
}

// raw prints what the API said, indented, and harmless to a terminal.
func (o *operation) raw(body json.RawMessage) error {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		b.Write(body)
	}
	b.WriteByte('\n')
	return o.print(string(screen.JSON(bytes.TrimSpace(b.Bytes()))) + "\n")
}

// oneLine is what the API said in one line, and harmless to a terminal.
func oneLine(body json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, body) != nil {
		return screen.JSON(body)
	}
	return screen.JSON(b.Bytes())
}

// print writes to standard output.
func (o *operation) print(text string) error {
	if _, err := io.WriteString(o.p.Stdout, text); err != nil {
		return unwritten(err)
	}
	return nil
}

// say tells the user something beside the output.
func (o *operation) say(format string, args ...any) {
	_, _ = fmt.Fprintf(o.p.Stderr, "curfew: "+format+"\n", args...) // nowhere else to say it
}

// width is that of the terminal that standard output is; 0: it is none.
func (o *operation) width() int {
	f, ok := o.p.Stdout.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// interactive says whether somebody can be asked.
func (o *operation) interactive() bool {
	return isTerminal(o.p.Stdin)
}

// confirm asks whether to do something, where there is somebody to ask, and gives an error where
// the answer is no.
func (o *operation) confirm(ctx context.Context, yes bool, question string) error {
	if yes || !o.interactive() {
		return nil
	}
	_, _ = fmt.Fprintf(o.p.Stderr, "%s [y/N] ", question)
	answer, err := o.in.ReadString('\n')
	if ctx.Err() != nil {
		_, _ = fmt.Fprintln(o.p.Stderr)
		return ctx.Err()
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	if answer == "y" || answer == "yes" {
		return nil
	}
	if err != nil { // the end of the input, which ended no line
		_, _ = fmt.Fprintln(o.p.Stderr)
	}
	return exitError{exitRefused, errors.New("nothing was done")}
}

// parent makes a command that only holds others refuse what is none of them.
func parent(c *cobra.Command) *cobra.Command {
	c.DisableFlagsInUseLine = true
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return noCommand(c, args[0])
		}
		var names []string
		for _, below := range c.Commands() {
			if !below.Hidden {
				names = append(names, below.Name())
			}
		}
		return fmt.Errorf("`%s` wants one of %s: see `%[1]s --help`", c.CommandPath(),
			strings.Join(names, ", "))
	}
	return c
}

// given says which flags were given of those named.
func given(flags *pflag.FlagSet, names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return !flags.Changed(name) })
}

// oneOf says what is wrong with a value that must be one of some; "" is none.
func oneOf(flag, value string, good []string) error {
	if value == "" || slices.Contains(good, value) {
		return nil
	}
	return fmt.Errorf("%s is %q: must be one of %s", flag, screen.Safe(value, 80),
		strings.Join(good, ", "))
}

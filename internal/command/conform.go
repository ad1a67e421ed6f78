package command

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/curfew-go/curfew/internal/conform"
)

const (
	// exitFailed is the code of a run in which a case failed.
	exitFailed = 1

	// exitInterrupted is the code of a run that a signal cut short, as shells have it.
	exitInterrupted = 130
)

const conformLong = `Hold a WebSocket server that echoes against RFC 6455 and RFC 7692: what the
Autobahn testsuite asks, numbered as there, and section 14 beside it. --list shows the cases. Any
echo server will do; curfewd echoes in its raw protocol:

  curfew conform --subprotocol curfew.raw ws://127.0.0.1:8079/ws
  curfew conform --only '7.*' --json report.json wss://echo.example.org/
  curfew conform --case 7.9.3 ws://127.0.0.1:9001/

A case about compression is skipped where the server declines it, one about a large message where
the server refuses it with 1009. What an RFC permits but advises against passes with a remark.

Ctrl-C ends a run early: what was judged so far is shown and written, cases that were not are left
out.

Exit codes: 0 no case failed; 1 some did; 2 there was no server, none that echoes, the command was
not understood or a file could not be written; 130 interrupted.`

// conformFlags are the flags of conform.
type conformFlags struct {
	only, single, jsonFile, subprotocol, token, tokenFile, ca string

	header                  []string
	parallel                int
	timeout                 time.Duration
	insecure, cutEach, list bool
	verbose, remarks, quiet bool
}

func newConform(p Process) *cobra.Command {
	var f conformFlags
	c := &cobra.Command{
		Use:   "conform [flags] URL",
		Short: "Hold a WebSocket server against RFC 6455 and RFC 7692",
		Long:  conformLong,
		Args: func(_ *cobra.Command, args []string) error {
			return f.checkArgs(args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if f.list {
				return listCases(p.Stdout, f.pattern())
			}
			return runConform(c.Context(), p, &f, args[0])
		},
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     cobra.NoFileCompletions,
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.only, "only", "", "run the cases with this `ID or glob`, such as '6.*'")
	flags.StringVar(&f.single, "case", "", "run the case with this `ID` and show all of it")
	flags.BoolVar(&f.list, "list", false, "list the cases and run none")
	flags.StringVar(&f.jsonFile, "json", "", "write a report to this `FILE`; - is standard output")
	flags.StringVar(&f.subprotocol, "subprotocol", "", "`NAME` to ask for; commas between several")
	flags.StringArrayVar(&f.header, "header", nil,
		"further header field of each handshake, `'NAME: VALUE'` (repeatable)")
	flags.StringVar(&f.token, "token", "", "`SECRET` to send as Authorization: Bearer (the list "+
		"of processes shows it: rather --token-file)")
	flags.StringVar(&f.tokenFile, "token-file", "",
		"`FILE` whose first token, one a line, is that secret")
	flags.IntVar(&f.parallel, "parallel", 16, "`N` cases run side by side, 1 to 256")
	flags.DurationVar(&f.timeout, "timeout", 900*time.Millisecond,
		"silence after which what is missing is not coming, 50ms to 10s")
	flags.BoolVar(&f.cutEach, "cut-each", false,
		"repeat each short case cut in two at each of its bytes")
	flags.StringVar(&f.ca, "ca", "", "trust the certificates in this PEM `FILE` too")
	flags.BoolVar(&f.insecure, "insecure", false, "accept any certificate")
	flags.BoolVar(&f.remarks, "remarks", false, "show the remarks on cases that passed")
	flags.BoolVarP(&f.verbose, "verbose", "v", false,
		"show of each case what was sent, expected and seen")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print no progress, and of the result one line")
	_ = c.RegisterFlagCompletionFunc("case", completeCases) // the flag is there
	return c
}

// completeCases completes the ID of a case, said what it is about.
func completeCases(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	cases, err := conform.Match("")
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	words := make([]string, len(cases))
	for i, c := range cases {
		words[i] = cobra.CompletionWithDesc(c.ID, c.Description)
	}
	return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// pattern is what names the cases to run.
func (f *conformFlags) pattern() string {
	if f.single != "" {
		return f.single
	}
	return f.only
}

// checkArgs says what is wrong with the flags and the URL, before anything is done.
func (f *conformFlags) checkArgs(args []string) error {
	switch {
	case f.only != "" && f.single != "":
		return errors.New("--only and --case name the cases twice: leave one of them out")
	case f.quiet && (f.verbose || f.single != "" || f.remarks):
		return errors.New("--quiet contradicts --verbose, --case and --remarks: choose one")
	case f.list && len(args) > 0:
		return errors.New("--list asks no server: leave the URL out")
	case f.list && f.jsonFile != "":
		return errors.New("--list makes no report: leave --json out")
	case f.list:
		return nil
	case len(args) == 0:
		return errors.New("which server? give its URL, such as ws://127.0.0.1:8079/ws")
	case len(args) > 1:
		return fmt.Errorf("one URL at a time, not %d: flags such as --only want their value "+
			"quoted when it is a glob", len(args))
	case f.parallel < 1 || f.parallel > 256:
		return fmt.Errorf("--parallel is %d: must be 1 to 256", f.parallel)
	case f.timeout < 50*time.Millisecond || f.timeout > 10*time.Second:
		return fmt.Errorf("--timeout is %v: must be 50ms to 10s", f.timeout)
	case f.insecure && f.ca != "":
		return errors.New("--insecure accepts any certificate: leave it or --ca out")
	}
	if problem := wrongURL(args[0]); problem != "" {
		return errors.New(problem)
	}
	if (f.insecure || f.ca != "") && !strings.HasPrefix(strings.ToLower(args[0]), "wss:") {
		return errors.New("--insecure and --ca are about TLS, and this URL is not wss://")
	}
	return nil
}

// options are the flags as the suite wants them.
func (f *conformFlags) options() (conform.Options, error) {
	o := conform.Options{
		Only: f.pattern(), Parallel: f.parallel, Timeout: f.timeout, CutEach: f.cutEach,
		Subprotocol: f.subprotocol, Header: http.Header{},
	}
	for _, line := range f.header {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			// The line is not shown: it may be a secret whose name was forgotten.
			return o, errors.New("a --header lacks its name: write it as 'NAME: VALUE'")
		}
		if http.CanonicalHeaderKey(name) == "Sec-Websocket-Protocol" {
			return o, errors.New("the subprotocol is asked for by --subprotocol, not by --header")
		}
		o.Header.Add(name, strings.TrimSpace(value))
	}
	token, err := f.secret()
	if err != nil {
		return o, err
	}
	if token != "" {
		if o.Header.Get("Authorization") != "" {
			return o, errors.New("--token and a --header give Authorization twice: leave one out")
		}
		o.Header.Set("Authorization", "Bearer "+token)
	}
	if !f.insecure && f.ca == "" {
		return o, nil
	}
	o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: f.insecure}
	if f.ca != "" {
		roots, err := trusted(f.ca)
		if err != nil {
			return o, err
		}
		o.TLS.RootCAs = roots
	}
	return o, nil
}

// secret is what to send as a token; "": nothing.
func (f *conformFlags) secret() (string, error) {
	if f.tokenFile == "" {
		return f.token, nil
	}
	if f.token != "" {
		return "", errors.New("--token and --token-file give two tokens: leave one out")
	}
	token, err := readToken(f.tokenFile)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	return token, nil
}

// runConform runs the suite and shows what it found.
func runConform(ctx context.Context, p Process, f *conformFlags, url string) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	chosen, err := conform.Match(o.Only)
	if err != nil {
		return wrongPattern(o.Only, chosen)
	}
	file, err := openReport(f.jsonFile)
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.Signals: // A nil channel never says anything.
			cancel()
		case <-running.Done():
		}
	}()
	live := newConformProgress(p, len(chosen), f.quiet)
	o.Progress = live.add
	report, err := conform.Run(running, url, o)
	live.line.clear()
	if report == nil {
		if running.Err() != nil {
			return exitError{exitInterrupted, errors.New("interrupted before the first case")}
		}
		return explainConform(err, f, url)
	}
	v := view{w: &bytes.Buffer{}, flags: f, report: report, chosen: len(chosen)}
	v.show()
	out := p.Stdout
	if f.jsonFile == "-" {
		out = p.Stderr // Standard output is the report's.
	}
	_, _ = out.Write(v.w.Bytes()) // An output that is gone is no reason to lose the report.
	if err := file.write(p.Stdout, report); err != nil {
		return err
	}
	return conformExit(report, running.Err() != nil)
}

// conformExit is the exit code of a run.
func conformExit(report *conform.Report, interrupted bool) error {
	switch {
	case interrupted:
		return exitError{exitInterrupted, errTold}
	case report.Failed > 0:
		return exitError{exitFailed, errTold}
	}
	return nil
}

// listCases lists the cases that a pattern names, by section.
func listCases(w io.Writer, pattern string) error {
	cases, err := conform.Match(pattern)
	if err != nil {
		return wrongPattern(pattern, cases)
	}
	var b bytes.Buffer
	for _, s := range conform.Sections() {
		first := true
		for _, c := range cases {
			if !s.Holds(c.ID) {
				continue
			}
			if first {
				fmt.Fprintf(&b, "%s %s\n", s.Number, s.Title)
				first = false
			}
			fmt.Fprintf(&b, "  %-8s %s\n", c.ID, c.Description)
		}
	}
	fmt.Fprintln(&b, counted(len(cases), "case"))
	_, err = w.Write(b.Bytes())
	return err
}

package config

import "fmt"

// This file settles what depends on more than one setting. Each function returns what is wrong, by
// the name of what was given.

// byDefault is where a value comes from that nobody gave.
const byDefault = "default"

func (l *Loaded) settleTokens() (problems []string) {
	for _, t := range []struct {
		name  string // of the setting; the file's is beside it
		token *string
		file  string
		all   *[]string
	}{
		{"token", &l.token, l.TokenFile, &l.Tokens},
		{"admin-token", &l.adminToken, l.AdminTokenFile, &l.AdminTokens},
	} {
		inline, file := l.origins[t.name], l.origins[t.name+"-file"]
		switch {
		case *t.token != "" && t.file != "":
			problems = append(problems, inline+": cannot stand beside "+file+": give one of them")
			continue
		case *t.token != "":
			*t.all = []string{*t.token}
		case t.file != "":
			tokens, err := ReadTokens(t.file)
			if err != nil {
				problems = append(problems, file+": "+err.Error())
			}
			*t.all = tokens
		}
		*t.token = ""
	}
	return problems
}

func (l *Loaded) settleTLS() []string {
	switch {
	case l.TLSCert != "" && l.TLSKey == "":
		return []string{l.origins["tls-cert"] + ": needs --tls-key beside it"}
	case l.TLSCert == "" && l.TLSKey != "":
		return []string{l.origins["tls-key"] + ": needs --tls-cert beside it"}
	}
	return nil
}

// settleMode picks the mode that can serve what was asked for, where none was given.
func (l *Loaded) settleMode(goos string) []string {
	origin, wantsTLS := l.origins["mode"], l.origins["tls-cert"]
	switch {
	case l.Mode != modeEpoll:
		return nil
	case goos != "linux":
		return []string{origin + ": epoll exists on Linux only: use goroutine"}
	case wantsTLS == "":
		return nil
	case origin != byDefault:
		return []string{origin + ": epoll does not serve TLS, which " + wantsTLS +
			" asks for: use goroutine"}
	}
	l.Mode = modeGoroutine
	l.origins["mode"] = byDefault + " beside " + wantsTLS
	return nil
}

// defaultMode is the best that a system can do.
func defaultMode(goos string) string {
	if goos == "linux" {
		return modeEpoll
	}
	return modeGoroutine
}

// settleBuffers holds one client's share against what there is for all.
func (l *Loaded) settleBuffers() (problems []string) {
	for _, share := range []struct {
		name  string
		bytes int
	}{
		{"max-message-bytes", l.MaxMessageBytes},
		{"write-buffer-bytes", l.WriteBufferBytes},
	} {
		if int64(share.bytes) <= l.BufferTotalBytes {
			continue
		}
		total := l.origins["buffer-total-bytes"]
		if total == byDefault {
			problems = append(problems, fmt.Sprintf("%s: %d is more than --buffer-total-bytes, %d",
				l.origins[share.name], share.bytes, l.BufferTotalBytes))
		} else {
			problems = append(problems, fmt.Sprintf("%s: %d is less than --%s, %d",
				total, l.BufferTotalBytes, share.name, share.bytes))
		}
	}
	return problems
}

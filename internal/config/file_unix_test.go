//go:build unix

package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe that nobody writes to is no reason to wait: who waits cannot be told to stop.
func TestReadFile_Pipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadTokens(path); err == nil || !strings.Contains(err.Error(), "nobody writes") {
		t.Errorf("ReadTokens of a pipe without a writer: %v", err)
	}

	// One with a writer is read to its end, as <(...) of a shell is.
	pipe, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("x"), 200_000) // more than a pipe holds
	wrote := make(chan error, 1)
	go func() {
		_, err := pipe.Write(large)
		_ = pipe.Close()
		wrote <- err
	}()
	if got, err := ReadFile(path); err != nil || !bytes.Equal(got, large) {
		t.Errorf("ReadFile of a pipe gives %d bytes, %v, want %d", len(got), err, len(large))
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

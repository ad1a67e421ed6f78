package main

import (
	"fmt"
	"net"
	"net/http"
)

// path is where messages are echoed.
const path = "/ws"

// messageBytesMax is the longest message that the kinds with such a limit accept.
const messageBytesMax = 64 << 10

// kinds serve on an address, HOST:PORT, until they fail. They call announce where they listen.
var kinds = map[string]func(address string) error{
	"coder":   serveCoder,
	"gnet":    serveGnet,
	"gobwas":  serveGobwas,
	"gorilla": serveGorilla,
	"gws":     serveGws,
	"nbio":    serveNbio,
}

// serve serves by a library, on a free port where it is given no address.
func serve(kind func(string) error, address string) error {
	if address == "" {
		free, err := freeAddress()
		if err != nil {
			return err
		}
		address = free
	}
	return kind(address)
}

// freeAddress is an address whose port was free a moment ago. A library that listens once for each
// of its loops cannot be given port 0.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("look for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// announce tells whoever started this process where to connect.
func announce(address string) { fmt.Println("listening on " + address) }

// serveHTTP serves handle by net/http, for the libraries that take over its connections.
func serveHTTP(address string, handle http.HandlerFunc) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	announce(l.Addr().String())
	mux := http.NewServeMux()
	mux.HandleFunc(path, handle)
	return http.Serve(l, mux)
}

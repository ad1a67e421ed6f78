// Package wsframe turns the bytes of a WebSocket connection into messages, and messages into bytes.
package wsframe

// Package conform holds WebSocket servers against RFC 6455 and RFC 7692.
package conform

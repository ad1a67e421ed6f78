module github.com/curfew-go/curfew/bench/peers

go 1.26

replace github.com/curfew-go/curfew => ../..

require (
	github.com/curfew-go/curfew v0.0.0-00010101000000-000000000000
	github.com/jellydator/ttlcache/v3 v3.4.1
	github.com/maypok86/otter/v2 v2.4.0
)

require (
	github.com/RussellLuo/timingwheel v0.0.0-20220218152713-54845bda3108 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	golang.org/x/sync v0.16.0 // indirect
)

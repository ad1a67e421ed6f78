module github.com/curfew-go/curfew

go 1.26

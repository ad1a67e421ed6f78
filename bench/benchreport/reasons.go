package main

// reasons say why we lose where we do, by set. They name no figure: those are in the tables.
var reasons = []struct{ set, text string }{
	{"touch", "the floor is one hash of the same ID, and a touch reads lines of the index " +
		"and of the session besides, which no cache holds. Runs on shared machines differ by " +
		"more than what is missed."},
	{"growth", "a thousand sessions lie in the first-level cache, and most touches find " +
		"them touched in that tick already; a touch among ten million is a read that misses " +
		"every cache. Batches let such reads overlap."},
	{"create", "the first fill of a process pays for new memory and for splitting the " +
		"index."},
	{"memory", "each shard has its own chunk, arena and pages, however few sessions it " +
		"holds."},
	{"storm", "with every processor taken, a call can be held up by a turn of the kernel's " +
		"scheduler or of Go's, which is as long as the bound."},
	{"lateness", "a timer for each session ends it as soon as its timeout has passed; we " +
		"end it one to two ticks later, by design."},
	{"net", "the kernel's part is most of the cost and the same for all; what a session " +
		"costs, which the others have none of, is about what our turns save. Where nothing " +
		"is pinned, the client is in the server's way besides."},
	{"sessions", "the client shares the processors with the daemon, and its own backlog is " +
		"in what it sees; with a spread of 0s, lateness is how long both sides take to part."},
}

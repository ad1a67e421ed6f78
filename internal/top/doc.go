// Package top is the live view of a daemon on a terminal, and one frame of it as text.
//
//	err := top.Run(ctx, top.Options{Client: c, Interval: time.Second, ...})
//	text, err := top.Once(ctx, top.Options{Client: c, ...}, width)
//
// # Design
//
// The model is a value that messages change: keys, sizes, answers, ticks. A frame is made from the
// model and a size alone, so that both are tested without a terminal. Bubble Tea reads the keys,
// draws what has changed of a frame, and leaves the terminal as it was.
//
// Rates are differences of two statuses of one process, by that process's clock: a daemon that was
// started again begins anew, and none is negative.
//
// # Limits
//
// A list makes a daemon look at all of its sessions. The view asks for one at most a tenth of the
// time, however many there are, and never for two at once. One request for the status is under way
// at a time.
package top

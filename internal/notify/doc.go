// Package notify speaks to the service manager that started the process, systemd or one that does
// as it does: the protocol of sd_notify(3), a datagram of lines NAME=VALUE to the socket that the
// variable NOTIFY_SOCKET names.
//
//	n, err := notify.FromEnvironment(env, os.Getpid())
//	n.Ready("serving")
//	...
//	n.Stopping("draining")
//
// Where nobody asked to be told, the [Notifier] is nil, and its methods do nothing.
//
// [Notifier.Watchdog] is how long the manager waits for a sign of life before it takes the process
// for hung; [Watch] gives such signs only while what it watches makes progress.
package notify

package notify

import (
	"context"
	"log/slog"
	"time"
)

// checksPerWatchdog is how often [Watch] looks within the time that the manager waits. A sign of
// life is given at each look that finds all well, so that some may go missing; what stands still
// for half of that time is found by then.
const checksPerWatchdog = 4

// Watch gives signs of life every quarter of n.Watchdog(), until ctx ends, at each look at which
// stalled says "": that nothing stands still for longer than limit, half of the watchdog's time.
// Otherwise it gives the reason, and Watch logs it and gives no sign. Where nobody waits for
// signs it returns at once.
func Watch(
	ctx context.Context, n *Notifier, log *slog.Logger, stalled func(limit time.Duration) string,
) {
	patience := n.Watchdog()
	if patience == 0 {
		return
	}
	t := newTicker(max(1, patience/checksPerWatchdog))
	defer t.Stop()
	for was := ""; ; {
		why := stalled(patience / 2)
		switch {
		case why == "":
			if err := n.Alive(); err != nil {
				log.Warn("the watchdog has not heard that this process lives", "error", err)
			}
			if was != "" {
				log.Info("the watchdog is fed again")
			}
		case was == "":
			log.Error("the watchdog is not fed", "reason", why)
		}
		was = why
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

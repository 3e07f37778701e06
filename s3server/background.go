package s3server

import (
	"context"
	"sync"
)

// Run does until ctx ends what happens without a request: it applies lifecycle rules 24 times in
// each Config.LifecycleDay, and sends events to Config.WebhookURL. First, it removes what the server
// has stored about uploads that ended while an earlier server was killed. A [Server] calls Run. It
// returns within about a second after the end of ctx.
func (h *Handler) Run(ctx context.Context) {
	var parts sync.WaitGroup
	if s, ok := h.store.(*driverStore); ok {
		parts.Go(func() { s.sweepUploads(ctx) })
	}
	parts.Go(func() { h.keepLifecycle(ctx) })
	parts.Go(func() { h.webhook.Run(ctx) })
	parts.Wait()
}

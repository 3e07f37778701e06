package s3server

import (
	"context"
	"sync"
)

// Run does until ctx ends what happens without a request: it applies lifecycle rules 24 times in
// each Config.LifecycleDay, and sends events to Config.WebhookURL. A [Server] calls it. It returns
// within about a second after the end of ctx.
func (h *Handler) Run(ctx context.Context) {
	var parts sync.WaitGroup
	parts.Go(func() { h.keepLifecycle(ctx) })
	parts.Go(func() { h.webhook.run(ctx) })
	parts.Wait()
}

package s3server

import (
	"context"
	"sync"
	"time"

	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/s3server/internal/driverstore"
	"github.com/omnibucket/storage/s3server/internal/expiry"
	"github.com/omnibucket/storage/s3server/internal/lifecycle"
)

// Run does the background work of a server until ctx is done. First, it removes records of ended
// uploads that a killed server has left. It applies lifecycle rules 24 times in each
// Config.LifecycleDay, and sends events to Config.WebhookURL. A [Server] calls Run by itself. Run
// returns within about a second after ctx is done.
func (h *Handler) Run(ctx context.Context) {
	var wg sync.WaitGroup
	h.beginRun(ctx, &wg)
	wg.Wait()
}

// beginRun starts the goroutines of Run before it returns, so that a test can count goroutines
// afterwards.
func (h *Handler) beginRun(ctx context.Context, wg *sync.WaitGroup) {
	if s, ok := h.server.Store.(*driverstore.Store); ok {
		wg.Go(func() {
			s.SweepUploads(ctx)
		})
	}
	wg.Go(func() {
		const runsPerDay = 24
		interval := max(h.config.LifecycleDay/runsPerDay, time.Millisecond)
		running.Every(ctx, interval, h.runLifecycle)
	})
	wg.Go(func() {
		h.webhook.Run(ctx)
	})
}

// RunLifecycle applies the lifecycle rules of all buckets once, at the time of Config.Now. It
// removes objects, versions, delete markers and uploads, and changes storage classes. It skips
// versions that an object lock protects. It looks up each key before removing anything, so a stale
// listing does no harm. [Handler.Run] calls it 24 times in each Config.LifecycleDay.
func (h *Handler) RunLifecycle() { h.runLifecycle(context.Background()) }

func (h *Handler) runLifecycle(ctx context.Context) {
	clock := lifecycle.Clock{Now: h.server.Now(), Day: h.config.LifecycleDay}
	expiry.Run(ctx, h.server.Store, h.server.Events, clock)
}

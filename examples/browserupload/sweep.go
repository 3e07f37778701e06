package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/omnibucket/storage/transfer"
)

// incomingAge is how long uploads stay in incoming. After that time, the signed request has
// expired, and even a slow page has called finishUpload.
const incomingAge = uploadTTL + time.Hour

// sweep removes the uploads in incoming that are older than incomingAge. In a store with lifecycle
// rules, a rule for incoming/ can do the same.
func (s *site) sweep(ctx context.Context) error {
	_, err := transfer.Expire(ctx, s.incoming, []transfer.ExpireRule{{Age: incomingAge}}, transfer.WithNow(s.now))
	return err
}

// sweepUntil calls sweep immediately and then every hour, until ctx ends.
func (s *site) sweepUntil(ctx context.Context) {
	hourly := time.NewTicker(time.Hour)
	defer hourly.Stop()
	for {
		if err := errors.Join(s.sweep(ctx), s.sweepLarge(ctx)); err != nil && ctx.Err() == nil {
			slog.Error("sweeping failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-hourly.C:
		}
	}
}

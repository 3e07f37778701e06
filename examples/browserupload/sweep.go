package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/omnibucket/storage/transfer"
)

// incomingAge is how long uploads stay in incoming: until their signed request has
// expired, and the slowest page has asked for its copy.
const incomingAge = uploadTTL + time.Hour

// sweep removes what has been in incoming for too long. In stores with lifecycle
// rules, a rule for incoming/ does the same without a program.
func (s *site) sweep(ctx context.Context) error {
	_, err := transfer.Expire(ctx, s.incoming, []transfer.ExpireRule{{Age: incomingAge}}, transfer.WithNow(s.now))
	return err
}

// sweepUntil sweeps at once and then every hour, until ctx ends.
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

package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/omnibucket/storage/files"
)

// sweepEvery is how often the leftovers of crashes are removed. A sweep reads every
// record, so it runs less often than temp files are cleared.
const sweepEvery = 24 * time.Hour

// clean clears temp files and sweeps, at once and then on a schedule, until ctx is
// done. Then done is closed. Several servers of one bucket may all run it.
func clean(ctx context.Context, store *files.Store, tempAge, every time.Duration) (done <-chan struct{}) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		clearing, sweeping := time.NewTicker(every), time.NewTicker(sweepEvery)
		defer clearing.Stop()
		defer sweeping.Stop()
		sweep(ctx, store)
		clearTemp(ctx, store, tempAge)
		for {
			select {
			case <-ctx.Done():
				return
			case <-clearing.C:
				clearTemp(ctx, store, tempAge)
			case <-sweeping.C:
				sweep(ctx, store)
			}
		}
	}()
	return ended
}

func clearTemp(ctx context.Context, store *files.Store, age time.Duration) {
	switch n, err := store.ClearTemp(ctx, age); {
	case err != nil && ctx.Err() == nil:
		slog.Error("clearing temp files failed", "cleared", n, "error", err)
	case n > 0:
		slog.Info("temp files cleared", "files", n)
	}
}

func sweep(ctx context.Context, store *files.Store) {
	switch report, err := store.Sweep(ctx); {
	case err != nil && ctx.Err() == nil:
		slog.Error("sweeping failed", "error", err)
	case err == nil && *report != files.SweepReport{}:
		slog.Info("swept", "bytes", report.Bytes, "records", report.Records, "uploads", report.Uploads)
	}
}

package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/omnibucket/storage/transfer"
	"github.com/omnibucket/storage/uploads"
)

// clean removes temp files that have expired, and the leftovers of crashes. It runs immediately and
// then regularly, until ctx ends. Then it closes done. If several servers share a bucket, all of
// them may run it.
func clean(ctx context.Context, service *uploads.Service, every time.Duration) (done <-chan struct{}) {
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		_ = transfer.Every(ctx, every, func(ctx context.Context) error {
			sweep(ctx, service)
			return nil
		})
	}()
	return finished
}

func sweep(ctx context.Context, service *uploads.Service) {
	report, err := service.Sweep(ctx)
	if err != nil && ctx.Err() == nil {
		slog.Error("sweeping failed", "error", err)
	} else if err == nil && *report != (uploads.SweepReport{}) {
		slog.Info(
			"swept", "expired", report.Expired, "bytes", report.Bytes, "records", report.Records, "uploads",
			report.Uploads,
		)
	}
}

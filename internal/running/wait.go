package running

import (
	"context"
	"io"
	"time"
)

// Sleep waits for d. If ctx ends first, it returns ctx.Err().
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Every starts a ticker with the given interval, and calls the given function at each tick. When
// ctx ends, Every returns. If a call is in progress, Every first waits for the end of the call.
func Every(ctx context.Context, interval time.Duration, do func(context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do(ctx)
		}
	}
}

// Reader returns a reader that delivers the data of a given reader, and fails when ctx is done.
func Reader(ctx context.Context, src io.Reader) io.Reader { return reader{ctx, src} }

type reader struct {
	ctx  context.Context
	from io.Reader
}

// Read fails if ctx has ended.
func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}

package s3server

import (
	"context"
	"io"
	"time"
)

// A slowBody is the body of a request that arrives at a bandwidth.
type slowBody struct {
	io.ReadCloser
	request   *request
	bandwidth int64
}

// Read reads a few bytes and waits as long as they would have needed.
func (b *slowBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), slowBlock(b.bandwidth))])
	if n > 0 {
		b.request.wait(transferTime(n, b.bandwidth))
	}
	return n, err
}

// slowBlock returns the number of bytes that pass at a time: those of a 20th of a second.
func slowBlock(bandwidth int64) int { return int(min(max(bandwidth/20, 1), 32<<10)) }

func transferTime(n int, bandwidth int64) time.Duration {
	return time.Duration(float64(n) / float64(bandwidth) * float64(time.Second))
}

// wait returns after d, or if the client or the server goes away. With 0, it waits only
// for that.
func (r *request) wait(d time.Duration) {
	ctx := r.Context()
	if d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	select {
	case <-ctx.Done():
	case <-r.server.faults.gone:
	}
}

package gocache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
)

const (
	// defaultUploads is the number of uploads at once.
	defaultUploads = 16
	// maxWaiting limits the outputs that wait to be uploaded.
	maxWaiting = 1 << 16
	// stallChecks is how often the end looks for progress in the time that a store may be silent.
	stallChecks = 8
)

// uploads stores outputs in the background.
type uploads struct {
	remote *remote
	limit  int // number of uploads at once
	ctx    context.Context
	cancel context.CancelFunc

	lastProgress atomic.Int64 // time of the last progress, in nanoseconds
	workers      sync.WaitGroup

	mu       sync.Mutex
	queue    []entry
	running  int // number of workers
	failures int // in a row
	isClosed bool
}

func newUploads(r *remote, limit int) *uploads {
	u := &uploads{remote: r, limit: limit}
	u.ctx, u.cancel = context.WithCancel(r.ctx)
	return u
}

// enqueue adds an output to the queue of uploads, and starts a worker if fewer than the limit run. An
// output that cannot be uploaded any more is dropped.
func (u *uploads) enqueue(e entry) {
	u.mu.Lock()
	defer u.mu.Unlock()

	isOver := u.isClosed || u.ctx.Err() != nil
	if isOver || e.size > maxOutput || len(u.queue) == maxWaiting {
		u.remote.stats.dropped.Add(1)
		return
	}

	u.queue = append(u.queue, e)
	if u.running < u.limit {
		u.running++
		u.workers.Go(u.work)
	}
}

// work uploads the outputs of the queue until it is empty.
func (u *uploads) work() {
	for {
		e, ok := u.dequeue()
		if !ok {
			return
		}

		// At the end of a build, the uploads are abandoned if none makes progress.
		u.recordProgress()
		err := u.remote.upload(u.ctx, e, u.recordProgress)
		u.recordProgress()
		u.handleResult(err)
	}
}

// recordProgress records the time at which an upload has begun, moved on or ended.
func (u *uploads) recordProgress() { u.lastProgress.Store(time.Now().UnixNano()) }

// dequeue removes the first output from the queue and returns it. If it returns false, the worker that
// calls it must end.
func (u *uploads) dequeue() (entry, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.queue) == 0 || u.ctx.Err() != nil {
		u.running--
		return entry{}, false
	}

	e := u.queue[0]
	u.queue = u.queue[1:]
	return e, true
}

// handleResult counts the result of an upload. It ends all uploads after maxFailures failures in a row,
// or after one that each further upload would repeat.
func (u *uploads) handleResult(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err == nil {
		u.failures = 0
		return
	}

	u.remote.stats.dropped.Add(1)
	if u.ctx.Err() != nil {
		// This upload may have failed because all uploads were canceled.
		return
	}
	u.failures++
	u.remote.stats.failures.Add(1)

	wouldRepeat := isPermanent(err) || errors.Is(err, storage.PermissionDenied)
	if wouldRepeat || u.failures >= maxFailures {
		u.remote.warn("no more outputs of this build are uploaded", err)
		u.cancel()
	}
}

// close waits until all outputs are uploaded. If that takes longer than limit, or if there is no
// progress for the time silence, it drops the rest.
func (u *uploads) close(limit, silence time.Duration) {
	u.mu.Lock()
	// From here on, enqueue drops every output.
	u.isClosed = true
	u.mu.Unlock()

	idle := make(chan struct{})
	go func() {
		u.workers.Wait()
		close(idle)
	}()
	u.waitUntilIdle(idle, limit, silence)

	// A driver may ignore its context, so the wait for the workers has a limit.
	u.cancel()
	select {
	case <-idle:
	case <-time.After(silence / stallChecks):
	}

	u.mu.Lock()
	defer u.mu.Unlock()
	u.remote.stats.dropped.Add(int64(len(u.queue)))
	u.queue = nil
}

// waitUntilIdle waits until idle is closed, but not longer than limit, and not without progress for
// longer than silence.
func (u *uploads) waitUntilIdle(idle chan struct{}, limit, silence time.Duration) {
	end := time.NewTimer(limit)
	defer end.Stop()
	check := time.NewTicker(max(silence/stallChecks, time.Millisecond))
	defer check.Stop()

	for u.ctx.Err() == nil {
		select {
		case <-idle:
			return
		case <-u.ctx.Done():
			return
		case <-end.C:
			u.remote.warn("not all outputs of this build were uploaded", errors.New("--close-timeout is over"))
			return
		case <-check.C:
			lastProgress := time.Unix(0, u.lastProgress.Load())
			if time.Since(lastProgress) >= silence {
				u.remote.warn("not all outputs of this build were uploaded", errSlow)
				return
			}
		}
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A progress ends a call to the store that makes no progress for some time. Velero gives its calls no deadline, so a
// store that does not respond would block Velero.
type progress struct {
	timeout time.Duration
	cancel  context.CancelCauseFunc

	mu     sync.Mutex
	timer  *time.Timer
	paused bool
}

// errNoProgress is the cause of a context that a progress has canceled.
var errNoProgress = errors.New("no progress")

// newProgress returns the progress of a call, and its context, which ends after timeout without
// progress. The caller must call stop after the call.
func newProgress(timeout time.Duration) (context.Context, *progress) {
	ctx, cancel := context.WithCancelCause(context.Background())
	timer := time.AfterFunc(timeout, func() {
		cancel(errNoProgress)
	})
	return ctx, &progress{timeout: timeout, cancel: cancel, timer: timer}
}

// recordProgress starts the time again, because the store has made progress.
func (p *progress) recordProgress() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.paused {
		p.timer.Reset(p.timeout)
	}
}

// pause stops the time, because the call waits for Velero and not for the store.
func (p *progress) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = true
	p.timer.Stop()
}

// resume starts the time again, because the call waits for the store.
func (p *progress) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = false
	p.timer.Reset(p.timeout)
}

// stop ends the call and releases its context.
func (p *progress) stop() {
	p.pause()
	p.cancel(nil)
}

// explain names the config key to raise, if err is that of a call that made no progress.
func (p *progress) explain(ctx context.Context, err error) error {
	if err != nil && context.Cause(ctx) == errNoProgress {
		return fmt.Errorf("the store made no progress for %s (if it is only slow, raise the config key %s): %w",
			p.timeout, keyTimeout, err)
	}
	return err
}

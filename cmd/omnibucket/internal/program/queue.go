package program

import (
	"context"
	"errors"
)

// atOnce is the number of arguments or objects that a command handles in parallel.
const atOnce = 16

// A queue runs functions in parallel, and reports their results in the order in which they were
// added: each function returns another one, which does that. If a result is an error, the queue prints
// it and continues. Only one goroutine may call Add and Wait.
type queue struct {
	ctx     context.Context // of the running functions
	cancel  context.CancelFunc
	limit   int                 // number of functions that may run at the same time
	pending []chan func() error // a channel for the result of each function, oldest first
	failed  failures
}

// NewQueue returns an empty queue, whose limit is --concurrency. The caller must call Cancel at the
// end.
func (p *Program) NewQueue(ctx context.Context) *queue {
	ctx, cancel := context.WithCancel(ctx)
	q := &queue{ctx: ctx, cancel: cancel, limit: atOnce, failed: failures{program: p}}
	if p.Global.Concurrency > 0 {
		q.limit = p.Global.Concurrency
	}
	return q
}

// Cancel cancels the running functions and waits until they return, so that no goroutine outlives the
// command.
func (q *queue) Cancel() {
	q.cancel()
	for _, done := range q.pending {
		<-done
	}
	q.pending = nil
}

// Add starts work in a goroutine. If the queue is full, it first waits for the oldest function and
// reports that result. Add returns an error only if the context of the queue is done.
func (q *queue) Add(work func(ctx context.Context) (report func() error)) error {
	var err error
	if len(q.pending) == q.limit {
		err = q.reportOldest()
	}

	// With its buffer, the goroutine also ends if nobody receives the result.
	done := make(chan func() error, 1)
	q.pending = append(q.pending, done)
	go func() { done <- work(q.ctx) }()
	return err
}

// reportOldest waits for the oldest function and reports its result. It returns an error only if the
// context of the queue is done.
func (q *queue) reportOldest() error {
	done := q.pending[0]
	q.pending = q.pending[1:]
	report := <-done
	return q.failed.add(q.ctx, report())
}

// Wait waits for all functions, reports their results in order, and returns the first error.
func (q *queue) Wait() error {
	for len(q.pending) > 0 {
		if err := q.reportOldest(); err != nil {
			// The context is done, so no result is wanted any more.
			q.Cancel()
			return errors.Join(err, q.failed.first)
		}
	}
	return q.failed.first
}

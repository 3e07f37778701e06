package program

import (
	"context"
	"errors"
)

// atOnce is the number of arguments or objects that a command handles in parallel.
const atOnce = 16

// A queue runs functions in parallel, and finishes them in the order in which they were added. If a
// function fails, the queue prints the error and continues. Only one goroutine may call Add and
// Wait.
type queue struct {
	ctx     context.Context // of the running functions
	cancel  context.CancelFunc
	limit   int                 // number of functions that may run at the same time
	pending []chan func() error // a channel for the result of each function, oldest first
	failed  failures
}

// NewQueue returns an empty queue. The caller must call Cancel at the end.
func (p *Program) NewQueue(ctx context.Context) *queue {
	ctx, cancel := context.WithCancel(ctx)
	q := &queue{ctx: ctx, cancel: cancel, limit: atOnce, failed: failures{program: p}}
	if p.Global.Concurrency > 0 {
		q.limit = p.Global.Concurrency
	}
	return q
}

// Cancel cancels the context of the running functions. It waits until they return, so that no
// goroutine outlives the command.
func (q *queue) Cancel() {
	q.cancel()
	for _, done := range q.pending {
		<-done
	}
	q.pending = nil
}

// Add starts the function work in a goroutine. If the queue is full, Add first waits for the oldest
// function. If the oldest function fails, Add prints the error of that function and returns nil. But
// if the context of the queue is done, Add returns that error instead.
func (q *queue) Add(work func(ctx context.Context) (finish func() error)) error {
	var err error
	if len(q.pending) == q.limit {
		err = q.finishOldest()
	}
	// The channel has a buffer, so that a function whose result nobody takes ends, too.
	done := make(chan func() error, 1)
	q.pending = append(q.pending, done)
	go func() { done <- work(q.ctx) }()
	return err
}

// finishOldest waits until the oldest function returns. The oldest function returns a finish function, and
// finishOldest calls that function.
func (q *queue) finishOldest() error {
	done := q.pending[0]
	q.pending = q.pending[1:]
	finish := <-done
	return q.failed.add(q.ctx, finish())
}

// Wait finishes all functions and returns the first error.
func (q *queue) Wait() error {
	for len(q.pending) > 0 {
		if err := q.finishOldest(); err != nil {
			q.Cancel()
			return errors.Join(err, q.failed.first)
		}
	}
	return q.failed.first
}

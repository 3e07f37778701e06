package program

import (
	"context"
	"errors"
)

// atOnce is how many arguments or objects a command handles in parallel.
const atOnce = 16

// A queue does work in parallel, and finishes it in the order in which it was added. If work
// fails, it prints the error and continues. One goroutine adds and waits.
type queue struct {
	ctx    context.Context
	Cancel func() // ends the work that has begun
	limit  int
	begun  []chan func() error
	failed failures
}

// NewQueue returns an empty queue. Its user must call Cancel.
func (p *Program) NewQueue(ctx context.Context) *queue {
	ctx, cancel := context.WithCancel(ctx)
	q := &queue{ctx: ctx, limit: atOnce, failed: failures{program: p}}
	if p.Global.Concurrency > 0 {
		q.limit = p.Global.Concurrency
	}
	q.Cancel = func() {
		cancel()
		for _, done := range q.begun { // no goroutine outlives the command
			<-done
		}
		q.begun = nil
	}
	return q
}

// Add starts work. If the limit is reached, it first waits for the oldest. It returns an error if
// ctx is done.
func (q *queue) Add(work func(ctx context.Context) (finish func() error)) error {
	var err error
	if len(q.begun) == q.limit {
		err = q.next()
	}
	done := make(chan func() error, 1)
	q.begun = append(q.begun, done)
	go func() { done <- work(q.ctx) }()
	return err
}

// next finishes the oldest work.
func (q *queue) next() error {
	done := q.begun[0]
	q.begun = q.begun[1:]
	return q.failed.add(q.ctx, (<-done)())
}

// Wait finishes all work and returns the first error.
func (q *queue) Wait() error {
	for len(q.begun) > 0 {
		if err := q.next(); err != nil {
			q.Cancel()
			return errors.Join(err, q.failed.first)
		}
	}
	return q.failed.first
}

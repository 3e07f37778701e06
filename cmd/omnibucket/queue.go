package main

import "context"

// A queue does work in parallel, and finishes it in the order in which it was added. One
// goroutine adds and waits.
type queue struct {
	ctx    context.Context
	cancel func() // ends the work that has begun
	limit  int
	begun  []chan func() error
}

func newQueue(ctx context.Context, limit int) *queue {
	ctx, cancel := context.WithCancel(ctx)
	q := &queue{ctx: ctx, limit: limit}
	q.cancel = func() {
		cancel()
		for _, done := range q.begun { // no goroutine outlives the command
			<-done
		}
		q.begun = nil
	}
	return q
}

// add starts work. If the limit is reached, it first waits for the oldest, and returns the
// error of its finish.
func (q *queue) add(work func(ctx context.Context) (finish func() error)) error {
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
	return (<-done)()
}

// wait finishes all work and returns the first error.
func (q *queue) wait() error {
	for len(q.begun) > 0 {
		if err := q.next(); err != nil {
			q.cancel()
			return err
		}
	}
	return nil
}

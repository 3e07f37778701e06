package main

import (
	"context"
	"sync/atomic"

	"github.com/omnibucket/storage"
)

// traffic counts the requests of a bucket and the bytes that they deliver.
type traffic struct{ requests, bytes atomic.Int64 }

func (t *traffic) hook(context.Context, storage.Operation) (context.Context, func(storage.Outcome), error) {
	return nil, func(outcome storage.Outcome) {
		t.requests.Add(int64(outcome.Requests))
		t.bytes.Add(outcome.Bytes)
	}, nil
}

func (t *traffic) reset() {
	t.requests.Store(0)
	t.bytes.Store(0)
}

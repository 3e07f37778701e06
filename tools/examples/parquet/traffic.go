package main

import (
	"context"
	"sync/atomic"

	"github.com/omnibucket/storage"
)

// A traffic counts the requests to a bucket and the bytes that they return.
type traffic struct{ requests, bytes atomic.Int64 }

// hook counts each operation when it has ended. The nil in place of a context keeps the context of the
// operation.
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

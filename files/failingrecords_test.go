package files_test

import (
	"context"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
)

// failingRecords is a database whose n-th call fails: before it was executed, or with
// its response lost, as when a connection drops at a COMMIT.
type failingRecords struct {
	files.Records
	n    int
	lost bool

	mu    sync.Mutex
	calls int
}

func (r *failingRecords) hit() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls >= r.n
}

// call makes one call, or fails.
func (r *failingRecords) call(next func() error, writes bool) error {
	r.mu.Lock()
	r.calls++
	fails := r.calls == r.n
	r.mu.Unlock()
	if fails && !r.lost {
		return &storage.Error{Code: storage.Unavailable}
	}
	if err := next(); err != nil || !fails {
		return err
	}
	return &storage.Error{Code: storage.Unavailable, Unknown: writes}
}

func (r *failingRecords) Create(ctx context.Context, one *files.Record) error {
	return r.call(func() error { return r.Records.Create(ctx, one) }, true)
}

func (r *failingRecords) Record(ctx context.Context, id string) (one *files.Record, err error) {
	err = r.call(func() (err error) {
		one, err = r.Records.Record(ctx, id)
		return err
	}, false)
	return one, err
}

func (r *failingRecords) SetPurpose(ctx context.Context, id, purpose string) (one *files.Record, err error) {
	err = r.call(func() (err error) {
		one, err = r.Records.SetPurpose(ctx, id, purpose)
		return err
	}, true)
	return one, err
}

func (r *failingRecords) Remove(ctx context.Context, id string) error {
	return r.call(func() error { return r.Records.Remove(ctx, id) }, true)
}

func (r *failingRecords) IDs(ctx context.Context, after string, limit int) (ids []string, next string, err error) {
	err = r.call(func() (err error) {
		ids, next, err = r.Records.IDs(ctx, after, limit)
		return err
	}, false)
	return ids, next, err
}

// blindRecords cannot be read, so that the outcome of a lost call stays unknown.
type blindRecords struct{ failingRecords }

func (r *blindRecords) Record(context.Context, string) (*files.Record, error) {
	return nil, &storage.Error{Code: storage.Unavailable}
}

// repeatedRecords is a database whose driver loses the response to a Create and makes
// database/sql repeat it.
type repeatedRecords struct{ files.Records }

func (r repeatedRecords) Create(ctx context.Context, one *files.Record) error {
	if err := r.Records.Create(ctx, one); err != nil {
		return err
	}
	return r.Records.Create(ctx, one)
}

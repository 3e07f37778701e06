package storagetest

import (
	"context"
	"sync/atomic"

	"github.com/omnibucket/storage"
)

// beforeCall returns a layer that runs do before the n-th driver call with this name,
// as another client might act at that moment. do must not make such a call through the
// same bucket.
func beforeCall(call string, n int, do func()) storage.OpenOption {
	return atCall(call, n, func() error { do(); return nil })
}

// failCall returns a layer that fails the n-th driver call with this name and does not
// pass it on.
func failCall(call string, n int, err error) storage.OpenOption {
	return atCall(call, n, func() error { return err })
}

// atCall returns a layer that runs do before the n-th driver call with this name. If do
// fails, so does the call.
func atCall(call string, n int, do func() error) storage.OpenOption {
	var count atomic.Int64
	return storage.WithLayer(func(next storage.Driver) storage.Driver {
		return storage.Intercept(next, func(ctx context.Context, name string, next func(context.Context) error) error {
			if name == call && count.Add(1) == int64(n) {
				if err := do(); err != nil {
					return err
				}
			}
			return next(ctx)
		})
	})
}

// seePuts returns a layer that shows each PutRequest before it is sent.
func seePuts(see func(*storage.PutRequest)) storage.OpenOption {
	return storage.WithLayer(func(next storage.Driver) storage.Driver { return &putWatcher{Driver: next, see: see} })
}

type putWatcher struct {
	storage.Driver
	see func(*storage.PutRequest)
}

func (d *putWatcher) Put(ctx context.Context, r *storage.PutRequest) (*storage.Attrs, error) {
	d.see(r)
	return d.Driver.Put(ctx, r)
}

func (d *putWatcher) BeginParts(ctx context.Context, r *storage.PutRequest) (string, error) {
	d.see(r)
	return d.Driver.BeginParts(ctx, r)
}

// openTwice opens one empty bucket twice. b has opts and the case's faults; other is
// another client of the same store and has neither.
func (t *T) openTwice(opts ...storage.OpenOption) (b, other storage.Bucket) {
	t.Helper()
	var inner storage.Driver
	capture := storage.WithLayer(func(next storage.Driver) storage.Driver {
		inner = &describeOnce{Driver: next, desc: next.Describe()}
		return inner
	})
	b = t.autoClose(t.opener(t.T, append([]storage.OpenOption{capture}, t.fastRetry(opts)...)...))
	return b, storage.New(inner)
}

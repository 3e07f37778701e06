package storagetest

import (
	"context"
	"sync"

	"github.com/omnibucket/storage"
)

// meddle is a layer that runs do before the n-th driver call of a name: what
// another client does at that moment. do must not make such a call itself
// through the same bucket.
func beforeCall(call string, n int, do func()) storage.OpenOption {
	var mu sync.Mutex
	count := 0
	return storage.WithLayer(func(next storage.Driver) storage.Driver {
		return storage.Around(next, func(ctx context.Context, name string, next func(context.Context) error) error {
			if name == call {
				mu.Lock()
				count++
				mine := count == n
				mu.Unlock()
				if mine {
					do()
				}
			}
			return next(ctx)
		})
	})
}

// answer is a layer that answers the n-th driver call of a name with err, and
// does nothing.
func failCall(call string, n int, err error) storage.OpenOption {
	var mu sync.Mutex
	count := 0
	return storage.WithLayer(func(next storage.Driver) storage.Driver {
		return storage.Around(next, func(ctx context.Context, name string, next func(context.Context) error) error {
			if name == call {
				mu.Lock()
				count++
				mine := count == n
				mu.Unlock()
				if mine {
					return err
				}
			}
			return next(ctx)
		})
	})
}

// seePuts is a layer that shows every PutRequest before it is sent.
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

// pair opens an empty bucket twice: b with opts and the case's faults, and other,
// another client of the same store, with neither.
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

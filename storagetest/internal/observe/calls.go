// Package observe has layers and Cores that record which calls a bucket makes, or act at one of
// them.
package observe

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// BeforeCall returns a layer that calls do before the n-th driver call of this name, for example to
// act as another client. do must not make a driver call of this name through the same bucket.
func BeforeCall(call string, n int, do func()) storage.OpenOption {
	return atCall(call, n, func() error {
		do()
		return nil
	})
}

// FailCall returns a layer that makes the n-th driver call with this name fail with err. The call
// does not reach the driver.
func FailCall(call string, n int, err error) storage.OpenOption {
	return atCall(call, n, func() error { return err })
}

// atCall returns a layer that calls do before the n-th driver call of this name. If do fails, the
// driver call fails with its error.
func atCall(call string, n int, do func() error) storage.OpenOption {
	var count atomic.Int64
	intercept := func(ctx context.Context, name string, next func(context.Context) error) error {
		if name == call && count.Add(1) == int64(n) {
			if err := do(); err != nil {
				return err
			}
		}
		return next(ctx)
	}
	return driver.WithLayer(func(d driver.Driver) driver.Driver { return driver.Intercept(d, intercept) })
}

// AfterLostResponse returns a layer that calls do after each driver call with an unknown outcome,
// before the caller gets the error. It must be outside of the layer with the faults that lose the
// response.
func AfterLostResponse(do func()) storage.OpenOption {
	intercept := func(ctx context.Context, _ string, next func(context.Context) error) error {
		err := next(ctx)
		if storageErr, ok := errors.AsType[*storage.Error](err); ok && storageErr.Unknown {
			do()
		}
		return err
	}
	return driver.WithLayer(func(d driver.Driver) driver.Driver { return driver.Intercept(d, intercept) })
}

// SeePuts returns a layer that calls the function see with each PutRequest. The layer then passes
// the request on.
func SeePuts(see func(*driver.PutRequest)) storage.OpenOption {
	return driver.WithLayer(func(next driver.Driver) driver.Driver { return &putWatcher{Driver: next, see: see} })
}

type putWatcher struct {
	driver.Driver
	see func(*driver.PutRequest)
}

func (d *putWatcher) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	d.see(r)
	return d.Driver.Put(ctx, r)
}

func (d *putWatcher) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	d.see(r)
	return d.Driver.BeginParts(ctx, r)
}

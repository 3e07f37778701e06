package engine

import (
	"context"
	"net/url"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/unexported"
)

// Register registers a scheme with [storage.Open] and [storage.OpenService]. It panics if the scheme is
// registered already.
func Register(scheme string, o driver.Opener) {
	opener := unexported.Opener{Params: o.Params}
	if o.Driver != nil {
		opener.Bucket = func(ctx context.Context, address *url.URL, opts any) (any, error) {
			d, err := o.Driver(ctx, address)
			if err != nil {
				return nil, err
			}
			c := newCore(d, openOptionsOf(opts), false)
			if c.optionError != nil {
				_ = d.Close()
				return nil, c.optionError
			}
			return storage.NewBucket(bucket{c}), nil
		}
	}
	if o.Service != nil {
		opener.Service = func(ctx context.Context, address *url.URL, opts any) (any, error) {
			d, err := o.Service(ctx, address)
			if err != nil {
				return nil, err
			}
			given, _ := opts.([]storage.OpenOption)
			return NewService(d, given...), nil
		}
		opener.Driver = func(ctx context.Context, address *url.URL) (any, error) { return o.Service(ctx, address) }
	}
	unexported.Root.Register(scheme, opener)
}

// OpenServiceDriver opens an account by address, as [storage.OpenService] does, and returns its
// driver, for a program that serves the driver. The caller closes it. Parameters that every
// address takes (versions=true, public=true and so on) are settings of a [storage.Bucket]: they fail
// with InvalidArgument.
func OpenServiceDriver(ctx context.Context, address string) (driver.ServiceDriver, error) {
	opened, err := unexported.Root.OpenDriver(ctx, address)
	if err != nil {
		return nil, err
	}
	d, _ := opened.(driver.ServiceDriver)
	return d, nil
}

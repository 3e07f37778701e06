package engine

import (
	"context"
	"net/url"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Register registers a scheme with [storage.Open] and [storage.OpenService]. It panics if the scheme is
// registered already.
func Register(scheme string, o driver.Opener) {
	opener := storage.Opener{Params: o.Params}
	if o.Driver != nil {
		opener.Bucket = func(ctx context.Context, address *url.URL, opts []storage.OpenOption) (storage.Bucket, error) {
			d, err := o.Driver(ctx, address)
			if err != nil {
				return nil, err
			}
			c := newEngine(d, opts, false)
			if c.optionError != nil {
				_ = d.Close()
				return nil, c.optionError
			}
			return storage.NewBucket(bucket{c}), nil
		}
	}

	if o.Service != nil {
		opener.Service = func(
			ctx context.Context, address *url.URL, opts []storage.OpenOption,
		) (storage.Service, error) {
			d, err := o.Service(ctx, address)
			if err != nil {
				return nil, err
			}
			return NewService(d, opts...), nil
		}
	}
	storage.Register(scheme, opener)
}

// OpenServiceDriver opens an account by address, as [storage.OpenService] does, and returns its
// driver. It is for a program that serves the driver to others. The caller must close the driver.
// Parameters of the address that are settings of a [storage.Bucket], such as versions=true or
// public=true, fail with InvalidArgument.
func OpenServiceDriver(ctx context.Context, address string) (driver.ServiceDriver, error) {
	const op = "OpenServiceDriver"
	svc, err := storage.OpenService(ctx, address)
	if err != nil {
		e := ownError(err)
		e.Op = op
		return nil, e
	}
	s, isOurs := svc.(*service)
	switch {
	case !isOurs:
		err = unsupported("the scheme of the address is not registered by engine.Register", "")
	case len(s.opts) > 0:
		err = invalid("address", "must not have settings of a bucket, such as versions=")
	default:
		return s.driver, nil
	}
	// The service has opened no bucket.
	_ = svc.Close()
	e := ownError(err)
	e.Op = op
	return nil, e
}

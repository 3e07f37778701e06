package engine

import (
	"context"
	"net/url"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Register registers a scheme with [storage.Open] and [storage.OpenService], and panics if the scheme is
// registered already.
func Register(scheme string, o driver.Opener) {
	opener := storage.Opener{Params: o.Params}
	if o.Driver != nil {
		opener.Bucket = func(ctx context.Context, address *url.URL, opts []storage.OpenOption) (storage.Bucket, error) {
			return openBucket(ctx, o, address, opts)
		}
	}
	if o.Service != nil {
		opener.Service = func(ctx context.Context, address *url.URL, opts []storage.OpenOption) (storage.Service, error) {
			d, err := o.Service(ctx, address)
			if err != nil {
				return nil, err
			}
			return NewService(d, opts...), nil
		}
	}
	storage.Register(scheme, opener)
}

// openBucket opens the bucket at the address, and fails if an option is invalid.
func openBucket(
	ctx context.Context, o driver.Opener, address *url.URL, opts []storage.OpenOption,
) (storage.Bucket, error) {
	d, err := o.Driver(ctx, address)
	if err != nil {
		return nil, err
	}
	const hasVersions = false // only a Service may know that the bucket keeps versions
	e := newEngine(d, opts, hasVersions)
	if e.optionError != nil {
		_ = d.Close()
		return nil, e.optionError
	}
	return storage.NewBucket(bucket{e}), nil
}

// OpenServiceDriver opens an account by address, as [storage.OpenService] does, and returns its
// driver, for a program that serves the driver to others. The caller must close the driver. It fails
// with InvalidArgument if a parameter of the address is a setting of a [storage.Bucket], such as
// versions=true or public=true.
func OpenServiceDriver(ctx context.Context, address string) (driver.ServiceDriver, error) {
	d, err := openServiceDriver(ctx, address)
	if err != nil {
		failure := ownError(err)
		failure.Op = "OpenServiceDriver"
		return nil, failure
	}
	return d, nil
}

// openServiceDriver is OpenServiceDriver, except that its error does not name the operation.
func openServiceDriver(ctx context.Context, address string) (driver.ServiceDriver, error) {
	svc, err := storage.OpenService(ctx, address)
	if err != nil {
		return nil, err
	}
	s, isOurs := svc.(*service)
	if !isOurs {
		_ = svc.Close()
		return nil, unsupported("the scheme of the address is not registered by engine.Register", "")
	}
	if len(s.opts) > 0 {
		_ = svc.Close()
		return nil, invalid("address", "must not have settings of a bucket, such as versions=")
	}
	// The service has opened no bucket, so nothing else uses its driver.
	return s.driver, nil
}

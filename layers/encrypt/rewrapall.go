package encrypt

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/omnibucket/storage"
)

const (
	rewrapsAtOnce    = 16
	rewrapAttempts   = 4  // attempts for an object that others write meanwhile
	rewrapsExplained = 10 // number of failures whose errors are joined
)

// A RewrapConfig has the settings of [RewrapAll]. The zero value has the defaults.
type RewrapConfig struct {
	// Concurrency is the number of objects that are rewrapped in parallel. 0 means 16.
	Concurrency int
	// Rewrapped is called for each object that was rewrapped, but never by two goroutines at the
	// same time. It may be nil.
	Rewrapped func(attrs *storage.Attrs)
}

// A RewrapReport is the result of [RewrapAll]. It has the number of rewrapped objects and the
// number of objects that failed.
type RewrapReport struct {
	Rewrapped int64
	Failed    int64
}

// RewrapAll calls [Rewrap] for each object of bucket, which may be a [storage.Prefixed] view. With
// [Config.AllowPlain], it also encrypts objects that were stored without the layer. The bytes of
// these objects pass through this machine.
//
// If an object is written meanwhile, RewrapAll tries that object again. If an object is removed
// meanwhile, RewrapAll skips that object. If an object fails for another reason, RewrapAll
// continues with the next object. The returned error joins the first ten errors.
//
// Call RewrapAll again until it returns nil. Only then remove an old key. If bucket was not opened
// with the layer, each object is copied onto itself, and nothing is encrypted.
func RewrapAll(ctx context.Context, bucket storage.Bucket, c RewrapConfig) (RewrapReport, error) {
	if c.Concurrency < 0 {
		return RewrapReport{}, &storage.Error{Code: storage.InvalidArgument, Op: "encrypt.RewrapAll",
			Err: errors.New("the concurrency must not be negative")}
	}
	r := &rewrapping{config: c}
	limit := cmp.Or(c.Concurrency, rewrapsAtOnce)
	var keys []string
	for e, err := range bucket.List(ctx, storage.WithAnyOrder()) {
		if err != nil {
			r.rewrap(ctx, bucket, keys)
			return r.report, errors.Join(append(r.errs, err)...)
		}
		if keys = append(keys, e.Key); len(keys) == limit {
			r.rewrap(ctx, bucket, keys)
			keys = keys[:0]
		}
		if ctx.Err() != nil {
			break
		}
	}
	r.rewrap(ctx, bucket, keys)
	return r.report, errors.Join(append(r.errs, ctx.Err())...)
}

// rewrap calls Rewrap for several objects in parallel. The parameter keys has the names of the
// objects. Only the caller's goroutine writes the report.
func (r *rewrapping) rewrap(ctx context.Context, bucket storage.Bucket, keys []string) {
	attrs, errs := make([]*storage.Attrs, len(keys)), make([]error, len(keys))
	var all sync.WaitGroup
	for i, key := range keys {
		all.Go(func() { attrs[i], errs[i] = rewrapAgain(ctx, bucket, key) })
	}
	all.Wait()
	for i := range keys {
		if ctx.Err() == nil {
			r.add(attrs[i], errs[i])
		}
	}
}

// rewrapAgain repeats the rewrapping of an object while others write it. If the object no longer
// exists, attrs is nil.
func rewrapAgain(ctx context.Context, bucket storage.Bucket, key string) (attrs *storage.Attrs, err error) {
	for range rewrapAttempts {
		attrs, err = Rewrap(ctx, bucket, key)
		if code := storage.CodeOf(err); code != storage.PreconditionFailed && code != storage.Changed {
			break
		}
	}
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil, nil
	}
	return attrs, err
}

// A rewrapping has the state of one call of RewrapAll.
type rewrapping struct {
	config RewrapConfig
	report RewrapReport
	errs   []error
}

func (r *rewrapping) add(attrs *storage.Attrs, err error) {
	switch {
	case err != nil:
		if r.report.Failed++; len(r.errs) < rewrapsExplained {
			r.errs = append(r.errs, err)
		}
	case attrs != nil:
		r.report.Rewrapped++
		if r.config.Rewrapped != nil {
			r.config.Rewrapped(attrs)
		}
	}
}

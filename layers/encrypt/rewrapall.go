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
	rewrapAttempts   = 4  // for an object that others write meanwhile
	rewrapsExplained = 10 // failures whose errors are joined
)

// A RewrapConfig says what [RewrapAll] does. The zero value has the defaults.
type RewrapConfig struct {
	// Concurrency is how many objects are rewrapped at once; 0 means 16.
	Concurrency int
	// Rewrapped is called for each object that was rewrapped, by one goroutine at a time; nil means not at all.
	Rewrapped func(attrs *storage.Attrs)
}

// A RewrapReport counts objects.
type RewrapReport struct {
	Rewrapped int64
	Failed    int64
}

// RewrapAll calls [Rewrap] for each object of bucket, which may be a [storage.Prefixed] view. It encrypts what exists:
// with [Config.AllowPlain], an object that was stored without the layer passes through this machine and is encrypted.
//
// If others write an object meanwhile, it is tried again; if they remove it, it is left out. After other failures
// RewrapAll continues; the error joins the first ten. Repeat it until it returns nil: only then may an old key go. If
// bucket was not opened with the layer, each object is copied onto itself, and nothing is encrypted.
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

// rewrap rewraps some objects at the same time. The report is written by the goroutine of the caller only.
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

// rewrapAgain rewraps an object that others may write. If the object is gone, attrs is nil.
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

// rewrapping is one call of RewrapAll.
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

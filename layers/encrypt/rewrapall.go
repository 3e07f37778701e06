package encrypt

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
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
	// Former are keys that will be taken out, and no others. If it is not nil, RewrapAll leaves out
	// the objects that these keys do not decrypt. So a call after an interrupted one continues it.
	// If it is nil, each object is rewrapped again.
	Former Keys
	// DryRun makes RewrapAll change nothing. It calls Rewrapped for each object that it would
	// rewrap, and counts it. With Former, these are the objects that are still encrypted for the
	// former keys, and those that are not encrypted.
	DryRun bool
}

// A RewrapReport is the result of [RewrapAll]. It has the number of rewrapped objects, of objects
// that Former does not decrypt, and of objects that failed.
type RewrapReport struct {
	Rewrapped int64
	Current   int64
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
		return RewrapReport{}, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "encrypt.RewrapAll",
			Err:  errors.New("the concurrency must not be negative"),
		}
	}

	r := &rewrapping{config: c}
	limit := cmp.Or(c.Concurrency, rewrapsAtOnce)
	var keys []string
	for e, err := range bucket.List(ctx, storage.WithAnyOrder()) {
		if err != nil {
			// Rewrap the keys that were listed before the error.
			r.rewrapBatch(ctx, bucket, keys)
			return r.report, errors.Join(append(r.errs, err)...)
		}
		keys = append(keys, e.Key)
		if len(keys) == limit {
			r.rewrapBatch(ctx, bucket, keys)
			keys = keys[:0]
		}
		if ctx.Err() != nil {
			break
		}
	}

	// The last batch may have fewer keys.
	r.rewrapBatch(ctx, bucket, keys)
	return r.report, errors.Join(append(r.errs, ctx.Err())...)
}

// rewrapBatch rewraps several objects in parallel, and then adds the results to the report.
func (r *rewrapping) rewrapBatch(ctx context.Context, bucket storage.Bucket, keys []string) {
	attrs := make([]*storage.Attrs, len(keys))
	errs := make([]error, len(keys))
	var wg sync.WaitGroup
	for i, key := range keys {
		wg.Go(func() {
			attrs[i], errs[i] = r.rewrapWithRetries(ctx, bucket, key)
		})
	}
	wg.Wait()

	for i := range keys {
		if ctx.Err() == nil {
			r.countResult(attrs[i], errs[i])
		}
	}
}

// rewrapWithRetries rewraps an object, and tries again if another program writes it meanwhile. It
// returns nil for an object that no longer exists, and errCurrent for one that the former keys do not
// decrypt.
func (r *rewrapping) rewrapWithRetries(ctx context.Context, bucket storage.Bucket, key string) (*storage.Attrs, error) {
	for attempt := 1; ; attempt++ {
		attrs, err := r.rewrapOnce(ctx, bucket, key)
		code := storage.CodeOf(err)
		if code == storage.ObjectNotFound {
			return nil, nil
		}
		isWrittenByOther := code == storage.PreconditionFailed || code == storage.Changed
		if !isWrittenByOther || attempt == rewrapAttempts {
			return attrs, err
		}
	}
}

// errCurrent says that the former keys do not decrypt an object.
var errCurrent = errors.New("the object is encrypted for other keys than the former ones")

// rewrapOnce rewraps an object or, in a dry run, only reads its attributes. It fails with errCurrent if
// there are former keys and they do not decrypt the object.
func (r *rewrapping) rewrapOnce(ctx context.Context, bucket storage.Bucket, key string) (*storage.Attrs, error) {
	mustReadFirst := r.config.Former != nil || r.config.DryRun
	if !mustReadFirst {
		return Rewrap(ctx, bucket, key)
	}

	// The layer finds the check in the context, tries the former keys and sets check.isOther.
	check := &headerCheck{keys: r.config.Former}
	checkedCtx := context.WithValue(driver.WithoutFailover(ctx), headerCheckKey{}, check)
	attrs, err := bucket.Attrs(checkedCtx, key)
	if err != nil {
		return nil, err
	}
	if check.isOther {
		return nil, errCurrent
	}
	if r.config.DryRun {
		return attrs, nil
	}
	return Rewrap(ctx, bucket, key)
}

// A headerCheck in the context of a request for attributes makes the layer check whether keys decrypt
// the object. If keys is nil, it checks nothing.
type headerCheck struct {
	keys    Keys
	isOther bool // result: the object is encrypted, and keys do not decrypt it
}

// headerCheckKey is the key of a headerCheck in a context.
type headerCheckKey struct{}

// checkHeader sees whether the keys of a headerCheck in ctx decrypt the header of an object, and notes
// the result in the headerCheck.
func (d *objectDriver) checkHeader(ctx context.Context, key, header string) error {
	check, ok := ctx.Value(headerCheckKey{}).(*headerCheck)
	if !ok || check.keys == nil || header == "" {
		return nil
	}
	_, err := unwrapWith(ctx, check.keys, Object{d.desc.Bucket, key}, header)
	check.isOther = errors.Is(err, errOtherKeys) // of the last attempt, if the request is retried
	if check.isOther {
		return nil
	}
	return err
}

// A rewrapping has the state of one call of RewrapAll.
type rewrapping struct {
	config RewrapConfig
	report RewrapReport
	errs   []error
}

// countResult adds the result of rewrapWithRetries for one object to the report.
func (r *rewrapping) countResult(attrs *storage.Attrs, err error) {
	if errors.Is(err, errCurrent) {
		r.report.Current++
		return
	}
	if err != nil {
		r.report.Failed++
		if len(r.errs) < rewrapsExplained {
			r.errs = append(r.errs, err)
		}
		return
	}
	if attrs == nil {
		// The object was removed meanwhile.
		return
	}
	r.report.Rewrapped++
	if r.config.Rewrapped != nil {
		r.config.Rewrapped(attrs)
	}
}

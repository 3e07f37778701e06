package storagetest

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

// A Case is one test of the suite.
type Case struct {
	Name        string           // unique description of the behavior
	Rule        string           // rule of docs/maintainers/contract.md, such as "W5"
	Explanation string           // printed if the case fails
	Needs       storage.Features // without these features, the case proves that using them is Unsupported

	alone  bool // true if no other case may run at the same time
	direct bool // true if the case calls the driver directly, without the engine
	run    func(t *T)
}

// maxTime limits the time of a case. Without a limit, a driver that hangs would block the suite,
// and no message would name the case.
const maxTime = 5 * time.Minute

// A T is a running case: a testing.T that opens buckets. All buckets that it opens
// share one fault injector, which has no rules until the case sets some.
type T struct {
	*testing.T

	ctx     context.Context // ends after maxTime
	faults  *faults.Injector
	uploads *observe.PendingUploads
	desc    driver.Description // description of the driver itself
	unit    int64              // smallest part that the driver accepts, in bytes
	opener  Open
	options *options
}

// newT returns the T of a case, whose context ends after maxTime.
func newT(t *testing.T, open Open, o *options, desc driver.Description) *T {
	const leastUnit = 1 << 10 // for a driver that accepts parts of any size
	ctx, cancel := context.WithTimeout(t.Context(), maxTime)
	t.Cleanup(cancel)
	return &T{
		T:       t,
		ctx:     ctx,
		faults:  faults.New(),
		uploads: &observe.PendingUploads{},
		desc:    desc,
		opener:  open,
		options: o,
		unit:    max(leastUnit, desc.MinPartSize),
	}
}

// Context returns a context that ends when the test ends, or earlier if maxTime has passed.
func (t *T) Context() context.Context { return t.ctx }

// runCase runs c, or requires Unsupported if the driver lacks a feature that c needs. A panic fails
// only this case, and a failed case prints its explanation.
func runCase(t *T, c Case, report *report) {
	t.Cleanup(func() {
		if t.Failed() {
			report.fail(c)
			tookTooLong := errors.Is(t.ctx.Err(), context.DeadlineExceeded)
			if tookTooLong {
				t.Logf("the case was ended after %v: a call, or a loop of calls, does not end", maxTime)
			}
			t.Logf("rule %s: %s\n%v", c.Rule, c.Explanation, t.faults)
			return
		}
		report.pass(c)
	})
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()

	lacking := c.Needs &^ t.desc.Features
	if lacking == 0 {
		c.run(t)
		return
	}

	// The driver must refuse each feature that it lacks.
	report.refuse(c)
	for _, r := range refusals {
		if lacking&r.feature != 0 {
			r.requireUnsupported(t, t.open())
		}
	}
}

// has reports whether the driver declares f.
func (t *T) has(f storage.Features) bool { return t.desc.Features&f == f }

// fastRetry adds options before opts that make retries fast and let the case inject faults. A retry
// policy in opts takes precedence.
func (t *T) fastRetry(opts []storage.OpenOption) []storage.OpenOption {
	return append([]storage.OpenOption{
		storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}),
		driver.WithLayer(t.faults.Layer()),
		driver.WithLayer(t.uploads.Layer),
	}, opts...)
}

// open opens an empty bucket. When the case ends, it checks that every body was closed.
func (t *T) open(opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	return t.autoClose(t.opener(t.T, t.fastRetry(opts)...))
}

// openVersioned opens an empty bucket that keeps versions.
func (t *T) openVersioned(opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	opts = append(opts, storage.WithVersioning(true))
	if t.options.versioned != nil {
		return t.autoClose(t.options.versioned(t.T, t.fastRetry(opts)...))
	}
	return t.open(opts...)
}

// openLimited opens an empty bucket whose driver appears to have these limits.
func (t *T) openLimited(bounds faults.Limits, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	return t.open(append(opts, driver.WithLayer(faults.WithLimits(bounds)))...)
}

// openForParts opens an empty bucket whose Put accepts at most t.unit bytes, so that longer bodies
// are uploaded in parts.
func (t *T) openForParts(opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	return t.openLimited(faults.Limits{Disable: driver.StreamingPut, MaxPutSize: t.unit, MinPartSize: t.unit}, opts...)
}

// openWithoutRetry opens an empty bucket that makes one attempt for each request.
func (t *T) openWithoutRetry(opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	return t.open(append(opts, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))...)
}

// autoClose returns b, which is closed at the end of the case. The case fails if a body from the
// driver is still open then.
func (t *T) autoClose(b storage.Bucket) storage.Bucket {
	t.Helper()
	require.NotNil(t, b)
	t.Cleanup(func() {
		// Without rules, no fault can make Close fail.
		t.faults.Set()
		if open := t.faults.OpenBodies(); open != 0 {
			t.Errorf("%d bodies from the driver were never closed", open)
		}
		if err := storage.Close(b); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

// countRequests calls the function do, and returns the number of driver calls that were made.
func (t *T) countRequests(do func()) int {
	before := t.faults.Count(faults.Any)
	do()
	return t.faults.Count(faults.Any) - before
}

// requireNoRequests calls the function do, and requires that no driver call is made.
func (t *T) requireNoRequests(do func()) {
	t.Helper()
	require.Zero(t, t.countRequests(do), "this must make no request:\n%v", t.faults)
}

// optional returns opt if the driver declares the feature, and otherwise an option without effect.
// It is for cases that do not test the attribute that opt sets.
func (t *T) optional(feature storage.Features, opt storage.WriteOption) storage.WriteOption {
	if t.has(feature) {
		return opt
	}
	return storage.WithCacheControl("")
}

// storageClass returns WithStorageClass with the first of a few classes that the store accepts, or
// else an option without effect.
func (t *T) storageClass(b storage.Bucket) storage.WriteOption {
	for _, class := range []string{"REDUCED_REDUNDANCY", "NEARLINE", "Cool"} {
		_, err := b.Upload(t.Context(), "class", strings.NewReader(""), storage.WithStorageClass(class))
		if err != nil {
			continue
		}
		require.NoError(t, b.Remove(t.Context(), "class"))
		return storage.WithStorageClass(class)
	}
	return storage.WithCacheControl("")
}

// metadata returns WithMetadata if the store keeps metadata. Otherwise it returns an option without
// effect.
func (t *T) metadata(metadata map[string]string) storage.WriteOption {
	return t.optional(storage.Metadata, storage.WithMetadata(metadata))
}

// keptMetadata returns metadata, or nil if the store keeps none.
func (t *T) keptMetadata(metadata map[string]string) map[string]string {
	if t.has(storage.Metadata) {
		return metadata
	}
	return nil
}

// contentType returns WithContentType if the store keeps content types. Otherwise it returns an
// option without effect.
func (t *T) contentType(mediaType string) storage.WriteOption {
	return t.optional(storage.ContentProperties, storage.WithContentType(mediaType))
}

// keptType returns the content type of an object that was uploaded with mediaType. The key must
// have no extension, from which a store could derive the type.
func (t *T) keptType(mediaType string) string {
	if t.has(storage.ContentProperties) {
		return mediaType
	}
	return "application/octet-stream"
}

// keyNeeds returns the feature that a store needs to hold key, or 0.
func keyNeeds(key string) storage.Features {
	const maxFileName = 255
	for segment := range strings.SplitSeq(key, "/") {
		if len(segment) > maxFileName {
			return storage.LongSegments
		}
	}
	return 0
}

// openTwice opens one empty bucket for two clients. Only b has the given options and the faults of the
// case: other uses the driver below the layers of b.
func (t *T) openTwice(opts ...storage.OpenOption) (b, other storage.Bucket) {
	t.Helper()

	var inner driver.Driver
	capture := driver.WithLayer(func(next driver.Driver) driver.Driver {
		inner = &describeOnce{Driver: next, desc: next.Describe()}
		return inner
	})
	b = t.autoClose(t.opener(t.T, append([]storage.OpenOption{capture}, t.fastRetry(opts)...)...))
	return b, engine.New(inner)
}

// countPendingUploads returns the number of multipart uploads that were left
// unfinished.
func (t *T) countPendingUploads() int {
	return t.uploads.Count()
}

package storagetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A Case is one row of the table.
type Case struct {
	Name        string           // unique, in words
	Rule        string           // of the contract: "W5"
	Explanation string           // one sentence, printed when the case fails
	Needs       storage.Features // where they are not declared, the case proves Unsupported

	run func(t *T)
}

// A T is a case under way: a testing.T that opens buckets. Every bucket that it
// opened shares one fault injector, without rules until the case sets some.
type T struct {
	*testing.T

	faults  *faults.Injector
	uploads *pendingUploads
	desc    storage.Description // of the driver as it is
	unit    int64               // bytes of the smallest part that the driver takes
	opener  Open
	options *options
}

func newT(t *testing.T, open Open, o *options, desc storage.Description) *T {
	return &T{
		T: t, faults: faults.New(), uploads: &pendingUploads{}, desc: desc, opener: open, options: o,
		unit: max(1<<10, desc.MinPartSize),
	}
}

// runCase runs c or, without its features, what refuses them, and explains a
// failure.
func runCase(t *T, c Case, report *report) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("rule %s: %s\n%v", c.Rule, c.Explanation, t.faults)
			return
		}
		report.pass(c)
	})
	lacking := c.Needs &^ t.desc.Features
	if lacking == 0 {
		c.run(t)
		return
	}
	report.refuse(c, lacking)
	for _, r := range refusals {
		if lacking&r.feature != 0 {
			r.prove(t, t.open())
		}
	}
}

// has reports whether the driver declares f.
func (t *T) has(f storage.Features) bool { return t.desc.Features&f == f }

// fast makes retries short; what else is given comes later and prevails.
func (t *T) fastRetry(opts []storage.OpenOption) []storage.OpenOption {
	return append([]storage.OpenOption{
		storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}),
		storage.WithLayer(t.faults.Layer()),
		storage.WithLayer(t.uploads.layer),
	}, opts...)
}

// open opens an empty bucket, and sees to it that no body of it is left open.
func (t *T) open(opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	return t.autoClose(t.opener(t.T, t.fastRetry(opts)...))
}

// versioned opens an empty bucket that keeps versions.
func (t *T) openVersioned(opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	if t.options.versioned != nil {
		return t.autoClose(t.options.versioned(t.T, t.fastRetry(append(opts, storage.WithVersions()))...))
	}
	return t.open(append(opts, storage.WithVersions())...)
}

// limited opens an empty bucket whose driver appears smaller than it is.
func (t *T) openLimited(bounds faults.Limits, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	return t.open(append(opts, storage.WithLayer(faults.WithLimits(bounds)))...)
}

// inParts opens an empty bucket that takes one unit in a Put, and so stores
// whatever is longer in parts.
func (t *T) openForParts(opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	return t.openLimited(faults.Limits{Disable: storage.StreamPut, MaxPutSize: t.unit, MinPartSize: t.unit}, opts...)
}

// once opens an empty bucket that tries every request once.
func (t *T) openWithoutRetry(opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	return t.open(append(opts, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))...)
}

func (t *T) autoClose(b storage.Bucket) storage.Bucket {
	t.Helper()
	require.NotNil(t, b)
	t.Cleanup(func() {
		t.faults.Set()
		if open := t.faults.OpenBodies(); open != 0 {
			t.Errorf("%d bodies of the driver were never closed", open)
		}
		if err := storage.Close(b); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

// requests is how many driver calls do makes.
func (t *T) countRequests(do func()) int {
	before := t.faults.Count(faults.Any)
	do()
	return t.faults.Count(faults.Any) - before
}

// silently requires that do makes no driver call.
func (t *T) requireNoRequests(do func()) {
	t.Helper()
	require.Zero(t, t.countRequests(do), "no request may be made:\n%v", t.faults)
}

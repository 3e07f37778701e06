package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// If Versions is unsupported, the hint names WithVersioning only if the store can keep versions.
func TestVersionsHint(t *testing.T) {
	tests := map[string]struct {
		bucket storage.Bucket
		hint   string
	}{
		"opened without":  {memstore.New(), "if the bucket keeps versions, open it with WithVersioning(true) or versions=true"},
		"a store without": {memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.Versioning}))), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, err := range storage.Versions(t.Context(), tt.bucket) {
				var e *storage.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, storage.Unsupported, e.Code)
				require.Equal(t, tt.hint, e.Hint)
			}
		})
	}
}

// A bareStore cannot be asked to keep versions, what was removed, or locks.
type bareStore struct{ driver.Driver }

func (s bareStore) Describe() driver.Description {
	d := s.Driver.Describe()
	d.Features &^= storage.Versioning | storage.SoftDelete | storage.ObjectLock
	d.EnableVersions = nil
	d.EnableSoftDelete = nil
	d.EnableObjectLock = nil
	return d
}

// If an open option asks a store to keep what it cannot, such as versions, every call fails instead of ignoring
// the option.
func TestWithVersioningOfLesserStore(t *testing.T) {
	for name, option := range map[string]storage.OpenOption{
		"WithVersioning": storage.WithVersioning(true),
		"WithSoftDelete": storage.WithSoftDelete(time.Hour),
		"WithObjectLock": storage.WithObjectLock(),
	} {
		t.Run(name, func(t *testing.T) {
			b := engine.New(bareStore{memstore.NewDriver(memstore.Config{})}, option)
			_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
			require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, name)
			require.Equal(t, storage.Unsupported, storage.CodeOf(b.Remove(t.Context(), "a")))
			require.NoError(t, storage.Close(b))
		})
	}
	b := engine.New(bareStore{memstore.NewDriver(memstore.Config{})}, storage.WithVersioning(false))
	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)
}

// If ctx ends between two pages, List requests no other page.
func TestListEndsBetweenPages(t *testing.T) {
	const perPage = 2
	tests := []struct {
		name string
		opts []storage.OpenOption
		list func(ctx context.Context, b storage.Bucket, each func(error))
		call faults.Calls
	}{
		{name: "List", list: listed, call: faults.List},
		{
			name: "Versions",
			opts: []storage.OpenOption{storage.WithVersioning(true)},
			list: func(ctx context.Context, b storage.Bucket, each func(error)) {
				for _, err := range storage.Versions(ctx, b, storage.WithPageSize(perPage)) {
					each(err)
				}
			},
			call: faults.ListVersions,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			injected := faults.New()
			b := memstore.New(append(tt.opts, driver.WithLayer(injected.Layer()))...)
			for _, key := range []string{"a", "b", "c", "d", "e"} {
				_, err := b.Upload(t.Context(), key, strings.NewReader(""))
				require.NoError(t, err)
			}

			ctx, cancel := context.WithCancel(t.Context())
			count := 0

			var last error
			tt.list(ctx, b, func(err error) {
				last = err
				count++
				if count == perPage {
					cancel()
				}
			})
			require.ErrorIs(t, last, storage.Canceled)
			require.Equal(t, perPage+1, count, "the last is the error")
			require.Equal(t, 1, injected.Count(tt.call))
		})
	}
}

func listed(ctx context.Context, b storage.Bucket, each func(error)) {
	for _, err := range b.List(ctx, storage.WithPageSize(2)) {
		each(err)
	}
}

// If the response to a removal is lost and the retry fails with Locked, the error is Locked and not
// OutcomeUnknown: the version was never removed.
func TestRemoveVersionOfLockedLost(t *testing.T) {
	injected := faults.New()
	b := memstore.New(storage.WithVersioning(true), storage.WithObjectLock(), driver.WithLayer(injected.Layer()), storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
	lockedAttrs, err := b.Upload(t.Context(), "a", strings.NewReader("x"), storage.WithLegalHold())
	require.NoError(t, err)
	lost := &storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true}
	injected.Set(faults.Fail(faults.Delete).Nth(1).WithError(lost))

	err = b.Remove(t.Context(), "a", storage.WithVersion(lockedAttrs.Version))
	require.ErrorIs(t, err, storage.Locked)
	require.NotErrorIs(t, err, storage.OutcomeUnknown)
	require.Equal(t, 2, injected.Count(faults.Delete))
}

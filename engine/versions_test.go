package engine_test

import (
	"context"
	"iter"
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

// Versions of a bucket without versions fails with Unsupported, and hints at WithVersioning if the store has them.
func TestVersionsHint(t *testing.T) {
	withoutVersions := driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.Versioning}))
	tests := []struct {
		name   string
		bucket storage.Bucket
		want   string
	}{
		{
			name:   "opened without versions",
			bucket: memstore.New(),
			want:   "if the bucket keeps versions, open it with WithVersioning(true) or versions=true",
		},
		{name: "a store without versions", bucket: memstore.New(withoutVersions), want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, err := range storage.Versions(t.Context(), tt.bucket) {
				var storageErr *storage.Error
				require.ErrorAs(t, err, &storageErr)
				require.Equal(t, storage.Unsupported, storageErr.Code)
				require.Equal(t, tt.want, storageErr.Hint)
			}
		})
	}
}

// A bareStore is a driver without versions, without soft delete and without locks.
type bareStore struct{ driver.Driver }

func (s bareStore) Describe() driver.Description {
	d := s.Driver.Describe()
	d.Features &^= storage.Versioning | storage.SoftDelete | storage.ObjectLock
	d.EnableVersions = nil
	d.EnableSoftDelete = nil
	d.EnableObjectLock = nil
	return d
}

// If an option of Open requires what the store lacks, such as versions, every call fails with Unsupported.
func TestWithVersioningOfLesserStore(t *testing.T) {
	tests := []struct {
		name   string
		option storage.OpenOption
	}{
		{name: "WithVersioning", option: storage.WithVersioning(true)},
		{name: "WithSoftDelete", option: storage.WithSoftDelete(time.Hour)},
		{name: "WithObjectLock", option: storage.WithObjectLock()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := engine.New(bareStore{memstore.NewDriver(memstore.Config{})}, tt.option)
			_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"))
			require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tt.name)
			require.Equal(t, storage.Unsupported, storage.CodeOf(bucket.Remove(t.Context(), "a")))
			require.NoError(t, storage.Close(bucket))
		})
	}
}

// WithVersioning(false) requires nothing, so calls succeed on a store without versions.
func TestWithoutVersioningOfLesserStore(t *testing.T) {
	bucket := engine.New(bareStore{memstore.NewDriver(memstore.Config{})}, storage.WithVersioning(false))
	_, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)
}

// newFiveObjects returns a bucket with five objects, and the faults of its driver.
func newFiveObjects(t *testing.T, opts ...storage.OpenOption) (storage.Bucket, *faults.Injector) {
	t.Helper()
	injector := faults.New()
	bucket := memstore.New(append(opts, driver.WithLayer(injector.Layer()))...)
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader(""))
		require.NoError(t, err)
	}
	return bucket, injector
}

// cancelAfterPage ranges over entries, and calls cancel after the second one. It returns the errors of all entries.
func cancelAfterPage[E any](entries iter.Seq2[E, error], cancel context.CancelFunc) (errs []error) {
	for _, err := range entries {
		errs = append(errs, err)
		if len(errs) == 2 {
			cancel()
		}
	}
	return errs
}

// List requests no further page after ctx has ended.
func TestListEndsBetweenPages(t *testing.T) {
	bucket, injector := newFiveObjects(t)
	ctx, cancel := context.WithCancel(t.Context())
	errs := cancelAfterPage(bucket.List(ctx, storage.WithPageSize(2)), cancel)

	// The two entries of the first page are followed by the error of ctx.
	require.Len(t, errs, 3)
	require.ErrorIs(t, errs[2], storage.Canceled)
	require.Equal(t, 1, injector.Count(faults.List))
}

// Versions requests no further page after ctx has ended.
func TestVersionsEndBetweenPages(t *testing.T) {
	bucket, injector := newFiveObjects(t, storage.WithVersioning(true))
	ctx, cancel := context.WithCancel(t.Context())
	errs := cancelAfterPage(storage.Versions(ctx, bucket, storage.WithPageSize(2)), cancel)

	// The two entries of the first page are followed by the error of ctx.
	require.Len(t, errs, 3)
	require.ErrorIs(t, errs[2], storage.Canceled)
	require.Equal(t, 1, injector.Count(faults.ListVersions))
}

// If the response to a removal is lost and the retry fails with Locked, the error is Locked and not OutcomeUnknown,
// because the version was never removed.
func TestRemoveVersionOfLockedLost(t *testing.T) {
	injected := faults.New()
	bucket := memstore.New(storage.WithVersioning(true), storage.WithObjectLock(),
		driver.WithLayer(injected.Layer()), storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
	lockedAttrs, err := bucket.Upload(t.Context(), "a", strings.NewReader("x"), storage.WithLegalHold())
	require.NoError(t, err)
	lost := &storage.Error{Code: storage.Unavailable, Retryable: true, Unknown: true}
	injected.Set(faults.Fail(faults.Delete).Nth(1).WithError(lost))

	err = bucket.Remove(t.Context(), "a", storage.WithVersion(lockedAttrs.Version))
	require.ErrorIs(t, err, storage.Locked)
	require.NotErrorIs(t, err, storage.OutcomeUnknown)
	require.Equal(t, 2, injected.Count(faults.Delete))
}

package engine_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A renamed store claims to be one of another provider.
type renamed struct {
	driver.Driver
	provider string
}

func (r renamed) Describe() driver.Description {
	desc := r.Driver.Describe()
	desc.Provider = r.provider
	return desc
}

// storeOf returns a bucket in memory that claims to be one of provider.
func storeOf(provider string) storage.Bucket {
	return memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
		return renamed{next, provider}
	}))
}

// usersBucket is a user's type that embeds a Bucket. The engine does not know the store of such a
// bucket.
type usersBucket struct{ storage.Bucket }

// Copy keeps the storage class only if both stores belong to the same provider.
func TestCopyStorageClass(t *testing.T) {
	tests := []struct {
		name     string
		from, to storage.Bucket
		opts     []storage.CopyOption
		want     string
	}{
		{
			name: "between stores of a provider",
			from: storeOf("a"),
			to:   storeOf("a"),
			want: "COLD",
		},
		{name: "from another provider", from: storeOf("b"), to: storeOf("a"), want: ""},
		{
			name: "from another provider, with an option",
			from: storeOf("b"),
			to:   storeOf("a"),
			opts: []storage.CopyOption{storage.WithStorageClass("WARM")},
			want: "WARM",
		},
		{
			name: "between stores of a provider, with an option",
			from: storeOf("a"),
			to:   storeOf("a"),
			opts: []storage.CopyOption{storage.WithStorageClass("WARM")},
			want: "WARM",
		},
		{name: "from a type of the user", from: usersBucket{storeOf("a")}, to: storeOf("a"), want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.from.Upload(t.Context(), "k", strings.NewReader("x"),
				storage.WithStorageClass("COLD"))
			require.NoError(t, err)

			_, err = storage.Copy(t.Context(), tt.to, "k", tt.from, "k", tt.opts...)
			require.NoError(t, err)
			attrs, err := tt.to.Attrs(t.Context(), "k")
			require.NoError(t, err)
			require.Equal(t, tt.want, attrs.StorageClass)
		})
	}
}

// If another client replaces an object while a copy onto itself streams it, the new object stays. Copy fails with
// Changed, or with PreconditionFailed for IfAbsent.
func TestCopyOntoItselfKeepsNewerObject(t *testing.T) {
	tests := []struct {
		name     string
		write    func(bucket storage.Bucket) error
		wantCode storage.Code // "" if the write succeeds
	}{
		{
			name: "Copy",
			write: func(bucket storage.Bucket) error {
				return errorOf(storage.Copy(t.Context(), bucket, "k", bucket, "k", storage.WithContentType("text/plain")))
			},
			wantCode: storage.Changed,
		},
		{
			name: "Copy to a Ref of the bucket",
			write: func(bucket storage.Bucket) error {
				return errorOf(storage.Copy(t.Context(), storage.Ref[storage.Uploader](bucket), "k", bucket, "k"))
			},
			wantCode: storage.Changed,
		},
		{
			name: "Copy with IfAbsent",
			write: func(bucket storage.Bucket) error {
				return errorOf(storage.Copy(t.Context(), bucket, "k", bucket, "k", storage.IfAbsent()))
			},
			wantCode: storage.PreconditionFailed,
		},
		{
			name: "Compose",
			write: func(bucket storage.Bucket) error {
				return errorOf(storage.Compose(t.Context(), bucket, "k", []string{"other", "k"}))
			},
			wantCode: storage.Changed,
		},
		{
			name: "Copy to another key",
			write: func(bucket storage.Bucket) error {
				return errorOf(storage.Copy(t.Context(), bucket, "other", bucket, "k"))
			},
			wantCode: "",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The other client writes to the same store.
			store := memstore.NewDriver(memstore.Config{})
			otherClient := engine.New(store)
			for _, key := range []string{"k", "other"} {
				_, err := otherClient.Upload(t.Context(), key, strings.NewReader("old"))
				require.NoError(t, err)
			}

			// Before the first Put after a read, the other client replaces "k".
			var hasRead atomic.Bool // Compose reads its sources in parallel
			replaceBeforePut := func(ctx context.Context, call string, next func(context.Context) error) error {
				if call == "Get" || call == "Head" {
					hasRead.Store(true)
				}
				isPutAfterRead := call == "Put" && hasRead.Swap(false)
				if isPutAfterRead {
					if _, err := otherClient.Upload(ctx, "k", strings.NewReader("new")); err != nil {
						t.Error(err)
					}
				}
				return next(ctx)
			}

			// The store cannot copy, so the engine streams.
			streams := faults.Limits{Disable: storage.ServerCopy | storage.ServerCompose}
			bucket := engine.New(store, driver.WithLayer(faults.WithLimits(streams)),
				driver.WithLayer(func(d driver.Driver) driver.Driver {
					return driver.Intercept(d, replaceBeforePut)
				}))
			require.Equal(t, tt.wantCode, storage.CodeOf(tt.write(bucket)))

			// The object of the other client is still there.
			text, _, err := storage.ReadAll(t.Context(), otherClient, "k")
			require.NoError(t, err)
			require.Equal(t, "new", string(text))
		})
	}
}

// tagsAfter is a source that another client changes before its tags are read.
type tagsAfter struct {
	driver.Driver
	change func()
}

func (d *tagsAfter) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	d.change()
	return d.Driver.Tags(ctx, r)
}

// withTag returns an option that sets the tag "of".
func withTag(value string) storage.UploadOption {
	return storage.WithTags(map[string]string{"of": value})
}

func replaceWithTags(t *testing.T, bucket storage.Bucket) {
	_, err := bucket.Upload(t.Context(), "k", strings.NewReader("new"), withTag("new"))
	require.NoError(t, err)
}

func replaceWithoutTags(t *testing.T, bucket storage.Bucket) {
	_, err := bucket.Upload(t.Context(), "k", strings.NewReader("new"))
	require.NoError(t, err)
}

func removeSource(t *testing.T, bucket storage.Bucket) {
	require.NoError(t, bucket.Remove(t.Context(), "k"))
}

// Copy fails with Changed, instead of storing tags of another write, if the source is replaced or removed before its
// tags are read.
func TestCopyTagsOfCopiedBytes(t *testing.T) {
	changes := []struct {
		name   string
		change func(t *testing.T, bucket storage.Bucket)
	}{
		{name: "replaced with tags", change: replaceWithTags},
		{name: "replaced without tags", change: replaceWithoutTags},
		{name: "removed", change: removeSource},
	}
	copies := []struct {
		name       string
		versioning bool
		streamed   bool
	}{
		{name: "within a store", versioning: false, streamed: false},
		{name: "streamed", versioning: false, streamed: true},
		{name: "within a store with versions", versioning: true, streamed: false},
		{name: "streamed from a store with versions", versioning: true, streamed: true},
	}
	for _, change := range changes {
		for _, tt := range copies {
			t.Run(change.name+", "+tt.name, func(t *testing.T) {
				d := memstore.NewDriver(memstore.Config{})
				versioning := storage.WithVersioning(tt.versioning)
				bucket := engine.New(d, versioning)
				_, err := bucket.Upload(t.Context(), "k", strings.NewReader("old"), withTag("old"))
				require.NoError(t, err)

				// src is the same bucket, but before it reads tags, another client changes the object.
				changeBeforeTags := &tagsAfter{Driver: d, change: func() { change.change(t, bucket) }}
				src := engine.New(changeBeforeTags, versioning)

				// A copy into another store is streamed.
				dst := bucket
				if tt.streamed {
					dst = memstore.New()
				}

				_, err = storage.Copy(t.Context(), dst, "copy", src, "k")
				require.ErrorIs(t, err, storage.Changed)
			})
		}
	}
}

// newFailingTags returns a bucket whose driver fails to read tags with code. It has the object "k" with a tag.
func newFailingTags(t *testing.T, code storage.Code) storage.Bucket {
	t.Helper()
	failTags := func(ctx context.Context, call string, next func(context.Context) error) error {
		if call == "Tags" {
			return &storage.Error{Code: code}
		}
		return next(ctx)
	}
	bucket := memstore.New(storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
		driver.WithLayer(func(d driver.Driver) driver.Driver { return driver.Intercept(d, failTags) }))
	_, err := bucket.Upload(t.Context(), "k", strings.NewReader("x"), withTag("k"))
	require.NoError(t, err)
	return bucket
}

// Copy makes an object without tags if the credentials do not permit reading those of the source.
func TestCopyWithoutPermissionForTags(t *testing.T) {
	for _, streamed := range []bool{false, true} {
		t.Run(fmt.Sprint("streamed ", streamed), func(t *testing.T) {
			// The object has a tag, which src fails to read.
			src := newFailingTags(t, storage.PermissionDenied)

			// A copy into another store is streamed.
			dst := src
			if streamed {
				dst = memstore.New()
			}

			attrs, err := storage.Copy(t.Context(), dst, "copy", src, "k")
			require.NoError(t, err)
			require.Zero(t, attrs.TagCount)
			attrs, err = dst.Attrs(t.Context(), "copy")
			require.NoError(t, err)
			require.Zero(t, attrs.TagCount)
		})
	}
}

// Copy fails if the tags of the source cannot be read for another reason than PermissionDenied.
func TestCopyTagsFail(t *testing.T) {
	for _, streamed := range []bool{false, true} {
		t.Run(fmt.Sprint("streamed ", streamed), func(t *testing.T) {
			src := newFailingTags(t, storage.RateLimited)
			dst := src
			if streamed {
				dst = memstore.New()
			}
			_, err := storage.Copy(t.Context(), dst, "copy", src, "k")
			require.ErrorIs(t, err, storage.RateLimited)
		})
	}
}

// Copy with IfAbsent fails with Changed if reading the source fails with PreconditionFailed, which would say that the
// destination exists.
func TestCopySourcePreconditionFailed(t *testing.T) {
	tests := []struct {
		name     string
		streamed bool
		failing  string // the driver call that fails once
		want     storage.Code
	}{
		{name: "copy within a store, Head fails", streamed: false, failing: "Head", want: storage.Changed},
		{name: "copy within a store, which calls no Get", streamed: false, failing: "Get", want: ""},
		{name: "streamed copy, Get fails", streamed: true, failing: "Get", want: storage.Changed},
		{name: "streamed copy, which calls no Head", streamed: true, failing: "Head", want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hasFailed := false
			failOnce := func(ctx context.Context, call string, next func(context.Context) error) error {
				if call == tt.failing && !hasFailed {
					hasFailed = true
					return &storage.Error{Code: storage.PreconditionFailed}
				}
				return next(ctx)
			}
			src := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
				return driver.Intercept(d, failOnce)
			}))
			_, err := src.Upload(t.Context(), "k", strings.NewReader("x"))
			require.NoError(t, err)

			// A copy into a store of another provider is streamed.
			dst := src
			if tt.streamed {
				dst = storeOf("other")
			}

			_, err = storage.Copy(t.Context(), dst, "to", src, "k", storage.IfAbsent())
			require.Equal(t, tt.want, storage.CodeOf(err))
			require.NotErrorIs(t, err, storage.PreconditionFailed)
			require.Equal(t, tt.want != "", hasFailed)
		})
	}
}

// oldETag sends the bytes of the current object with the revision of the one before, as versitygw does during a
// write.
type oldETag struct {
	driver.Driver
	revision string
	change   func()
}

func (d *oldETag) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	d.change()
	req := *r
	req.Condition = storage.Condition{}
	attrs, body, err := d.Driver.Get(ctx, &req)
	if err != nil {
		return nil, nil, err
	}
	attrs.Revision = d.revision
	return attrs, body, nil
}

// newOldETag returns a bucket whose Get of "k" replaces the object by a longer one, and still returns the old revision,
// as a cache with an old ETag does.
func newOldETag(t *testing.T) storage.Bucket {
	t.Helper()
	store := memstore.NewDriver(memstore.Config{})
	direct := engine.New(store)
	attrs, err := direct.Upload(t.Context(), "k", strings.NewReader("old"))
	require.NoError(t, err)

	replace := func() {
		_, err := direct.Upload(t.Context(), "k", strings.NewReader("longer"))
		require.NoError(t, err)
	}
	limits := faults.Limits{Disable: storage.ServerCompose}
	return engine.New(&oldETag{store, attrs.Revision, replace}, driver.WithLayer(faults.WithLimits(limits)))
}

// Compose fails with Changed and makes no object if a source has another size under the same revision.
func TestComposeFindsOtherSizeOfSameRevision(t *testing.T) {
	bucket := newOldETag(t)
	_, err := storage.Compose(t.Context(), bucket, "to", []string{"k"})
	require.ErrorIs(t, err, storage.Changed)

	exists, err := bucket.Exists(t.Context(), "to")
	require.NoError(t, err)
	require.False(t, exists)
}

// ReadAt fails with Changed if the object has another size under the same revision.
func TestReadAtFindsOtherSizeOfSameRevision(t *testing.T) {
	reader, err := storage.NewReaderAt(t.Context(), newOldETag(t), "k")
	require.NoError(t, err)
	_, err = reader.ReadAt(make([]byte, 3), 0)
	require.ErrorIs(t, err, storage.Changed)
}

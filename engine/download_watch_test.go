package engine_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/core/buffer"
	"github.com/omnibucket/storage/internal/serving"
)

// A remoteStore has one object and empty pages without an end.
type remoteStore struct {
	driver.UnimplementedDriver
	read  func(ctx context.Context) // within each Read of a body
	sizes []int64                   // of the object, in each Get
	token func(n int) string        // of the n-th page
	gets  int
	pages int
}

func (store *remoteStore) Describe() driver.Description {
	return driver.Description{Provider: "remote", Bucket: "photos", Features: storage.OrderedListing}
}

func (store *remoteStore) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	const content = "1234"
	size := int64(len(content))
	if store.gets < len(store.sizes) {
		size = store.sizes[store.gets]
	}
	store.gets++
	sent := content
	if store.gets == 1 && len(store.sizes) > 1 {
		sent = content[:2] // the connection breaks
	}
	attrs := &storage.Attrs{Key: r.Key, Size: size, Revision: "1"}
	body := &pausedBody{
		ctx:  ctx,
		from: strings.NewReader(sent[r.Offset:]),
		read: store.read,
	}
	return attrs, body, nil
}

func (store *remoteStore) List(context.Context, *driver.ListRequest) (*storage.Page, error) {
	store.pages++
	return &storage.Page{Token: store.token(store.pages)}, nil
}

func (store *remoteStore) Put(context.Context, *driver.PutRequest) (*storage.Attrs, error) {
	return nil, storage.Unsupported
}

func (store *remoteStore) Head(context.Context, *driver.GetRequest) (*storage.Attrs, error) {
	return nil, storage.Unsupported
}

func (store *remoteStore) Delete(context.Context, *driver.DeleteRequest) error {
	return storage.Unsupported
}

// A pausedBody calls read before each Read.
type pausedBody struct {
	ctx  context.Context
	from io.Reader
	read func(ctx context.Context)
}

func (b *pausedBody) Read(p []byte) (int, error) {
	if b.read != nil {
		b.read(b.ctx)
	}
	return b.from.Read(p)
}

func (b *pausedBody) Close() error { return nil }

// RetryPolicy.Stall does not count the time while a layer holds bytes back.
func TestDownloadStallIgnoresWaitingLayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &remoteStore{read: func(ctx context.Context) {
			serving.Pause(ctx)
			time.Sleep(time.Hour)
		}}
		bucket := engine.New(store, storage.WithRetry(storage.RetryPolicy{Attempts: 1, Stall: time.Second}))
		text, _, err := storage.ReadAll(t.Context(), bucket, "a")
		require.NoError(t, err)
		require.Equal(t, "1234", string(text))
		require.Equal(t, 1, store.gets)
	})
}

// An emptyReadsStore has one object. The first counts[n] reads of its n-th body return neither a
// byte nor an error.
type emptyReadsStore struct {
	remoteStore
	counts []int
}

func (store *emptyReadsStore) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	count := store.counts[store.gets]
	attrs, body, err := store.remoteStore.Get(ctx, r)
	return attrs, &emptyReadsBody{ReadCloser: body, count: count}, err
}

type emptyReadsBody struct {
	io.ReadCloser
	count int
}

func (b *emptyReadsBody) Read(p []byte) (int, error) {
	if b.count > 0 {
		b.count--
		return 0, nil
	}
	return b.ReadCloser.Read(p)
}

// A body without progress makes the download open another one, which may have empty reads of its own.
func TestDownloadContinuesAfterEmptyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &emptyReadsStore{counts: []int{buffer.MaxEmptyReads, 1}}
		bucket := engine.New(store, storage.WithRetry(storage.RetryPolicy{Attempts: 2}))
		text, _, err := storage.ReadAll(t.Context(), bucket, "a")
		require.NoError(t, err)
		require.Equal(t, "1234", string(text))
		require.Equal(t, 2, store.gets)
	})
}

// A download fails with Changed if the object has another size when the download is resumed.
func TestDownloadContinuesWithOtherSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := engine.New(&remoteStore{sizes: []int64{4, 5}})
		_, _, err := storage.ReadAll(t.Context(), bucket, "a")
		require.ErrorIs(t, err, storage.Changed)
	})
}

// A listing ends with an error if the driver returns only empty pages.
func TestListEmptyPagesEnd(t *testing.T) {
	tests := []struct {
		name      string
		token     func(n int) string
		wantPages int
	}{
		{
			name:      "new token each time",
			token:     func(n int) string { return strings.Repeat("x", n) },
			wantPages: 100,
		},
		{name: "same token each time", token: func(int) string { return "x" }, wantPages: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &remoteStore{token: tt.token}
				bucket := engine.New(store)

				require.ErrorIs(t, iterate(bucket.List(t.Context())), storage.Unavailable)
				require.Equal(t, tt.wantPages, store.pages)
			})
		})
	}
}

// A loopingStore returns tokens that lead back to earlier pages. It lists keys, keys outside of the prefix, uploads or
// buckets.
type loopingStore struct {
	driver.Driver
	token func(n int) string
	pages int
}

func (store *loopingStore) Describe() driver.Description {
	desc := store.Driver.Describe()
	desc.Features |= storage.MultipartUploads | storage.ListedUploads | storage.OpenUploads | storage.Versioning
	return desc
}

// next returns the name and the token of the next page. The names are "b" and "a" in turn. After many
// pages the listing ends, so that a test of an engine without the check ends, too.
func (store *loopingStore) next() (name, token string) {
	const manyPages = 500
	store.pages++
	if store.pages > manyPages {
		return "", ""
	}
	name = "a"
	if store.pages%2 == 1 {
		name = "b"
	}
	return name, store.token(store.pages)
}

// alternate returns the token of the n-th page of a driver whose tokens are A and B in turn.
func alternate(n int) string {
	if n%2 == 1 {
		return "B"
	}
	return "A"
}

func (store *loopingStore) List(context.Context, *driver.ListRequest) (*storage.Page, error) {
	name, token := store.next()
	return &storage.Page{Entries: []storage.ListEntry{{Key: name}}, Token: token}, nil
}

func (store *loopingStore) ListUploads(context.Context, *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	name, token := store.next()
	return &driver.UploadPage{Uploads: []storage.UploadEntry{{Key: name, Upload: "1"}}, Token: token}, nil
}

func (store *loopingStore) ListVersions(context.Context, *driver.ListRequest) (*driver.VersionPage, error) {
	name, token := store.next()
	entry := storage.VersionEntry{ListEntry: storage.ListEntry{Key: "k"}, Version: name}
	return &driver.VersionPage{Entries: []storage.VersionEntry{entry}, Token: token}, nil
}

// A loopingTree lists a folder in a circle: a folder, an object of its name, and so on.
type loopingTree struct {
	driver.Driver
	store *loopingStore // the same
}

func (tree *loopingTree) Describe() driver.Description {
	desc := tree.store.Describe()
	desc.Features &^= storage.OrderedListing
	desc.FolderOrder = true
	return desc
}

func (tree *loopingTree) List(_ context.Context, r *driver.ListRequest) (*storage.Page, error) {
	if r.Prefix != "" {
		return &storage.Page{}, nil
	}
	name, token := tree.store.next()
	if name == "a" {
		return &storage.Page{Entries: []storage.ListEntry{{Key: "a"}}, Token: token}, nil
	}
	return &storage.Page{Entries: []storage.ListEntry{{Key: "a/", IsPrefix: true}}, Token: token}, nil
}

// A listing in folder order ends with an error if the pages of the driver repeat.
func TestListFolderOrderInCircleEnds(t *testing.T) {
	const pagesUntilRepeat = 4
	for _, delimiter := range []string{"", "/"} {
		t.Run("delimiter "+delimiter, func(t *testing.T) {
			looping := &loopingStore{Driver: &remoteStore{}, token: alternate}
			bucket := engine.New(&loopingTree{looping, looping})
			listing := bucket.List(t.Context(), storage.WithDelimiter(delimiter))
			require.ErrorIs(t, iterate(listing), storage.Unavailable)
			require.Equal(t, pagesUntilRepeat, looping.pages)
		})
	}
}

// A listing ends with Unavailable if the tokens of the driver's pages repeat, or if its pages only have keys outside
// of the prefix.
func TestListInCircleEnds(t *testing.T) {
	// A growing token is new on each page, and alternate returns the same two tokens in turn.
	growing := func(n int) string { return strings.Repeat("x", n) }
	listObjects := func(ctx context.Context, bucket storage.Bucket) error {
		return iterate(bucket.List(ctx, storage.WithPrefix("p/")))
	}

	// A listing ends after 100 pages without a new entry, or earlier if tokens repeat.
	tests := []struct {
		name      string
		token     func(n int) string // the token of page n
		list      func(context.Context, storage.Bucket) error
		wantPages int // that are requested
	}{
		{name: "keys outside of the prefix", token: growing, list: listObjects, wantPages: 100},
		{name: "keys outside of the prefix, and two tokens", token: alternate, list: listObjects, wantPages: 4},
		{
			name:  "a page of keys outside of the prefix",
			token: growing,
			list: func(ctx context.Context, bucket storage.Bucket) error {
				_, err := storage.ListPage(ctx, bucket, "", storage.WithPrefix("p/"))
				return err
			},
			wantPages: 100,
		},
		{
			name:  "uploads and two tokens",
			token: alternate,
			list: func(ctx context.Context, bucket storage.Bucket) error {
				return iterate(storage.ListUploads(ctx, bucket))
			},
			wantPages: 4,
		},
		{
			name:  "versions and two tokens",
			token: alternate,
			list: func(ctx context.Context, bucket storage.Bucket) error {
				return iterate(storage.Versions(ctx, bucket))
			},
			wantPages: 4,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &loopingStore{Driver: &remoteStore{}, token: tt.token}
				bucket := engine.New(store, storage.WithVersioning(true))
				require.ErrorIs(t, tt.list(t.Context(), bucket), storage.Unavailable)
				require.Equal(t, tt.wantPages, store.pages)
			})
		})
	}
}

package storage_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A streaming Core sees each copy as a download and an upload.
type streaming struct{ storage.Core }

func (s streaming) Source(key string) storage.CopySource { return storage.NewCopySource(s, key) }

func (s streaming) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, o *storage.CopyOptions,
) (*storage.Attrs, error) {
	return storage.StreamCopy(ctx, s, key, src, o)
}

// newStreamingBucket returns a bucket with a streaming Core that has the object "a".
func newStreamingBucket(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	b, err := storage.Wrap(memstore.New(opts...), func(c storage.Core) storage.Core { return streaming{c} })
	require.NoError(t, err)
	_, err = b.Upload(
		t.Context(), "a", strings.NewReader("text"), storage.WithContentType("text/x-first"),
		storage.WithCacheControl("no-store"), storage.WithMetadata(map[string]string{"k": "v"}),
	)
	require.NoError(t, err)
	return b
}

// With StreamCopy, each option of Copy has the same effect as in a copy by the store.
func TestStreamCopyKeepsOptions(t *testing.T) {
	tests := []struct {
		name string
		opts []storage.CopyOption
	}{
		{name: "no option"},
		{name: "content type", opts: []storage.CopyOption{storage.WithContentType("text/x-second")}},
		{name: "no cache control", opts: []storage.CopyOption{storage.WithCacheControl("")}},
		{name: "metadata", opts: []storage.CopyOption{storage.WithMetadata(map[string]string{"other": "w"})}},
		{name: "no metadata", opts: []storage.CopyOption{storage.WithMetadata(nil)}},
		{
			name: "language",
			opts: []storage.CopyOption{storage.WithContentLanguage("de"), storage.WithConcurrency(2)},
		},
		{name: "without attributes", opts: []storage.CopyOption{storage.WithoutAttrs()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Both buckets have the same object "a".
			streamed := newStreamingBucket(t)
			bucket := memstore.New()
			_, err := storage.Copy(t.Context(), bucket, "a", streamed, "a")
			require.NoError(t, err)

			// Compare a copy by StreamCopy with a copy by the store.
			attrs, err := storage.Copy(t.Context(), streamed, "b", streamed, "a", tt.opts...)
			require.NoError(t, err)
			want, err := storage.Copy(t.Context(), bucket, "b", bucket, "a", tt.opts...)
			require.NoError(t, err)
			require.Equal(t, want.Properties, attrs.Properties)
			require.Equal(t, want.CRC32C, attrs.CRC32C)

			data, _, err := storage.ReadAll(t.Context(), streamed, "b")
			require.NoError(t, err)
			require.Equal(t, "text", string(data))
		})
	}
}

// With StreamCopy, Append keeps the properties of the object, and a copy can restore an old version.
func TestStreamCopyServesAppendAndOldVersion(t *testing.T) {
	b := newStreamingBucket(t, storage.WithVersioning(true))
	first, err := b.Attrs(t.Context(), "a")
	require.NoError(t, err)

	// Append keeps the content type.
	attrs, err := storage.Append(t.Context(), b, "a", []byte(" and more"))
	require.NoError(t, err)
	require.Equal(t, int64(len("text and more")), attrs.Size)
	require.Equal(t, "text/x-first", attrs.ContentType)

	// A copy of the first version restores it.
	_, err = storage.Copy(t.Context(), b, "a", b, "a", storage.WithVersion(first.Version))
	require.NoError(t, err)
	data, _, err := storage.ReadAll(t.Context(), b, "a")
	require.NoError(t, err)
	require.Equal(t, "text", string(data))
}

// StreamCopy applies the condition of a copy to the destination.
func TestStreamCopyKeepsCondition(t *testing.T) {
	b := newStreamingBucket(t)
	_, err := storage.Copy(t.Context(), b, "b", b, "a", storage.IfAbsent())
	require.NoError(t, err)
	_, err = storage.Copy(t.Context(), b, "b", b, "a", storage.IfAbsent())
	require.ErrorIs(t, err, storage.PreconditionFailed)
}

// StreamCopy fails with ObjectNotFound and the key of the source if the source does not exist.
func TestStreamCopyOfMissingSource(t *testing.T) {
	b := newStreamingBucket(t)
	_, err := storage.Copy(t.Context(), b, "c", b, "missing")
	require.ErrorIs(t, err, storage.ObjectNotFound)

	_, err = storage.Copy(t.Context(), b, "c", nobody{}, "k")
	require.ErrorIs(t, err, storage.ObjectNotFound)
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, "k", storageErr.Key)
}

// StreamCopy leaves out headers of the source that no option could set, and keeps the others.
func TestStreamCopyLeavesOutInvalidHeaders(t *testing.T) {
	const disposition = "attachment"
	tests := []struct {
		name   string
		source storage.Properties
		opts   []storage.CopyOption
		want   storage.Properties
	}{
		{
			name:   "a content type without a slash",
			source: storage.Properties{ContentType: "text", ContentDisposition: disposition},
			want:   storage.Properties{ContentType: "application/json", ContentDisposition: disposition},
		},
		{
			name:   "not ASCII",
			source: storage.Properties{ContentType: "text/x", ContentDisposition: "attachment; filename=ä"},
			want:   storage.Properties{ContentType: "text/x"},
		},
		{
			name:   "too long",
			source: storage.Properties{ContentType: "text/x", CacheControl: strings.Repeat("a", 2000)},
			want:   storage.Properties{ContentType: "text/x"},
		},
		{
			name:   "replaced by options",
			source: storage.Properties{ContentType: "text", ContentLanguage: "ä"},
			opts: []storage.CopyOption{
				storage.WithContentType("text/y"), storage.WithContentLanguage("de"),
			},
			want: storage.Properties{ContentType: "text/y", ContentLanguage: "de"},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dst := newStreamingBucket(t)
			src := described(tt.source) // a bucket whose objects have these headers

			// If the content type is left out, it comes from the extension of the key b.json.
			attrs, err := storage.Copy(t.Context(), dst, "b.json", src, "k", tt.opts...)
			require.NoError(t, err)
			require.Equal(t, tt.want, attrs.Properties)
		})
	}
}

// StreamCopy fails with InvalidArgument for an option with an invalid header.
func TestStreamCopyRefusesInvalidHeader(t *testing.T) {
	dst := newStreamingBucket(t)
	_, err := storage.Copy(t.Context(), dst, "b", described{}, "k", storage.WithContentLanguage("ä"))
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// described is a Downloader whose objects are empty and have these properties.
type described storage.Properties

func (d described) Download(_ context.Context, key string, _ ...storage.DownloadOption) (*storage.Reader, error) {
	return storage.NewReader(&storage.Attrs{Key: key, Properties: storage.Properties(d)}, 0, 0, nil), nil
}

// nobody is a Downloader without objects.
type nobody struct{}

func (nobody) Download(context.Context, string, ...storage.DownloadOption) (*storage.Reader, error) {
	return nil, storage.ObjectNotFound
}

// overwriting replaces the object that a copy reads, before the copy writes.
type overwriting struct {
	storage.Core
	next *bool // whether the next Download replaces its object
}

func (w overwriting) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, o *storage.CopyOptions,
) (*storage.Attrs, error) {
	return storage.StreamCopy(ctx, w, key, src, o)
}

func (w overwriting) Source(key string) storage.CopySource { return storage.NewCopySource(w, key) }

func (w overwriting) Download(
	ctx context.Context, key string, o *storage.DownloadOptions,
) (*storage.Reader, error) {
	reader, err := w.Core.Download(ctx, key, o)
	if err != nil || !*w.next {
		return reader, err
	}
	*w.next = false
	_, err = w.Upload(ctx, key, strings.NewReader("another"), &storage.UploadOptions{Size: -1})
	return reader, err
}

// A copy of an object onto itself fails with Changed if another caller replaces the object meanwhile, and Append starts
// again.
func TestStreamCopyOntoItselfFailsIfReplaced(t *testing.T) {
	// While it is true, the next Download is followed by an Upload of "another" to the same key.
	overwriteNext := false
	b, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core {
		return overwriting{c, &overwriteNext}
	})
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "a", strings.NewReader("text"))
	require.NoError(t, err)

	// Copy fails, because the object is replaced after it was read.
	overwriteNext = true
	_, err = storage.Copy(t.Context(), b, "a", b, "a", storage.WithContentType("text/x"))
	require.ErrorIs(t, err, storage.Changed)

	// Append starts again, and appends to the new object.
	overwriteNext = true
	_, err = storage.Append(t.Context(), b, "a", []byte("!"))
	require.NoError(t, err)
	data, _, err := storage.ReadAll(t.Context(), b, "a")
	require.NoError(t, err)
	require.Equal(t, "another!", string(data))
}

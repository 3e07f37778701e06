package pages

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// The quota counts uploads and parts. When it is used up, it denies more of them. It denies copies and signed uploads,
// because it cannot count their bytes. Completing and removing stay possible.
func TestQuotaDenies(t *testing.T) {
	const limit = 6 << 20
	b := memstore.New(storage.WithHook(quota(limit)), storage.WithSigningBaseURL("http://127.0.0.1/x"))

	// A small object and a part use up the quota.
	put(t, b, "small", "text")
	u, err := storage.BeginUpload(t.Context(), b, "large")
	require.NoError(t, err)
	_, err = u.PutPart(t.Context(), 1, bytes.NewReader(make([]byte, limit)))
	require.NoError(t, err)

	// The quota denies another part, but the upload can be completed.
	_, err = u.PutPart(t.Context(), 2, strings.NewReader("more"))
	require.ErrorIs(t, err, storage.PermissionDenied)
	_, err = u.Complete(t.Context())
	require.NoError(t, err)

	// It denies another upload. The error has the bytes of the object "small" and of the part.
	_, err = b.Upload(t.Context(), "more", strings.NewReader("more"))
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.ErrorContains(t, err, "6291460 bytes were uploaded")

	// It denies writes whose bytes it cannot count.
	_, err = storage.Copy(t.Context(), b, "copy", b, "large")
	require.ErrorIs(t, err, storage.PermissionDenied)
	_, err = b.SignedUploadURL(t.Context(), "signed")
	require.ErrorIs(t, err, storage.PermissionDenied)

	require.NoError(t, b.Remove(t.Context(), "large"))
}

// A zipped bucket stores fewer bytes than it returns. It refuses the calls that zipped does not have.
func TestZippedCore(t *testing.T) {
	store := memstore.New()
	b, err := storage.Wrap(store, func(c storage.Core) storage.Core { return zipped{core: c} })
	require.NoError(t, err)
	text := strings.Repeat("text ", 1000)

	// The bucket says the size of the text. The store below has less than 200 bytes of it.
	attrs, err := b.Upload(t.Context(), "a", strings.NewReader(text), storage.WithSize(int64(len(text))))
	require.NoError(t, err)
	require.EqualValues(t, len(text), attrs.Size)
	storedAttrs, err := store.Attrs(t.Context(), "a")
	require.NoError(t, err)
	require.Less(t, storedAttrs.Size, int64(200))

	// The object and its copy have the whole text.
	_, err = storage.Copy(t.Context(), b, "copy", b, "a")
	require.NoError(t, err)
	for _, key := range []string{"a", "copy"} {
		data, attrs, err := storage.ReadAll(t.Context(), b, key)
		require.NoError(t, err)
		require.Equal(t, text, string(data))
		require.EqualValues(t, len(text), attrs.Size)
	}

	// A range is one of the text.
	data, _, err := storage.ReadAll(t.Context(), b, "a", storage.WithRange(-5, -1))
	require.NoError(t, err)
	require.Equal(t, "text ", string(data))

	// A checksum and a size are those of the text, too.
	_, err = b.Upload(t.Context(), "refused", strings.NewReader("text"), storage.WithCRC32C(1))
	require.ErrorIs(t, err, storage.ChecksumMismatch)
	_, err = b.Upload(t.Context(), "refused", strings.NewReader("text"), storage.WithSize(5))
	require.ErrorIs(t, err, storage.BodyFailed)

	// Append works, although zipped has no such call.
	_, err = storage.Append(t.Context(), b, "copy", []byte("more"))
	require.NoError(t, err)
	data, _, err = storage.ReadAll(t.Context(), b, "copy")
	require.NoError(t, err)
	require.Equal(t, text+"more", string(data))

	// Compose and List are refused.
	_, err = storage.Compose(t.Context(), b, "refused", []string{"a", "copy"})
	require.ErrorIs(t, err, storage.Unsupported)
	for _, err := range b.List(t.Context()) {
		require.ErrorIs(t, err, storage.Unsupported)
	}

	require.NoError(t, b.Remove(t.Context(), "a"))
}

// A counting Core counts the bytes that the store delivers.
type counting struct {
	storage.Core
	bytes *int64
}

func (c counting) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	r, err := c.Core.Download(ctx, key, o)
	if err == nil {
		_, length := r.Range()
		*c.bytes += length
	}
	return r, err
}

// A cached bucket reads unchanged objects from memory, and changed ones from the store.
func TestCachedCore(t *testing.T) {
	var delivered int64 // bytes that the store has delivered
	b, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core { return counting{c, &delivered} })
	require.NoError(t, err)
	b, err = inMemory(b)
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "a", strings.NewReader("text"), storage.WithMetadata(map[string]string{"k": "v"}))
	require.NoError(t, err)

	// Read the object three times. A caller can change the attributes without changing those in memory.
	for range 3 {
		data, attrs, err := storage.ReadAll(t.Context(), b, "a")
		require.NoError(t, err)
		require.Equal(t, "text", string(data))
		require.Equal(t, "v", attrs.Metadata["k"])
		attrs.Metadata["k"] = "changed by the caller"
	}

	// Read a part of it.
	r, err := b.Download(t.Context(), "a", storage.WithRange(1, 2))
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, "ex", string(data))

	require.EqualValues(t, 4, delivered, `the store has delivered "text" once`)

	// A new object is read from the store.
	put(t, b, "a", "other")
	data, _, err = storage.ReadAll(t.Context(), b, "a")
	require.NoError(t, err)
	require.Equal(t, "other", string(data))
	require.EqualValues(t, 9, delivered, `the store has delivered "text" and "other"`)
}

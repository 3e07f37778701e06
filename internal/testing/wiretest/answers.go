package wiretest

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A Call makes one operation on the bucket, or on its account. The tables of what services are
// known to answer name them.
type Call func(ctx context.Context, b storage.Bucket, s storage.Service) error

// Attrs reads the attributes of "k".
func Attrs(opts ...storage.AttrsOption) Call {
	return func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
		_, err := b.Attrs(ctx, "k", opts...)
		return err
	}
}

// Download reads "k".
func Download(opts ...storage.DownloadOption) Call {
	return func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
		_, _, err := storage.ReadAll(ctx, b, "k", opts...)
		return err
	}
}

// Upload stores "k".
func Upload(opts ...storage.UploadOption) Call {
	return func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
		_, err := b.Upload(ctx, "k", strings.NewReader("hello"), opts...)
		return err
	}
}

// Remove removes "k".
func Remove(opts ...storage.RemoveOption) Call {
	return func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
		return b.Remove(ctx, "k", opts...)
	}
}

// Copy copies "s" onto "k".
func Copy(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	_, err := storage.Copy(ctx, b, "k", b, "s")
	return err
}

// List lists up to the first entry.
func List(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	for _, err := range b.List(ctx) {
		return err
	}
	return nil
}

// SetTags gives "k" a tag.
func SetTags(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	return storage.SetTags(ctx, b, "k", map[string]string{"a": "b"})
}

// CreateBucket creates the bucket "photos".
func CreateBucket(ctx context.Context, _ storage.Bucket, s storage.Service) error {
	_, err := s.CreateBucket(ctx, "photos")
	return err
}

// DeleteBucket deletes the bucket "photos".
func DeleteBucket(ctx context.Context, _ storage.Bucket, s storage.Service) error {
	return s.DeleteBucket(ctx, "photos")
}

// ReadBucket describes the bucket "photos".
func ReadBucket(ctx context.Context, _ storage.Bucket, s storage.Service) error {
	_, err := s.BucketInfo(ctx, "photos")
	return err
}

// RequireAnswer requires that err is what a caller must learn from an answer. hint is a part of
// the Hint; source is where the answer is documented or recorded.
func RequireAnswer(t *testing.T, err error, want storage.Code, retryable bool, hint, source string) *storage.Error {
	t.Helper()
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.Code, "%v (%s)", err, source)
	require.Equal(t, retryable, e.Retryable, "%v", err)
	require.Contains(t, e.Hint, hint)
	return e
}

package wiretest

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A Call makes one operation on a bucket or on its account. A table of recorded responses uses it
// to say which operation received the response.
type Call func(ctx context.Context, b storage.Bucket, s storage.Service) error

// Attrs returns a Call that reads the attributes of the object "k".
func Attrs(opts ...storage.AttrsOption) Call {
	return func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
		_, err := b.Attrs(ctx, "k", opts...)
		return err
	}
}

// Download returns a Call that downloads the object "k".
func Download(opts ...storage.DownloadOption) Call {
	return func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
		_, _, err := storage.ReadAll(ctx, b, "k", opts...)
		return err
	}
}

// Upload returns a Call that uploads an object "k".
func Upload(opts ...storage.UploadOption) Call {
	return func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
		_, err := b.Upload(ctx, "k", strings.NewReader("hello"), opts...)
		return err
	}
}

// Remove returns a Call that removes the object "k".
func Remove(opts ...storage.RemoveOption) Call {
	return func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
		return b.Remove(ctx, "k", opts...)
	}
}

// Copy is a [Call] that copies the object "s" to "k".
func Copy(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	_, err := storage.Copy(ctx, b, "k", b, "s")
	return err
}

// List is a [Call] that lists the bucket, but reads only the first entry.
func List(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	for _, err := range b.List(ctx) {
		return err
	}
	return nil
}

// SetTags is a [Call] that sets a tag of the object "k".
func SetTags(ctx context.Context, b storage.Bucket, _ storage.Service) error {
	return storage.SetTags(ctx, b, "k", map[string]string{"a": "b"})
}

// CreateBucket is a [Call] that creates the bucket "photos".
func CreateBucket(ctx context.Context, _ storage.Bucket, s storage.Service) error {
	_, err := s.CreateBucket(ctx, "photos")
	return err
}

// DeleteBucket is a [Call] that deletes the bucket "photos".
func DeleteBucket(ctx context.Context, _ storage.Bucket, s storage.Service) error {
	return s.DeleteBucket(ctx, "photos")
}

// ReadBucket is a [Call] that requests the settings of the bucket "photos".
func ReadBucket(ctx context.Context, _ storage.Bucket, s storage.Service) error {
	_, err := s.BucketInfo(ctx, "photos")
	return err
}

// RequireAnswer requires that err is what a caller must get for a recorded response. hint may be a
// part of the whole hint. source says in a failure message where the response was recorded or
// documented.
func RequireAnswer(t *testing.T, err error, want storage.Code, retryable bool, hint, source string) *storage.Error {
	t.Helper()
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, want, storageErr.Code, "%v (%s)", err, source)
	require.Equal(t, retryable, storageErr.Retryable, "%v", err)
	require.Contains(t, storageErr.Hint, hint)
	return storageErr
}

package gocloud_test

import (
	"testing"

	"gocloud.dev/blob"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/gocloud"
	"github.com/omnibucket/storage/adapters/internal/testing/needs"
)

// writeCopyAndRead uses an adapter without options.
func writeCopyAndRead(t *testing.T, b storage.Bucket) (finish func() error, err error) {
	bucket := gocloud.OpenBucket(b)
	finish = func() error {
		if err := bucket.WriteAll(t.Context(), "a", []byte("abc"), nil); err != nil {
			return err
		}
		if err := bucket.Copy(t.Context(), "b", "a", nil); err != nil {
			return err
		}
		if _, err := bucket.ReadAll(t.Context(), "b"); err != nil {
			return err
		}
		return bucket.Delete(t.Context(), "a")
	}
	return finish, nil
}

// beginWrite returns a function that begins a write with options.
func beginWrite(o *blob.WriterOptions) needs.Begin {
	return func(t *testing.T, b storage.Bucket) (func() error, error) {
		w, err := gocloud.OpenBucket(b).NewWriter(t.Context(), "a", o)
		if err != nil {
			return nil, err
		}
		return func() error {
			if _, err := w.Write([]byte("abc")); err != nil {
				return err
			}
			return w.Close()
		}, nil
	}
}

// The adapter needs no optional features but those that the options of a write name.
func TestOpenBucketAsksForItsFeatures(t *testing.T) {
	// Check calls each function on stores that lack one feature each. The function must fail,
	// before it writes, for exactly those features that its row of needs.txt lists.
	needs.Check(t, "adapters/gocloud.OpenBucket", writeCopyAndRead)
	needs.Check(t, "adapters/gocloud with IfNotExist", beginWrite(&blob.WriterOptions{
		ContentType: "text/plain",
		IfNotExist:  true,
	}))
	needs.Check(t, "adapters/gocloud with CacheControl", beginWrite(&blob.WriterOptions{
		ContentType:  "text/plain",
		CacheControl: "no-cache",
	}))
	needs.Check(t, "adapters/gocloud with Metadata", beginWrite(&blob.WriterOptions{
		ContentType: "text/plain",
		Metadata:    map[string]string{"a": "b"},
	}))
}

package objstore_test

import (
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/needs"
	"github.com/omnibucket/storage/adapters/objstore"
)

// A bucket without optional features is enough to upload, list, read and delete objects.
func TestNewAsksForItsFeatures(t *testing.T) {
	// Check calls this function on stores that lack one feature each. Then it calls the function
	// that this one returns.
	needs.Check(t, "adapters/objstore.New", func(t *testing.T, b storage.Bucket) (func() error, error) {
		bucket := objstore.New(b, objstore.Config{})
		return func() error {
			if err := bucket.Upload(t.Context(), "a", strings.NewReader("abc")); err != nil {
				return err
			}
			if err := bucket.Iter(t.Context(), "", func(string) error { return nil }); err != nil {
				return err
			}
			r, err := bucket.GetRange(t.Context(), "a", 1, 1)
			if err != nil {
				return err
			}
			if err := r.Close(); err != nil {
				return err
			}
			return bucket.Delete(t.Context(), "a")
		}, nil
	})
}

package certmagic

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/needs"
)

// A bucket with only the features that New asks for is enough to lock and store.
func TestNewAsksForItsFeatures(t *testing.T) {
	// Check calls this function on stores that lack one feature each. Then it calls the function
	// that this one returns.
	needs.Check(t, "adapters/certmagic.New", func(t *testing.T, b storage.Bucket) (func() error, error) {
		s, err := New(b)
		if err != nil {
			return nil, err
		}
		return func() error {
			if err := s.Lock(t.Context(), "a"); err != nil {
				return err
			}
			if err := s.Store(t.Context(), "a", []byte("abc")); err != nil {
				return err
			}
			return s.Unlock(t.Context(), "a")
		}, nil
	})
}

// New refuses a nil bucket.
func TestNewNil(t *testing.T) {
	_, err := New(nil)
	require.ErrorIs(t, err, storage.InvalidArgument)
}

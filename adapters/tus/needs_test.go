package tus

import (
	"strings"
	"testing"

	"github.com/tus/tusd/v2/pkg/handler"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/needs"
)

// The adapter needs only the features that New asks for.
func TestNewAsksForItsFeatures(t *testing.T) {
	// Check calls this function on stores that lack one feature each. Then it calls the function
	// that this one returns.
	needs.Check(t, "adapters/tus.New", func(t *testing.T, bucket storage.Bucket) (func() error, error) {
		s, err := New(bucket, Config{})
		if err != nil {
			return nil, err
		}
		return func() error {
			u, err := s.NewUpload(t.Context(), handler.FileInfo{
				Size:     3,
				MetaData: handler.MetaData{"filetype": "text/plain"},
			})
			if err != nil {
				return err
			}
			if _, err := u.WriteChunk(t.Context(), 0, strings.NewReader("abc")); err != nil {
				return err
			}
			return u.FinishUpload(t.Context())
		}, nil
	})
}

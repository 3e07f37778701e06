package distribution

import (
	"net/http/httptest"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/needs"
)

// A bucket with only the features that New asks for is enough to write, move, redirect to and delete files.
func TestNewAsksForItsFeatures(t *testing.T) {
	// Check calls this function on stores that lack one feature each. Then it calls the function
	// that this one returns.
	needs.Check(t, "adapters/distribution.New", func(t *testing.T, b storage.Bucket) (func() error, error) {
		d, err := New(b)
		if err != nil {
			return nil, err
		}
		return func() error {
			w, err := d.Writer(t.Context(), "/a", false)
			if err != nil {
				return err
			}
			if _, err := w.Write([]byte("abc")); err != nil {
				return err
			}
			if err := w.Commit(t.Context()); err != nil {
				return err
			}
			if err := d.Move(t.Context(), "/a", "/b"); err != nil {
				return err
			}
			if _, err := d.RedirectURL(httptest.NewRequest("GET", "/", nil), "/b"); err != nil {
				return err
			}
			return d.Delete(t.Context(), "/b")
		}, nil
	})
}

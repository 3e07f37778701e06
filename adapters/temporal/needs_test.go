package temporal

import (
	"testing"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/needs"
)

// A bucket without optional features is enough to store and retrieve payloads.
func TestNewAsksForItsFeatures(t *testing.T) {
	// Check calls this function on stores that lack one feature each. Then it calls the function
	// that this one returns.
	needs.Check(t, "adapters/temporal.New", func(t *testing.T, b storage.Bucket) (func() error, error) {
		d, err := New(b, Config{})
		if err != nil {
			return nil, err
		}
		return func() error {
			claims, err := d.Store(converter.StorageDriverStoreContext{Context: t.Context()},
				[]*common.Payload{payload("abc")})
			if err != nil {
				return err
			}
			_, err = d.Retrieve(converter.StorageDriverRetrieveContext{Context: t.Context()}, claims)
			return err
		}, nil
	})
}

package driver_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/readonly"
	"github.com/omnibucket/storage/memstore"
)

// The layers of a service are around the private objects of a bucket, too.
func TestServiceWithLayersKeepsPrivateObjects(t *testing.T) {
	memory := memstore.NewServiceDriver(memstore.ServiceConfig{})
	_, err := memory.CreateBucket(t.Context(), &driver.BucketRequest{Name: "photos"})
	require.NoError(t, err)

	layered := driver.ServiceWithLayers(memory, readonly.New(readonly.Config{}))
	require.Implements(t, (*driver.PrivateDriver)(nil), layered)
	private, err := layered.(driver.PrivateDriver).PrivateDriver(t.Context(), "photos", true)
	require.NoError(t, err)
	defer private.Close()
	_, err = private.Put(t.Context(), &driver.PutRequest{Key: "settings", Body: strings.NewReader("x"), Size: 1})
	require.ErrorIs(t, err, storage.PermissionDenied, "the layer must refuse changes")
}

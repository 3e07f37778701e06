package revisions

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// SameProperties compares all properties except the storage class, and SameHeaders also leaves out the
// metadata.
func TestSameComparesAllButTheStorageClass(t *testing.T) {
	properties := reflect.TypeFor[storage.Properties]()
	for i := range properties.NumField() {
		name := properties.Field(i).Name
		t.Run(name, func(t *testing.T) {
			var a, b storage.Properties
			field := reflect.ValueOf(&a).Elem().Field(i)
			if name == "Metadata" {
				a.Metadata = map[string]string{"a": "x"}
			} else {
				field.SetString("x")
			}
			require.Equal(t, name == "StorageClass", SameProperties(&a, &b))
			require.Equal(t, name == "StorageClass" || name == "Metadata", SameHeaders(&a, &b))
			require.True(t, SameProperties(&a, &a))
		})
	}
	empty := &storage.Properties{Metadata: map[string]string{}}
	require.True(t, SameProperties(empty, &storage.Properties{}), "no metadata")
}

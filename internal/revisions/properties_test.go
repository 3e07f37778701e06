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
			// a and none differ only in one property.
			var a, none storage.Properties
			if name == "Metadata" {
				a.Metadata = map[string]string{"a": "x"}
			} else {
				reflect.ValueOf(&a).Elem().Field(i).SetString("x")
			}

			isStorageClass := name == "StorageClass"
			isMetadata := name == "Metadata"
			require.Equal(t, isStorageClass, SameProperties(&a, &none))
			require.Equal(t, isStorageClass || isMetadata, SameHeaders(&a, &none))
			require.True(t, SameProperties(&a, &a))
		})
	}
}

// An empty map of metadata is the same as none.
func TestSameWithoutMetadata(t *testing.T) {
	empty := &storage.Properties{Metadata: map[string]string{}}
	require.True(t, SameProperties(empty, &storage.Properties{}))
}

package revisions

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// SameProperties compares all properties but the storage class, and SameHeaders all but the storage
// class and the metadata.
func TestSameComparesAllButTheStorageClass(t *testing.T) {
	properties := reflect.TypeFor[storage.Properties]()
	for i := range properties.NumField() {
		name := properties.Field(i).Name
		t.Run(name, func(t *testing.T) {
			isStorageClass := name == "StorageClass"
			isMetadata := name == "Metadata"

			// withOne differs from empty in one property.
			var withOne, empty storage.Properties
			if isMetadata {
				withOne.Metadata = map[string]string{"a": "x"}
			} else {
				reflect.ValueOf(&withOne).Elem().Field(i).SetString("x")
			}

			require.Equal(t, isStorageClass, SameProperties(&withOne, &empty))
			require.Equal(t, isStorageClass || isMetadata, SameHeaders(&withOne, &empty))
			require.True(t, SameProperties(&withOne, &withOne))
		})
	}
}

// An empty map of metadata is the same as none.
func TestSameWithoutMetadata(t *testing.T) {
	empty := &storage.Properties{Metadata: map[string]string{}}
	require.True(t, SameProperties(empty, &storage.Properties{}))
}

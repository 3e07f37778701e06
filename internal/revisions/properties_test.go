package properties

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

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
			require.Equal(t, name == "StorageClass", Same(&a, &b))
			require.Equal(t, name == "StorageClass" || name == "Metadata", SameHeaders(&a, &b))
			require.True(t, Same(&a, &a))
		})
	}
	require.True(t, Same(&storage.Properties{Metadata: map[string]string{}}, &storage.Properties{}), "no metadata")
}

package rights

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// The tables have a row for each method of Bucket, Core and Service, because a method without a row
// would need no permission.
func TestTablesHaveEachMethod(t *testing.T) {
	bucketMethods := namesOfMethods(reflect.TypeFor[storage.Bucket]())
	require.Equal(t, bucketMethods, slices.Sorted(maps.Keys(methods)))

	// A Core also has methods that a Bucket has. The table "methods" has these, and coreMethods has
	// the others.
	onlyOfCore := slices.DeleteFunc(namesOfMethods(reflect.TypeFor[storage.Core]()), func(name string) bool {
		return slices.Contains(bucketMethods, name)
	})
	require.Equal(t, onlyOfCore, slices.Sorted(maps.Keys(coreMethods)))

	ofService := namesOfMethods(reflect.TypeFor[storage.Service]())
	require.Equal(t, ofService, slices.Sorted(maps.Keys(serviceMethods)))
}

// namesOfMethods returns the sorted names of the methods of an interface.
func namesOfMethods(typ reflect.Type) (all []string) {
	for method := range typ.Methods() {
		all = append(all, method.Name)
	}
	return all
}

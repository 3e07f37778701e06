package rights

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// The tables have a row for each method of Bucket, Core and Service. A method without a row would need no
// permission.
func TestTablesHaveEachMethod(t *testing.T) {
	bucket := namesOfMethods(reflect.TypeFor[storage.Bucket]())
	require.Equal(t, bucket, slices.Sorted(maps.Keys(methods)))
	isOfBucket := func(name string) bool { return slices.Contains(bucket, name) }
	core := slices.DeleteFunc(namesOfMethods(reflect.TypeFor[storage.Core]()), isOfBucket)
	require.Equal(t, core, slices.Sorted(maps.Keys(coreMethods)))
	require.Equal(t, namesOfMethods(reflect.TypeFor[storage.Service]()),
		slices.Sorted(maps.Keys(serviceMethods)))
}

// namesOfMethods returns the sorted names of the methods of an interface.
func namesOfMethods(typ reflect.Type) (all []string) {
	for method := range typ.Methods() {
		all = append(all, method.Name)
	}
	return all
}

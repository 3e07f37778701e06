package memstore

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The table and the tree of an index agree.
func TestIndexTableAndTreeAgree(t *testing.T) {
	x := newIndex()
	first := &object{key: "b"}
	second := &object{key: "b"}

	other := &object{key: "a"}
	require.Nil(t, x.get("b"))
	require.Nil(t, x.set(first))
	require.Nil(t, x.set(other))
	require.Same(t, first, x.set(second), "the previous object")
	require.Same(t, second, x.get("b"))
	require.Equal(t, []*object{other, second}, objectsInOrder(&x), "in the order of keys, with the newest of each")
	require.Equal(t, 2, x.len())

	x.remove("a")
	x.remove("nothing")
	require.Nil(t, x.get("a"))
	require.Equal(t, []*object{second}, objectsInOrder(&x))
	require.Nil(t, x.set(other), "it was removed")
	require.Equal(t, []*object{other, second}, objectsInOrder(&x))
}

// objectsInOrder returns the objects of an index in the order of its tree.
func objectsInOrder(x *index) []*object {
	var objects []*object
	keys := x.iter()
	for hasMore := keys.First(); hasMore; hasMore = keys.Next() {
		objects = append(objects, keys.Value().object)
	}
	return objects
}

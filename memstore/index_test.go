package memstore

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// An index finds the same objects by key and in the order of keys, after objects are set, replaced and removed.
func TestIndexTableAndTreeAgree(t *testing.T) {
	x := newIndex()
	a := &object{key: "a"}
	oldB := &object{key: "b"}
	newB := &object{key: "b"}

	// set returns the previous object of the key.
	require.Nil(t, x.get("b"))
	require.Nil(t, x.set(oldB))
	require.Nil(t, x.set(a))
	require.Same(t, oldB, x.set(newB))
	require.Same(t, newB, x.get("b"))
	require.Equal(t, []*object{a, newB}, objectsInOrder(&x))
	require.Equal(t, 2, x.len())

	x.remove("a")
	x.remove("missing")
	require.Nil(t, x.get("a"))
	require.Equal(t, []*object{newB}, objectsInOrder(&x))

	require.Nil(t, x.set(a))
	require.Equal(t, []*object{a, newB}, objectsInOrder(&x))
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

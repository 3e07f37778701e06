package memstore

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// An index finds the same objects by key and in the order of keys, after objects are set, replaced and removed.
func TestIndexTableAndTreeAgree(t *testing.T) {
	index := newIndex()
	a := &object{key: "a"}
	oldB := &object{key: "b"}
	newB := &object{key: "b"}

	// set returns the previous object of the key.
	require.Nil(t, index.get("b"))
	require.Nil(t, index.set(oldB))
	require.Nil(t, index.set(a))
	require.Same(t, oldB, index.set(newB))
	require.Same(t, newB, index.get("b"))
	require.Equal(t, []*object{a, newB}, objectsInOrder(&index))
	require.Equal(t, 2, index.len())

	// A removal of a missing key changes nothing.
	index.remove("a")
	index.remove("missing")
	require.Nil(t, index.get("a"))
	require.Equal(t, []*object{newB}, objectsInOrder(&index))

	// An object that was removed can be set again.
	require.Nil(t, index.set(a))
	require.Equal(t, []*object{a, newB}, objectsInOrder(&index))
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

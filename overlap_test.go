package storage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A wrapped bucket is a type of a user's own; unlike says that two are never equal.
type (
	wrapped struct{ storage.Bucket }
	unlike  struct {
		storage.Bucket
		_ []int
	}
)

func TestOverlap(t *testing.T) {
	account := memstore.NewService(memstore.ServiceConfig{})
	open := func(name string) storage.Bucket {
		b, err := account.Bucket(name)
		require.NoError(t, err)
		return b
	}
	b := open("photos")
	own := wrapped{b}
	for name, c := range map[string]struct {
		a, b any
		want bool
	}{
		"a bucket and itself":            {b, b, true},
		"the same, opened twice":         {b, open("photos"), true},
		"a narrowed one":                 {b, storage.Ref[storage.Lister](b), true},
		"a part":                         {b, storage.Prefixed(b, "2026/"), true},
		"a part of a part":               {storage.Prefixed(b, "2026/"), storage.Prefixed(storage.Prefixed(b, "2026/"), "11/"), true},
		"parts beside each other":        {storage.Prefixed(b, "2026/"), storage.Prefixed(b, "2025/"), false},
		"another bucket":                 {b, open("videos"), false},
		"another account's of that name": {b, memstore.New(), false},
		"a type of a user's":             {own, own, true},
		"a part of that":                 {own, storage.Prefixed(own, "2026/"), true},
		"another of that type":           {own, wrapped{open("videos")}, false},
		"types that do not compare":      {unlike{Bucket: b}, unlike{Bucket: b}, false},
		"nothing":                        {nil, nil, false},
		"no bucket":                      {b, 42, false},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, [2]bool{c.want, c.want}, [2]bool{storage.Overlap(c.a, c.b), storage.Overlap(c.b, c.a)})
		})
	}
}

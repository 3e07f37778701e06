package mirror_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/foldermarker"
	"github.com/omnibucket/storage/layers/mirror"
)

// A markedPair has markers of folders in either store.
type markedPair struct {
	primary, second driver.Driver
	b               storage.Bucket
}

// newMarkedPair returns a mirror of two kinds of stores.
func newMarkedPair(t *testing.T, primary, second string) *markedPair {
	p := &markedPair{primary: kindsOfStores[primary](t), second: kindsOfStores[second](t)}
	p.b = newMirror(t, p.primary, engine.New(p.second))
	return p
}

// objectsOf returns the keys of a store without those of the layer.
func objectsOf(t *testing.T, d driver.Driver) (keys []string) {
	for _, key := range foldermarker.Keys(t, engine.New(d)) {
		if !strings.HasPrefix(key, mirror.NotesPrefix) {
			keys = append(keys, key)
		}
	}
	return keys
}

// RepairAll copies a folder marker of the primary as an object, unless the second store is a directory. It keeps
// markers that only the second store has.
func TestRepairAllCopiesMarkersOfFolders(t *testing.T) {
	// A key that ends in "/" is that of a marker.
	tests := []struct {
		name          string
		primary       string   // kind of the primary store
		second        string   // kind of the second store
		inPrimary     []string // keys before RepairAll
		inSecond      []string
		opts          []mirror.RepairOption
		wantReport    mirror.Report
		wantInPrimary []string // keys after RepairAll
		wantInSecond  []string
	}{
		{
			name:          "a marker in the primary",
			primary:       "memory",
			second:        "memory",
			inPrimary:     []string{"a/", "a/b"},
			wantReport:    mirror.Report{Repaired: 2},
			wantInPrimary: []string{"a/", "a/b"},
			wantInSecond:  []string{"a/", "a/b"},
		},
		{
			name:          "a marker in both stores",
			primary:       "memory",
			second:        "memory",
			inPrimary:     []string{"a/", "a/b"},
			inSecond:      []string{"a/"},
			wantReport:    mirror.Report{Repaired: 2},
			wantInPrimary: []string{"a/", "a/b"},
			wantInSecond:  []string{"a/", "a/b"},
		},
		{
			name:          "markers in the second store",
			primary:       "memory",
			second:        "memory",
			inPrimary:     []string{"a/b"},
			inSecond:      []string{"a/", "c/"},
			wantReport:    mirror.Report{Repaired: 1, Ignored: 2},
			wantInPrimary: []string{"a/b"},
			wantInSecond:  []string{"a/", "a/b", "c/"},
		},
		{
			name:          "a marker in the second store, and WithPrimaryRight",
			primary:       "memory",
			second:        "memory",
			inPrimary:     []string{"a/b"},
			inSecond:      []string{"a/"},
			opts:          []mirror.RepairOption{mirror.WithPrimaryRight()},
			wantReport:    mirror.Report{Repaired: 2, Removed: 1},
			wantInPrimary: []string{"a/b"},
			wantInSecond:  []string{"a/b"},
		},
		{
			name:          "a marker in the primary, and a directory as the second store",
			primary:       "memory",
			second:        "directory",
			inPrimary:     []string{"a/", "a/b"},
			wantReport:    mirror.Report{Repaired: 1, Ignored: 1},
			wantInPrimary: []string{"a/", "a/b"},
			wantInSecond:  []string{"a/b"},
		},
		{
			name:          "a marker in the second store, and a directory as the primary",
			primary:       "directory",
			second:        "memory",
			inPrimary:     []string{"a/b"},
			inSecond:      []string{"a/"},
			wantReport:    mirror.Report{Repaired: 1, Ignored: 1},
			wantInPrimary: []string{"a/b"},
			wantInSecond:  []string{"a/", "a/b"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newMarkedPair(t, tt.primary, tt.second)
			foldermarker.Plant(t, p.primary, tt.inPrimary...)
			foldermarker.Plant(t, p.second, tt.inSecond...)
			report, err := mirror.RepairAll(t.Context(), p.b, tt.opts...)
			require.NoError(t, err)
			require.Equal(t, tt.wantReport, report)

			// Further calls of RepairAll know that the stores were equal. They change nothing.
			for range 2 {
				report, err = mirror.RepairAll(t.Context(), p.b)
				require.NoError(t, err)
				require.Equal(t, mirror.Report{Ignored: tt.wantReport.Ignored}, report)
				require.Equal(t, tt.wantInPrimary, objectsOf(t, p.primary))
				require.Equal(t, tt.wantInSecond, objectsOf(t, p.second))
			}
		})
	}
}

// One store of a mirror has folder markers, and the other one is a directory, which has none. They
// can swap roles and swap back. RepairAll ignores the marker in both roles.
func TestSwapWithMarkersOfFolders(t *testing.T) {
	// The primary has the marker "a/" and an object. RepairAll has copied the object to the directory.
	p := newMarkedPair(t, "memory", "directory")
	foldermarker.Plant(t, p.primary, "a/", "a/b")
	_, err := mirror.RepairAll(t.Context(), p.b)
	require.NoError(t, err)

	// Swap the roles, and swap them back. Each store keeps its keys.
	swapped := newMirror(t, p.second, engine.New(p.primary))
	for _, b := range []storage.Bucket{swapped, p.b} {
		report, err := mirror.RepairAll(t.Context(), b)
		require.NoError(t, err)
		require.EqualValues(t, 1, report.Ignored)
		require.Zero(t, report.Removed)
		require.Equal(t, []string{"a/", "a/b"}, objectsOf(t, p.primary))
		require.Equal(t, []string{"a/b"}, objectsOf(t, p.second))
	}
}

// A directory cannot store an object whose key ends in "/" if the object has content. RepairAll
// counts such an object as failed.
func TestRepairAllReportsAnObjectNamedLikeAFolder(t *testing.T) {
	p := newMarkedPair(t, "memory", "directory")
	_, err := p.primary.Put(t.Context(), &driver.PutRequest{
		Key:  "a/",
		Body: strings.NewReader("text"),
		Size: 4,
	})
	require.NoError(t, err)

	report, err := mirror.RepairAll(t.Context(), p.b)
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Equal(t, mirror.Report{Failed: 1}, report)
}

// If a folder marker is removed through the mirror, it disappears from both stores. If one is written through the
// mirror, no note about the write stays in the primary.
func TestRemoveMarkerOfFolder(t *testing.T) {
	for _, second := range []string{"memory", "directory"} {
		t.Run(second, func(t *testing.T) {
			p := newMarkedPair(t, "memory", second)
			foldermarker.Plant(t, p.primary, "a/")
			_, err := mirror.RepairAll(t.Context(), p.b)
			require.NoError(t, err)

			// A removal of the marker reaches both stores.
			require.NoError(t, p.b.Remove(t.Context(), "a/"))
			require.Empty(t, objectsOf(t, p.primary))
			require.Empty(t, objectsOf(t, p.second))

			// The driver writes the marker, because the engine refuses its key. With Sync, the
			// write has ended in both stores when Put returns. So its note must be gone.
			layer := newLayer(t, engine.New(p.second), mirror.Config{Sync: true})
			_, err = layer(p.primary).Put(t.Context(), &driver.PutRequest{Key: "a/", Body: strings.NewReader("")})
			require.NoError(t, err)
			state, err := mirror.Status(t.Context(), p.b)
			require.NoError(t, err)
			require.Zero(t, state.Notes)
		})
	}
}

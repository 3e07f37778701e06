package evidence

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/bindmount"
)

// If a directory is mounted at a second path, Below, Apart and Meetings treat both paths as one directory.
func TestMountsOfOneFileSystem(t *testing.T) {
	for _, row := range []struct {
		name, from, at string // a mount of one path of the top at another one
		inner, outer   string
		below          string // the prefix, or "-" if inner does not lie in outer
		apart          bool
		meets          bool
	}{
		{"of an end in the other", "data", "outer/z", "data", "outer", "z/", false, true},
		{"of a directory above an end", "above", "outer/z", "above/data", "outer", "z/data/", false, true},
		{"of an end at the other's path", "data", "outer", "data", "outer", "", false, true},
		{"at a path with a space", "data", "outer/a b", "data", "outer", "a b/", false, true},
		{"at a path that is not there yet", "above", "outer/z", "above/new/data", "outer", "z/new/data/", false, true},
		{"of a part of an end", "data/part", "outer/z", "data", "outer", "-", false, true},
		{"of another directory", "third", "outer/z", "data", "outer", "-", true, false},
		{"elsewhere", "third", "fourth", "data", "outer", "-", true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			top := t.TempDir()
			for _, dir := range []string{"data/part", "outer", "third", "above"} {
				require.NoError(t, os.MkdirAll(filepath.Join(top, dir), 0o777))
			}
			bindmount.Make(t, filepath.Join(top, row.from), filepath.Join(top, row.at))
			at := func(dir string) []Place { return []Place{{Directory: filepath.Join(top, dir), Direct: true}} }
			prefix, ok := Below(at(row.inner), at(row.outer))
			require.Equal(t, row.below != "-", ok)
			if ok {
				require.Equal(t, row.below, prefix)
			}
			require.Equal(t, row.apart, Apart(at(row.inner), at(row.outer)))
			require.Equal(t, row.apart, Apart(at(row.outer), at(row.inner)))
			require.Equal(t, row.meets, len(Meetings(at(row.inner), at(row.outer))) > 0)
		})
	}
}

// If a later mount hides an earlier one, only the later one counts.
func TestMountsHidden(t *testing.T) {
	top := t.TempDir()
	for _, dir := range []string{"data", "outer/x/y", "third"} {
		require.NoError(t, os.MkdirAll(filepath.Join(top, dir), 0o777))
	}
	bindmount.Make(t, filepath.Join(top, "data"), filepath.Join(top, "outer/x/y"))
	bindmount.Make(t, filepath.Join(top, "third"), filepath.Join(top, "outer/x"))
	data := []Place{{Directory: filepath.Join(top, "data"), Direct: true}}
	outer := []Place{{Directory: filepath.Join(top, "outer"), Direct: true}}
	_, below := Below(data, outer)
	require.False(t, below)
	require.True(t, Apart(data, outer))
}

// If a folder of a bucket is mounted at another folder, Apart and Beside return false for the two folders.
func TestMountsOfFolders(t *testing.T) {
	top := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(top, "a"), 0o777))
	at := func(prefix string) []Place {
		return []Place{{Account: 1, Bucket: "b", Directory: top, Prefix: prefix, Direct: true}}
	}
	require.True(t, Apart(at("a/"), at("b/")))
	bindmount.Make(t, filepath.Join(top, "a"), filepath.Join(top, "b"))
	require.False(t, Apart(at("a/"), at("b/")))
	require.False(t, Beside(at("a/"), at("b/")))
}

// If another file system is mounted in a directory, no other directory counts as apart from it. That file system
// may belong to a server that shows the other directory.
func TestMountsOfOtherFileSystems(t *testing.T) {
	data := t.TempDir()
	outer := t.TempDir()
	bindmount.Make(t, "/proc", filepath.Join(outer, "z"))
	require.False(t, Apart([]Place{{Directory: data, Direct: true}}, []Place{{Directory: outer, Direct: true}}))
}

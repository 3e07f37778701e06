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
	tests := []struct {
		name  string
		from  string // the directory that is mounted
		at    string // where it is mounted
		inner string
		outer string
		below string // the prefix of inner in outer, or "-" if it does not lie there
		apart bool
		meets bool
	}{
		{
			name:  "inner directory mounted in the outer one",
			from:  "data",
			at:    "outer/z",
			inner: "data",
			outer: "outer",
			below: "z/",
			meets: true,
		},
		{
			name:  "parent of the inner directory mounted in the outer one",
			from:  "above",
			at:    "outer/z",
			inner: "above/data",
			outer: "outer",
			below: "z/data/",
			meets: true,
		},
		{
			name:  "inner directory mounted at the path of the outer one",
			from:  "data",
			at:    "outer",
			inner: "data",
			outer: "outer",
			meets: true,
		},
		{
			name:  "mount point with a space",
			from:  "data",
			at:    "outer/a b",
			inner: "data",
			outer: "outer",
			below: "a b/",
			meets: true,
		},
		{
			name:  "inner directory that does not exist yet",
			from:  "above",
			at:    "outer/z",
			inner: "above/new/data",
			outer: "outer",
			below: "z/new/data/",
			meets: true,
		},
		{
			name:  "subdirectory of the inner directory mounted",
			from:  "data/part",
			at:    "outer/z",
			inner: "data",
			outer: "outer",
			below: "-",
			meets: true,
		},
		{
			name:  "third directory mounted in the outer one",
			from:  "third",
			at:    "outer/z",
			inner: "data",
			outer: "outer",
			below: "-",
			apart: true,
		},
		{
			name:  "mount outside of both directories",
			from:  "third",
			at:    "fourth",
			inner: "data",
			outer: "outer",
			below: "-",
			apart: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			top := t.TempDir()
			for _, dir := range []string{"data/part", "outer", "third", "above"} {
				require.NoError(t, os.MkdirAll(filepath.Join(top, dir), 0o777))
			}
			bindmount.Make(t, filepath.Join(top, tt.from), filepath.Join(top, tt.at))
			inner := []Place{{Directory: filepath.Join(top, tt.inner), Direct: true}}
			outer := []Place{{Directory: filepath.Join(top, tt.outer), Direct: true}}

			prefix, ok := Below(inner, outer)
			require.Equal(t, tt.below != "-", ok)
			if ok {
				require.Equal(t, tt.below, prefix)
			}
			require.Equal(t, tt.apart, Apart(inner, outer))
			require.Equal(t, tt.apart, Apart(outer, inner))
			require.Equal(t, tt.meets, len(Meetings(inner, outer)) > 0)
		})
	}
}

// If a later mount hides an earlier one, only the later one counts.
func TestMountsHidden(t *testing.T) {
	top := t.TempDir()
	for _, dir := range []string{"data", "outer/x/y", "third"} {
		require.NoError(t, os.MkdirAll(filepath.Join(top, dir), 0o777))
	}

	// The directory "third" is mounted on outer/x, and hides the mount of "data" below it.
	bindmount.Make(t, filepath.Join(top, "data"), filepath.Join(top, "outer/x/y"))
	bindmount.Make(t, filepath.Join(top, "third"), filepath.Join(top, "outer/x"))

	data := []Place{{Directory: filepath.Join(top, "data"), Direct: true}}
	outer := []Place{{Directory: filepath.Join(top, "outer"), Direct: true}}
	_, below := Below(data, outer)
	require.False(t, below)
	require.True(t, Apart(data, outer))
}

// Two folders of a bucket are neither Apart nor Beside each other if one is mounted at the other.
func TestMountsOfFolders(t *testing.T) {
	top := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(top, "a"), 0o777))
	a := []Place{{Account: 1, Bucket: "b", Directory: top, Prefix: "a/", Direct: true}}
	b := []Place{{Account: 1, Bucket: "b", Directory: top, Prefix: "b/", Direct: true}}
	require.True(t, Apart(a, b))

	bindmount.Make(t, filepath.Join(top, "a"), filepath.Join(top, "b"))
	require.False(t, Apart(a, b))
	require.False(t, Beside(a, b))
}

// If another file system is mounted in a directory, no other directory counts as apart from it. That file system may
// belong to a server that shows the other directory.
func TestMountsOfOtherFileSystems(t *testing.T) {
	dataDir := t.TempDir()
	outerDir := t.TempDir()
	bindmount.Make(t, "/proc", filepath.Join(outerDir, "mounted"))

	data := []Place{{Directory: dataDir, Direct: true}}
	outer := []Place{{Directory: outerDir, Direct: true}}
	require.False(t, Apart(data, outer))
}

package evidence

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/bindmount"
)

// If a directory is mounted at a second path, Below, Apart and SharedFolders treat both paths as one directory.
func TestMountsOfOneFileSystem(t *testing.T) {
	tests := []struct {
		name       string
		directory  string // which is mounted at mountPoint, too
		mountPoint string
		inner      string
		outer      string
		wantBelow  bool   // whether inner lies in outer
		wantPrefix string // of inner in outer
		wantApart  bool
		wantMeets  bool
	}{
		{
			name:       "inner directory mounted in the outer one",
			directory:  "data",
			mountPoint: "outer/z",
			inner:      "data",
			outer:      "outer",
			wantBelow:  true,
			wantPrefix: "z/",
			wantMeets:  true,
		},
		{
			name:       "parent of the inner directory mounted in the outer one",
			directory:  "above",
			mountPoint: "outer/z",
			inner:      "above/data",
			outer:      "outer",
			wantBelow:  true,
			wantPrefix: "z/data/",
			wantMeets:  true,
		},
		{
			name:       "inner directory mounted at the path of the outer one",
			directory:  "data",
			mountPoint: "outer",
			inner:      "data",
			outer:      "outer",
			wantBelow:  true,
			wantPrefix: "",
			wantMeets:  true,
		},
		{
			name:       "mount point with a space",
			directory:  "data",
			mountPoint: "outer/a b",
			inner:      "data",
			outer:      "outer",
			wantBelow:  true,
			wantPrefix: "a b/",
			wantMeets:  true,
		},
		{
			name:       "inner directory that does not exist yet",
			directory:  "above",
			mountPoint: "outer/z",
			inner:      "above/new/data",
			outer:      "outer",
			wantBelow:  true,
			wantPrefix: "z/new/data/",
			wantMeets:  true,
		},
		{
			name:       "subdirectory of the inner directory mounted",
			directory:  "data/part",
			mountPoint: "outer/z",
			inner:      "data",
			outer:      "outer",
			wantMeets:  true,
		},
		{
			name:       "third directory mounted in the outer one",
			directory:  "third",
			mountPoint: "outer/z",
			inner:      "data",
			outer:      "outer",
			wantApart:  true,
		},
		{
			name:       "mount outside of both directories",
			directory:  "third",
			mountPoint: "fourth",
			inner:      "data",
			outer:      "outer",
			wantApart:  true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			top := t.TempDir()
			for _, dir := range []string{"data/part", "outer", "third", "above"} {
				require.NoError(t, os.MkdirAll(filepath.Join(top, dir), 0o777))
			}
			bindmount.Make(t, filepath.Join(top, tt.directory), filepath.Join(top, tt.mountPoint))
			inner := []Place{{Directory: filepath.Join(top, tt.inner), Direct: true}}
			outer := []Place{{Directory: filepath.Join(top, tt.outer), Direct: true}}

			prefix, below := Below(inner, outer)
			require.Equal(t, tt.wantBelow, below)
			if below {
				require.Equal(t, tt.wantPrefix, prefix)
			}
			require.Equal(t, tt.wantApart, Apart(inner, outer))
			require.Equal(t, tt.wantApart, Apart(outer, inner))
			require.Equal(t, tt.wantMeets, len(SharedFolders(inner, outer)) > 0)
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

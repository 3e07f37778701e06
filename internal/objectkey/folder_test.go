package objectkey_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/objectkey"
)

// IsFolderMarker recognizes the keys of markers of folders: a folder's valid key, and a slash.
func TestIsFolderMarker(t *testing.T) {
	long := strings.Repeat("a/", 511)
	for key, is := range map[string]bool{
		"a/":                            true,
		"a/b/":                          true,
		"é/":                            true,
		"":                              false,
		"/":                             false,
		"a":                             false,
		"a/b":                           false,
		"a//":                           false,
		"/a/":                           false,
		"a./":                           false,
		"../":                           false,
		`a\/`:                           false,
		strings.Repeat("a", 1023) + "/": true,
		strings.Repeat("a", 1024) + "/": false,
		long:                            false,
	} {
		require.Equal(t, is, objectkey.IsFolderMarker(key), key)
	}
}

// If ctx allows markers, Checked returns the key of a marker without its final slash. Otherwise it returns the
// whole key.
func TestCheckedByTheNameOfTheFolder(t *testing.T) {
	for key, want := range map[string]string{"a/": "a", "a": "a", "a//": "a//", "/": "/"} {
		require.Equal(t, want, objectkey.Checked(objectkey.AllowFolderMarker(t.Context()), key))
		require.Equal(t, key, objectkey.Checked(t.Context(), key))
	}
}

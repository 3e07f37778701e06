package objectkey_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/objectkey"
)

// IsFolderMarker recognizes the key of a folder's marker, which is a valid key and a slash.
func TestIsFolderMarker(t *testing.T) {
	tests := []struct {
		name string
		key  string
		want bool
	}{
		{name: "a folder", key: "a/", want: true},
		{name: "a folder in a folder", key: "a/b/", want: true},
		{name: "a character of two bytes", key: "é/", want: true},
		{name: "the longest key", key: strings.Repeat("a", 1023) + "/", want: true},
		{name: "no key", key: "", want: false},
		{name: "only the slash", key: "/", want: false},
		{name: "no slash", key: "a", want: false},
		{name: "no slash at the end", key: "a/b", want: false},
		{name: "two slashes", key: "a//", want: false},
		{name: "a slash at the start", key: "/a/", want: false},
		{name: "a dot at the end", key: "a./", want: false},
		{name: "the folder above", key: "../", want: false},
		{name: "a backslash", key: `a\/`, want: false},
		{name: "a key that is too long", key: strings.Repeat("a", 1024) + "/", want: false},
		{name: "too many folders", key: strings.Repeat("a/", 511), want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, objectkey.IsFolderMarker(tt.key))
		})
	}
}

// Checked returns the key of a folder's marker without its slash if ctx allows markers, and
// otherwise the whole key.
func TestCheckedByTheNameOfTheFolder(t *testing.T) {
	tests := []struct {
		name         string
		key          string
		wantAsMarker string // the result if ctx allows markers
	}{
		{name: "a marker", key: "a/", wantAsMarker: "a"},
		{name: "an object", key: "a", wantAsMarker: "a"},
		{name: "two slashes", key: "a//", wantAsMarker: "a//"},
		{name: "only the slash", key: "/", wantAsMarker: "/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			withMarkers := objectkey.AllowFolderMarker(t.Context())
			require.Equal(t, tt.wantAsMarker, objectkey.Checked(withMarkers, tt.key))
			require.Equal(t, tt.key, objectkey.Checked(t.Context(), tt.key))
		})
	}
}

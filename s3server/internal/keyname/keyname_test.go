package keyname

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The name of each key can be converted back to the key. A segment that a directory does not permit is escaped, and
// begins with "!%".
func TestEscapeIsReversible(t *testing.T) {
	tests := []struct{ key, wantName string }{
		{key: "a/b.txt", wantName: "a/b.txt"},
		{key: "100%.txt", wantName: "100%.txt"},
		{key: "dir/", wantName: "dir/!%"},
		{key: "/", wantName: "!%/!%"},
		{key: "a//b", wantName: "a/!%/b"},
		{key: "/a", wantName: "!%/a"},
		{key: "a/./b", wantName: "a/!%%2E/b"},
		{key: "a/..", wantName: "a/!%.%2E"},
		{key: "end.", wantName: "!%end%2E"},
		{key: "tab\there", wantName: "!%tab%09here"},
		{key: `back\slash`, wantName: "!%back%5Cslash"},
		{key: "!%", wantName: "!%!%25"},
		{key: "!%x", wantName: "!%!%25x"},
		{key: "50%\x01", wantName: "!%50%25%01"},
		{key: "\uffff", wantName: "!%%EF%BF%BF"},
		{key: "\ufffd", wantName: "\ufffd"},
		{key: "é/日本/", wantName: "é/日本/!%"},
		{key: " a/!b/!!c", wantName: " a/!b/!!c"},
		{key: "bad\xffutf8", wantName: "!%bad%FFutf8"},
	}
	for _, tt := range tests {
		t.Run(strconv.Quote(tt.key), func(t *testing.T) {
			name := Naming{}.Escape(tt.key)
			require.Equal(t, tt.wantName, name)
			requireKey(t, tt.key, Naming{}, name)
		})
	}
}

// Unescape refuses a name that Escape never returns.
func TestUnescapeRefuses(t *testing.T) {
	for _, name := range []string{"!%a", "!%%2", "!%%2e", "!%%%x", Mark + "%s3server/bucket"} {
		_, ok := Naming{}.Unescape(name, false)
		require.False(t, ok, "%q", name)
	}
}

// Over a provider, the name of an object is its key as far as the provider permits. Other tools
// then find the object under its key. A segment of the key that the provider does not permit is
// escaped, and begins with "!%".
func TestEscapeOfGateway(t *testing.T) {
	// Each Naming says which unusual segments of a key the provider permits. The field Slash is
	// about an empty first segment.
	s3 := Naming{Empty: true, Slash: true, Others: true}
	minio := Naming{Empty: true, Others: true}
	azure := Naming{Empty: true, Slash: true}

	tests := []struct{ key, wantS3, wantMinIO, wantAzure string }{
		{key: "dir/", wantS3: "dir/", wantMinIO: "dir/", wantAzure: "dir/"},
		{key: "a//b", wantS3: "a//b", wantMinIO: "a//b", wantAzure: "a//b"},
		{key: "/a", wantS3: "/a", wantMinIO: "!%/a", wantAzure: "/a"},
		{key: "/", wantS3: "/", wantMinIO: "!%/", wantAzure: "/"},
		{key: "//a", wantS3: "//a", wantMinIO: "!%//a", wantAzure: "//a"},
		{key: "a/./b", wantS3: "a/!%%2E/b", wantMinIO: "a/!%%2E/b", wantAzure: "a/!%%2E/b"},
		{key: "..", wantS3: "!%.%2E", wantMinIO: "!%.%2E", wantAzure: "!%.%2E"},
		{key: "end.", wantS3: "end.", wantMinIO: "end.", wantAzure: "!%end%2E"},
		{key: "tab\there", wantS3: "tab\there", wantMinIO: "tab\there", wantAzure: "!%tab%09here"},
		{key: `back\slash`, wantS3: `back\slash`, wantMinIO: `back\slash`, wantAzure: "!%back%5Cslash"},
		{key: "!%", wantS3: "!%!%25", wantMinIO: "!%!%25", wantAzure: "!%!%25"},
		{key: "b\xff", wantS3: "!%b%FF", wantMinIO: "!%b%FF", wantAzure: "!%b%FF"},
	}
	for _, tt := range tests {
		t.Run(strconv.Quote(tt.key), func(t *testing.T) {
			// Each key has the wanted name, and the name can be converted back to the key.
			require.Equal(t, tt.wantS3, s3.Escape(tt.key))
			requireKey(t, tt.key, s3, tt.wantS3)

			require.Equal(t, tt.wantMinIO, minio.Escape(tt.key))
			requireKey(t, tt.key, minio, tt.wantMinIO)

			require.Equal(t, tt.wantAzure, azure.Escape(tt.key))
			requireKey(t, tt.key, azure, tt.wantAzure)
		})
	}

	// This name belongs to no key, because nothing follows the mark "!%".
	_, ok := s3.Unescape("dir/!%", false)
	require.False(t, ok)
}

// requireKey checks that name is the name of key.
func requireKey(t *testing.T, key string, n Naming, name string) {
	t.Helper()
	got, ok := n.Unescape(name, false)
	require.True(t, ok, "%q", key)
	require.Equal(t, key, got)
}

// FuzzEscapeKey requires that each key has a file name that can be converted back to the key.
func FuzzEscapeKey(f *testing.F) {
	for _, seed := range []string{"a/b", "dir/", "a//b", "!%", "\x00", "..", "a.", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		name := Naming{}.Escape(key)
		requireKey(t, key, Naming{}, name)
		if key != "" {
			require.True(t, (Naming{}).CanStore(name, true) || strings.Contains(name, Mark))
		}
	})
}

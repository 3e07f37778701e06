package keyname

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Keys are escaped reversibly.
func TestEscapeIsReversible(t *testing.T) {
	for key, want := range map[string]string{
		"a/b.txt":     "a/b.txt",
		"100%.txt":    "100%.txt",
		"dir/":        "dir/!%",
		"/":           "!%/!%",
		"a//b":        "a/!%/b",
		"/a":          "!%/a",
		"a/./b":       "a/!%%2E/b",
		"a/..":        "a/!%.%2E",
		"end.":        "!%end%2E",
		"tab\there":   "!%tab%09here",
		`back\slash`:  "!%back%5Cslash",
		"!%":          "!%!%25",
		"!%x":         "!%!%25x",
		"50%\x01":     "!%50%25%01",
		"\uffff":      "!%%EF%BF%BF",
		"\ufffd":      "\ufffd",
		"é/日本/":       "é/日本/!%",
		" a/!b/!!c":   " a/!b/!!c",
		"bad\xffutf8": "!%bad%FFutf8",
	} {
		got := Naming{}.Escape(key)
		require.Equal(t, want, got, "%q", key)
		back, ok := Naming{}.Unescape(got, false)
		require.True(t, ok, "%q", key)
		require.Equal(t, key, back)
	}
	for _, name := range []string{"!%a", "!%%2", "!%%2e", "!%%%x", Mark + "%s3server/bucket"} {
		_, ok := Naming{}.Unescape(name, false)
		require.False(t, ok, "no S3 key has the name %q", name)
	}
}

// Over a provider, a key keeps its name as far as the provider permits, so that other tools find it.
func TestEscapeOfGateway(t *testing.T) {
	s3 := Naming{Empty: true, Slash: true, Others: true}
	minio := Naming{Empty: true, Others: true}
	azure := Naming{Empty: true, Slash: true}

	for key, want := range map[string][3]string{
		"dir/":       {"dir/", "dir/", "dir/"},
		"a//b":       {"a//b", "a//b", "a//b"},
		"/a":         {"/a", "!%/a", "/a"},
		"/":          {"/", "!%/", "/"},
		"//a":        {"//a", "!%//a", "//a"},
		"a/./b":      {"a/!%%2E/b", "a/!%%2E/b", "a/!%%2E/b"},
		"..":         {"!%.%2E", "!%.%2E", "!%.%2E"},
		"end.":       {"end.", "end.", "!%end%2E"},
		"tab\there":  {"tab\there", "tab\there", "!%tab%09here"},
		`back\slash`: {`back\slash`, `back\slash`, "!%back%5Cslash"},
		"!%":         {"!%!%25", "!%!%25", "!%!%25"},
		"b\xff":      {"!%b%FF", "!%b%FF", "!%b%FF"},
	} {
		for i, n := range []Naming{s3, minio, azure} {
			require.Equal(t, want[i], n.Escape(key), "%q", key)
			back, ok := n.Unescape(want[i], false)
			require.True(t, ok, "%q", key)
			require.Equal(t, key, back)
		}
	}

	_, ok := s3.Unescape("dir/!%", false)
	require.False(t, ok)
}

func FuzzEscapeKey(f *testing.F) {
	for _, seed := range []string{"a/b", "dir/", "a//b", "!%", "\x00", "..", "a.", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		name := Naming{}.Escape(key)
		back, ok := Naming{}.Unescape(name, false)
		require.True(t, ok)
		require.Equal(t, key, back)
		if key != "" {
			require.True(t, (Naming{}).IsNatural(name, true) || strings.Contains(name, Mark))
		}
	})
}

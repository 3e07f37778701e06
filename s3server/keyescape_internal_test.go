package s3server

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeysAreEscapedReversibly(t *testing.T) {
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
		got := escapeKey(key)
		require.Equal(t, want, got, "%q", key)
		back, ok := unescapeKey(got, false)
		require.True(t, ok, "%q", key)
		require.Equal(t, key, back)
	}
	for _, name := range []string{"!%a", "!%%2", "!%%2e", "!%%%x", recordPrefix + "bucket"} {
		_, ok := unescapeKey(name, false)
		require.False(t, ok, "no S3 key has the name %q", name)
	}
}

func TestEveryKeyWithAPrefixHasAnEscapedPrefix(t *testing.T) {
	keys := []string{"a", "a/", "a/b", "a//", "a//b", "a/.", "a/..", "a.", "a..b", "a.\x01", "a\x01", "\x01", "!", "!%", "!%a", "!a", "/", "//", "/a", ".", "..a", `\`}
	for _, key := range keys {
		for end := range len(key) + 1 {
			prefix := key[:end]
			regions := escapePrefix(prefix)
			require.True(t, slices.IsSorted(regions))
			name := escapeKey(key)
			require.True(t, slices.ContainsFunc(regions, func(r string) bool { return strings.HasPrefix(name, r) }), "%q of %q: %q not in %q", prefix, key, name, regions)
		}
	}
}

func FuzzEscapeKey(f *testing.F) {
	for _, seed := range []string{"a/b", "dir/", "a//b", "!%", "\x00", "..", "a.", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		name := escapeKey(key)
		back, ok := unescapeKey(name, false)
		require.True(t, ok)
		require.Equal(t, key, back)
		if key != "" {
			require.True(t, isNatural(name) || strings.Contains(name, escapeMark))
		}
	})
}

package objectkey

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzKey requires that Rule permits each key that WriteRule permits, and that neither permits a path that
// leaves its directory.
func FuzzKey(f *testing.F) {
	seeds := []string{
		"a", "a/b", "a//b", "/a", "a/", ".", "..", "a/../b", "a.", "a./b", "é", "\x00", "a\\b", "\ufffe",
		"\xff", strings.Repeat("x", 1025),
	}
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		write := WriteRule(key)
		rule := Rule(key)
		if write == "" {
			require.Empty(t, rule, "what can be written can be read")
			require.True(t, utf8.ValidString(key) && key != "" && len(key) <= 1024)
			require.NotContains(t, "/"+key+"/", "//")
			require.NotContains(t, "/"+key+"/", "/../")
			require.NotContains(t, key, "\\")
		}
		if rule == "" {
			require.NotContains(t, "/"+key+"/", "/./")
			require.NotContains(t, "/"+key+"/", "/../")
		}
	})
}

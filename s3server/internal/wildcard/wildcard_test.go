package wildcard_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/wildcard"
)

// An escaped wildcard matches only itself.
func TestMatchEscapedWildcards(t *testing.T) {
	tests := []struct {
		pattern, value string
		matches        bool
	}{
		{
			"a${*}/*", "a*/b", true}, {"a${*}/*", "ab/b", false}, {"a${?}", "a?", true}, {"a${?}", "ab",
			false}, {"a${$}{b}", "a${b}", true},
		{
			"${$}${*}", "$*", true}, {"${*}", "", false}, {"*${*}", "a*", true}, {"*${*}", "ab", false}, {"${*", "${",
			true}, {"${x}", "${x}", true},
		{"é${?}*", "é?ü", true}, {"a${*}", "a", false},
	}
	for _, tt := range tests {
		require.Equal(
			t,
			tt.matches,
			wildcard.MatchEscaped(tt.pattern, tt.value),
			"%q of %q",
			tt.pattern,
			tt.value,
		)
	}
}

// Patterns match.
func TestMatchPatterns(t *testing.T) {
	tests := []struct {
		pattern, value string
		matches        bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"a*", "abc", true}, {"a*", "b", false}, {"*c", "abc", true},
		{"a*c", "abcbc", true}, {"a*c", "abcb", false}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"*?", "", false}, {"*?", "x", true},
		{"a?c", "aéc", true}, {"a??c", "aéc", false}, {"*??c", "éc", false}, {"*??c", "x€c!", false}, {"*???c*", "€€c", false}, {"**a**", "bab", true}, {"a*b*c", "a-b-b-c", true}, {"a*b*c", "a-c-b", false}, {"abc", "ab", false},
	}
	for _, tt := range tests {
		require.Equal(t, tt.matches, wildcard.Match(tt.pattern, tt.value), "%q of %q", tt.pattern, tt.value)
	}
}

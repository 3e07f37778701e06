package wildcard_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/wildcard"
)

// An escaped wildcard matches only itself.
func TestMatchEscapedWildcards(t *testing.T) {
	for _, test := range []struct {
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
	} {
		require.Equal(
			t,
			test.matches,
			wildcard.MatchEscaped(test.pattern, test.value),
			"%q of %q",
			test.pattern,
			test.value,
		)
	}
}

// Patterns match.
func TestMatchPatterns(t *testing.T) {
	for _, test := range []struct {
		pattern, value string
		matches        bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"a*", "abc", true}, {"a*", "b", false}, {"*c", "abc", true},
		{"a*c", "abcbc", true}, {"a*c", "abcb", false}, {"a?c", "abc", true}, {"a?c", "ac", false}, {"*?", "", false}, {"*?", "x", true},
		{"a?c", "aéc", true}, {"a??c", "aéc", false}, {"*??c", "éc", false}, {"*??c", "x€c!", false}, {"*???c*", "€€c", false}, {"**a**", "bab", true}, {"a*b*c", "a-b-b-c", true}, {"a*b*c", "a-c-b", false}, {"abc", "ab", false},
	} {
		require.Equal(t, test.matches, wildcard.Match(test.pattern, test.value), "%q of %q", test.pattern, test.value)
	}
}

package wildcard_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/wildcard"
)

// In a pattern of MatchEscaped, "${*}", "${?}" and "${$}" match only the characters "*", "?" and "$".
func TestMatchEscapedWildcards(t *testing.T) {
	tests := []struct {
		pattern string
		value   string
		matches bool
	}{
		{pattern: "a${*}/*", value: "a*/b", matches: true},
		{pattern: "a${*}/*", value: "ab/b"},
		{pattern: "a${?}", value: "a?", matches: true},
		{pattern: "a${?}", value: "ab"},
		{pattern: "a${$}{b}", value: "a${b}", matches: true},
		{pattern: "${$}${*}", value: "$*", matches: true},
		{pattern: "${*}", value: ""},
		{pattern: "*${*}", value: "a*", matches: true},
		{pattern: "*${*}", value: "ab"},
		{pattern: "${*", value: "${", matches: true},
		{pattern: "${x}", value: "${x}", matches: true},
		{pattern: "é${?}*", value: "é?ü", matches: true},
		{pattern: "a${*}", value: "a"},
	}
	for _, tt := range tests {
		t.Run(tt.pattern+" and "+tt.value, func(t *testing.T) {
			require.Equal(t, tt.matches, wildcard.MatchEscaped(tt.pattern, tt.value))
		})
	}
}

// In a pattern, "*" matches any number of characters, and "?" matches one, however many bytes it has.
func TestMatchPatterns(t *testing.T) {
	tests := []struct {
		pattern string
		value   string
		matches bool
	}{
		{pattern: "", value: "", matches: true},
		{pattern: "", value: "a"},
		{pattern: "*", value: "", matches: true},
		{pattern: "*", value: "abc", matches: true},
		{pattern: "a*", value: "abc", matches: true},
		{pattern: "a*", value: "b"},
		{pattern: "*c", value: "abc", matches: true},
		{pattern: "a*c", value: "abcbc", matches: true},
		{pattern: "a*c", value: "abcb"},
		{pattern: "a?c", value: "abc", matches: true},
		{pattern: "a?c", value: "ac"},
		{pattern: "*?", value: ""},
		{pattern: "*?", value: "x", matches: true},
		{pattern: "a?c", value: "aéc", matches: true},
		{pattern: "a??c", value: "aéc"},
		{pattern: "*??c", value: "éc"},
		{pattern: "*??c", value: "x€c!"},
		{pattern: "*???c*", value: "€€c"},
		{pattern: "**a**", value: "bab", matches: true},
		{pattern: "a*b*c", value: "a-b-b-c", matches: true},
		{pattern: "a*b*c", value: "a-c-b"},
		{pattern: "abc", value: "ab"},
	}
	for _, tt := range tests {
		t.Run(tt.pattern+" and "+tt.value, func(t *testing.T) {
			require.Equal(t, tt.matches, wildcard.Match(tt.pattern, tt.value))
		})
	}
}

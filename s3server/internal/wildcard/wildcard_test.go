package wildcard_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/wildcard"
)

// In a pattern of MatchEscaped, "${*}", "${?}" and "${$}" match only the characters "*", "?" and "$".
func TestMatchEscapedWildcards(t *testing.T) {
	tests := []struct {
		pattern     string
		value       string
		wantMatches bool
	}{
		{pattern: "a${*}/*", value: "a*/b", wantMatches: true},
		{pattern: "a${*}/*", value: "ab/b"},
		{pattern: "a${?}", value: "a?", wantMatches: true},
		{pattern: "a${?}", value: "ab"},
		{pattern: "a${$}{b}", value: "a${b}", wantMatches: true},
		{pattern: "${$}${*}", value: "$*", wantMatches: true},
		{pattern: "${*}", value: ""},
		{pattern: "*${*}", value: "a*", wantMatches: true},
		{pattern: "*${*}", value: "ab"},
		{pattern: "${*", value: "${", wantMatches: true},
		{pattern: "${x}", value: "${x}", wantMatches: true},
		{pattern: "é${?}*", value: "é?ü", wantMatches: true},
		{pattern: "a${*}", value: "a"},
	}
	for _, tt := range tests {
		t.Run(tt.pattern+" and "+tt.value, func(t *testing.T) {
			require.Equal(t, tt.wantMatches, wildcard.MatchEscaped(tt.pattern, tt.value))
		})
	}
}

// In a pattern, "*" matches any number of characters. "?" matches one character, however many bytes
// that has.
func TestMatchPatterns(t *testing.T) {
	tests := []struct {
		pattern     string
		value       string
		wantMatches bool
	}{
		{pattern: "", value: "", wantMatches: true},
		{pattern: "", value: "a"},
		{pattern: "*", value: "", wantMatches: true},
		{pattern: "*", value: "abc", wantMatches: true},
		{pattern: "a*", value: "abc", wantMatches: true},
		{pattern: "a*", value: "b"},
		{pattern: "*c", value: "abc", wantMatches: true},
		{pattern: "a*c", value: "abcbc", wantMatches: true},
		{pattern: "a*c", value: "abcb"},
		{pattern: "a?c", value: "abc", wantMatches: true},
		{pattern: "a?c", value: "ac"},
		{pattern: "*?", value: ""},
		{pattern: "*?", value: "x", wantMatches: true},
		{pattern: "a?c", value: "aéc", wantMatches: true},
		{pattern: "a??c", value: "aéc"},
		{pattern: "*??c", value: "éc"},
		{pattern: "*??c", value: "x€c!"},
		{pattern: "*???c*", value: "€€c"},
		{pattern: "**a**", value: "bab", wantMatches: true},
		{pattern: "a*b*c", value: "a-b-b-c", wantMatches: true},
		{pattern: "a*b*c", value: "a-c-b"},
		{pattern: "abc", value: "ab"},
	}
	for _, tt := range tests {
		t.Run(tt.pattern+" and "+tt.value, func(t *testing.T) {
			require.Equal(t, tt.wantMatches, wildcard.Match(tt.pattern, tt.value))
		})
	}
}

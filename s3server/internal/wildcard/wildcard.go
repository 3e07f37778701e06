// Package wildcard compares strings with the patterns of S3. Patterns of policies may have several
// "*" and "?". Patterns of CORS rules and of event names may have one "*".
package wildcard

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Match reports whether value matches a pattern of a policy. "*" matches any characters, including
// slashes, and "?" matches one character. Match needs at most len(pattern)*len(value) steps.
func Match(pattern, value string) bool { return match([]rune(pattern), value) }

// In a pattern, star and questionMark mean the characters "*" and "?" themselves, and not
// wildcards. They differ from every Unicode character.
const (
	star         = -1
	questionMark = -2
)

// MatchEscaped is like Match, but "${*}", "${?}" and "${$}" in the pattern match the characters
// "*", "?" and "$".
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars
func MatchEscaped(pattern, value string) bool {
	runes := make([]rune, 0, len(pattern))
	for pattern != "" {
		r, size := nextRune(pattern)
		runes = append(runes, r)
		pattern = pattern[size:]
	}
	return match(runes, value)
}

// nextRune returns the first character of a pattern and the number of its bytes. For the escapes "${*}"
// and "${?}", it returns the runes star and questionMark, which match only these characters.
func nextRune(pattern string) (r rune, size int) {
	const escapeSize = len("${*}")
	switch {
	case strings.HasPrefix(pattern, "${*}"):
		return star, escapeSize
	case strings.HasPrefix(pattern, "${?}"):
		return questionMark, escapeSize
	case strings.HasPrefix(pattern, "${$}"):
		return '$', escapeSize
	}
	return utf8.DecodeRuneInString(pattern)
}

// Unescape replaces "${*}", "${?}" and "${$}" with "*", "?" and "$".
func Unescape(text string) string { return unescaped.Replace(text) }

var unescaped = strings.NewReplacer("${*}", "*", "${?}", "?", "${$}", "$")

// match reports whether the value matches a pattern with stars, each of which may stand for any text. Each star first
// matches nothing, and the last one matches one character more whenever the rest of the pattern does not match. Earlier
// stars need no other try, because they would only leave less of the value to the last one.
func match(pattern []rune, value string) bool {
	text := []rune(value)
	const noStar = -1
	lastStar := noStar // index in pattern of the last star that was passed
	starEnd := 0       // index in text after the characters that this star matches
	p := 0             // next index in pattern
	t := 0             // next index in text
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			lastStar = p
			starEnd = t
			p++
		case p < len(pattern) && matchesOne(pattern[p], text[t]):
			p++
			t++
		case lastStar != noStar:
			// Return to the last star, which now matches one character more.
			starEnd++
			p = lastStar + 1
			t = starEnd
		default:
			return false
		}
	}

	// At the end of the text, only stars may be left.
	return strings.Trim(string(pattern[p:]), "*") == ""
}

// matchesOne reports whether a character of a pattern, other than an unescaped "*", matches c. star and
// questionMark stand for the escaped characters.
func matchesOne(wanted, c rune) bool {
	switch wanted {
	case '?':
		return true
	case star:
		return c == '*'
	case questionMark:
		return c == '?'
	}
	return wanted == c
}

// MatchOneStar reports whether value matches a pattern of a CORS rule or an event name, in which the
// first "*" matches any text and every other character only itself.
func MatchOneStar(pattern, value string) bool {
	head, rest, hasStar := strings.Cut(pattern, "*")
	if !hasStar {
		return pattern == value
	}
	return len(value) >= len(head)+len(rest) && strings.HasPrefix(value, head) && strings.HasSuffix(value, rest)
}

// AnyOneStar reports whether value matches one of the patterns, by the rules of [MatchOneStar].
func AnyOneStar(patterns []string, value string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return MatchOneStar(pattern, value) })
}

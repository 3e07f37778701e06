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
	wanted := make([]rune, 0, len(pattern))
	for pattern != "" {
		if len(pattern) > 3 && pattern[:2] == "${" && pattern[3] == '}' && strings.IndexByte("*?$", pattern[2]) >= 0 {
			wanted = append(wanted, literal(pattern[2]))
			pattern = pattern[4:]
			continue
		}
		r, size := utf8.DecodeRuneInString(pattern)
		wanted = append(wanted, r)
		pattern = pattern[size:]
	}
	return match(wanted, value)
}

func literal(c byte) rune {
	switch c {
	case '*':
		return star
	case '?':
		return questionMark
	}
	return rune(c)
}

// Unescape replaces "${*}", "${?}" and "${$}" with "*", "?" and "$".
func Unescape(text string) string { return unescaped.Replace(text) }

var unescaped = strings.NewReplacer("${*}", "*", "${?}", "?", "${$}", "$")

func match(wanted []rune, value string) bool {
	text := []rune(value)
	last := -1
	mark := 0
	p := 0
	v := 0
	for v < len(text) {
		switch {
		case p < len(wanted) && wanted[p] == '*':
			last = p
			mark = v
			p++
		case p < len(wanted) && matchesOne(wanted[p], text[v]):
			p++
			v++
		case last >= 0: // the last star matches one character more
			mark++
			p = last + 1
			v = mark
		default:
			return false
		}
	}
	return strings.Trim(string(wanted[p:]), "*") == ""
}

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

// MatchOneStar reports whether value matches a pattern of a CORS rule or of an event name. The
// first "*" matches any text. All other characters match only themselves.
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

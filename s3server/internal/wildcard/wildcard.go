// Package wildcard matches texts with the patterns of S3: those of IAM in policies, and those with
// one star in CORS rules and names of events.
package wildcard

import (
	"slices"
	"strings"
)

// Match reports whether value matches pattern, as in IAM: "*" stands for any characters,
// slashes too, and "?" for one character. It needs at most len(pattern)*len(value) steps.
func Match(pattern, value string) bool {
	wanted, given := []rune(pattern), []rune(value)
	star, mark, p, v := -1, 0, 0, 0
	for v < len(given) {
		switch {
		case p < len(wanted) && wanted[p] == '*':
			star, mark = p, v
			p++
		case p < len(wanted) && (wanted[p] == '?' || wanted[p] == given[v]):
			p++
			v++
		case star >= 0: // the last star takes one character more
			mark++
			p, v = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(string(wanted[p:]), "*") == ""
}

// MatchOneStar reports whether value matches a pattern of CORS rules or of names of events: its one
// "*" stands for any text, and "?" for itself.
func MatchOneStar(pattern, value string) bool {
	head, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == value
	}
	return len(value) >= len(head)+len(rest) && strings.HasPrefix(value, head) && strings.HasSuffix(value, rest)
}

// AnyOneStar reports whether one of the patterns matches as MatchOneStar does.
func AnyOneStar(patterns []string, value string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return MatchOneStar(pattern, value) })
}

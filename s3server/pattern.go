package s3server

import (
	"slices"
	"strings"
)

// matchPattern matches as IAM does: "*" stands for any characters, slashes too, and "?" for one
// byte. It needs at most len(pattern)*len(value) steps.
func matchPattern(pattern, value string) bool {
	star, mark, p, v := -1, 0, 0, 0
	for v < len(value) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, v
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == value[v]):
			p++
			v++
		case star >= 0: // the last star takes one byte more
			mark++
			p, v = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// wildcardMatch matches a pattern of CORS rules and names of events: its one "*" stands for anything,
// and "?" for itself.
func wildcardMatch(pattern, value string) bool {
	head, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == value
	}
	return len(value) >= len(head)+len(rest) && strings.HasPrefix(value, head) && strings.HasSuffix(value, rest)
}

func anyWildcardMatch(patterns []string, value string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return wildcardMatch(pattern, value) })
}

package location

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
)

// PatternOf converts a key with wildcards to a pattern of package doublestar. If escaped is true, the
// key is that of an address, in which a percent-encoded character is literal.
func PatternOf(key string, escaped bool) string {
	var b strings.Builder
	for i := 0; i < len(key); i++ {
		if c, ok := escapedByte(key[i:]); ok && escaped {
			writeLiteral(&b, c)
			i += len("%2A") - 1 // the loop itself adds 1
			continue
		}
		// These characters are literal in a key, but not in a pattern.
		if strings.IndexByte(`{}\`, key[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(key[i])
	}
	return b.String()
}

// escapedByte decodes the escape, such as %2A, with which text begins. If text does not begin with
// one, ok is false.
func escapedByte(text string) (c byte, ok bool) {
	if len(text) < len("%2A") || text[0] != '%' {
		return 0, false
	}
	n, err := strconv.ParseUint(text[1:3], 16, 8)
	return byte(n), err == nil
}

// writeLiteral appends a byte to a pattern, escaped if it would have a meaning there.
func writeLiteral(pattern *strings.Builder, c byte) {
	if strings.IndexByte(`*?[]{}\!^-`, c) >= 0 {
		pattern.WriteByte('\\')
	}
	pattern.WriteByte(c)
}

// Glob returns the pattern that the wildcards of the key are.
func (l Location) Glob() string {
	if l.Pattern != "" {
		return l.Pattern
	}
	return PatternOf(l.Key, false)
}

// isPattern reports whether a segment of a pattern has a wildcard.
func isPattern(segment string) bool {
	_, complete := LiteralStart(segment)
	return !complete
}

// LiteralStart returns the text before the first wildcard of a pattern, without escapes. isWhole is
// true if the pattern has no wildcard.
func LiteralStart(pattern string) (text string, isWhole bool) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*', '?', '[':
			return b.String(), false
		case '\\':
			// The next character is literal.
			i++
			if i < len(pattern) {
				b.WriteByte(pattern[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

// SplitPattern splits a pattern into the folder before its first wildcard, without escapes, and the
// rest: "logs/2026/*.gz" becomes "logs/2026/" and "*.gz".
func SplitPattern(pattern string) (folder, rest string) {
	segments := strings.Split(pattern, "/")
	// The last segment is never a folder.
	for len(segments) > 1 && !isPattern(segments[0]) {
		text, _ := LiteralStart(segments[0])
		folder += text + "/"
		segments = segments[1:]
	}
	return folder, strings.Join(segments, "/")
}

// Matcher returns a function that reports whether a key matches a pattern or, if recursive is true, is
// below a folder that matches.
func Matcher(pattern string, recursive bool) (func(key string) bool, error) {
	if !doublestar.ValidatePattern(pattern) {
		return nil, argument.Invalid("key must not have malformed wildcards", "use --literal to take them literally")
	}
	below := strings.TrimSuffix(pattern, "/") + "/**/*" // all keys at any depth below the folder
	return func(key string) bool {
		if doublestar.MatchUnvalidated(pattern, key) {
			return true
		}
		return recursive && doublestar.MatchUnvalidated(below, key)
	}, nil
}

// ParentOf splits a key after its last slash, into the folder and the name.
func ParentOf(key string) (folder, name string) {
	i := strings.LastIndexByte(key, '/') + 1
	return key[:i], key[i:]
}

// HasFolder reports whether a key lies in a folder of this name.
func HasFolder(key, name string) bool { return strings.HasPrefix(key, name+"/") }

// MatchesAll reports whether a pattern has only asterisks and slashes.
func MatchesAll(pattern string) bool { return strings.Trim(pattern, "*/") == "" }

// LiteralPattern returns a pattern that matches only this text.
func LiteralPattern(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		writeLiteral(&b, c)
	}
	return b.String()
}

// IsWild reports whether a location has wildcards. The path of an existing file has none.
func (l Location) IsWild() bool {
	if l.Kind == LocalPath {
		_, rest := splitWildcards(l.Path)
		return rest != ""
	}
	return l.HasWildcard
}

// WildFolder splits a location into the folder before its first wildcard and the pattern below that
// folder.
func WildFolder(l Location) (folder Location, pattern string) {
	folder = l
	folder.HasWildcard = false
	folder.Pattern = ""
	if l.Kind == LocalPath {
		dir, rest := splitWildcards(l.Path)
		folder.Path = cmp.Or(dir, ".")
		return folder, PatternOf(rest, false)
	}
	folder.Key, pattern = SplitPattern(l.Glob())
	return folder, pattern
}

package selection

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// belowSuffix ends a pattern that matches everything in a directory, but not a file
// of the same name.
const belowSuffix = "/**/*"

// ParsePattern returns the form of a pattern that is matched with a whole key. ok is false if text is
// malformed.
func ParsePattern(text string) (pattern string, ok bool) {
	if text == "" || text == "/" || !doublestar.ValidatePattern(text) {
		return "", false
	}
	return normalizePattern(text), true
}

// normalizePattern returns the form of p that is matched with a whole key. A pattern that ends in "/" or
// "/**" is one for a directory, and matches everything in it. "**" alone matches everything, and "**/" all files except
// those at the top.
func normalizePattern(p string) string {
	if dir, endsInSlash := strings.CutSuffix(p, "/"); endsInSlash {
		dir = wholePath(dir)
		if dir == "**" || strings.HasSuffix(dir, "/**") {
			// "**" also matches no directory at all, and the slash demands at least one.
			dir += "/*"
		}
		return dir + belowSuffix
	}

	p = wholePath(p)
	if dir, matchesAllBelow := strings.CutSuffix(p, "/**"); matchesAllBelow {
		return dir + belowSuffix
	}
	return p
}

// wholePath returns a pattern that is matched with a whole path. A pattern with a slash begins at the
// top already. A name without a slash matches in each directory.
func wholePath(p string) string {
	if strings.HasPrefix(p, "/") {
		return p[1:]
	}
	if strings.Contains(p, "/") || p == "**" {
		return p
	}
	return "**/" + p
}

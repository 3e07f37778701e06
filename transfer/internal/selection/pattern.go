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

// normalizePattern returns a pattern that is matched with a whole key. One for a directory, which ends
// in "/" or "/**", matches everything in it. "**" alone matches everything, and "**/" all files except
// those at the top.
func normalizePattern(p string) string {
	dir, ofDir := strings.CutSuffix(p, "/")
	if strings.HasPrefix(dir, "/") {
		dir = dir[1:]
	} else if !strings.Contains(dir, "/") && dir != "**" {
		dir = "**/" + dir
	}
	if !ofDir {
		dir, ofDir = strings.CutSuffix(dir, "/**")
		if !ofDir {
			return dir
		}
	} else if dir == "**" || strings.HasSuffix(dir, "/**") {
		dir += "/*"
	}
	return dir + belowSuffix
}

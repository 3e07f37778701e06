package selection

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// belowSuffix ends a pattern that matches everything in a directory, but not a file
// of the same name.
const belowSuffix = "/**/*"

// ParsePattern returns a pattern that is matched with a whole key. It returns false if text is malformed.
func ParsePattern(text string) (pattern string, ok bool) {
	if text == "" || text == "/" || !doublestar.ValidatePattern(text) {
		return "", false
	}
	return normalizePattern(text), true
}

// normalizePattern returns a pattern that is matched with a whole key. If p ends in "/" or "/**",
// the result matches everything in a directory. For example, the result for "**/" matches all files
// in directories, but no files at the top. "**" alone matches everything.
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

package transfer

import (
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// selects reports whether the job includes key.
func (s *settings) selects(key string) bool {
	if !strings.HasPrefix(key, s.prefix) {
		return false
	}
	if len(s.include) > 0 && !matches(s.include, key) {
		return false
	}
	if s.only != nil && !s.only(key) || slices.Contains(s.held, key) {
		return false
	}
	return !s.inExcludedDir(key) && !matches(s.exclude, key)
}

// belowSuffix ends a pattern that matches everything in a directory, but not a file
// of the same name.
const belowSuffix = "/**/*"

// normalizePattern returns a pattern that is matched with a whole key. If p ends in a
// slash or two asterisks, the result matches everything in a directory. The name of a
// directory is never empty: "**/" does not match files at the top.
func normalizePattern(p string) string {
	dir, ofDir := strings.CutSuffix(p, "/")
	switch {
	case strings.HasPrefix(dir, "/"):
		dir = dir[1:]
	case !strings.Contains(dir, "/") && dir != "**":
		dir = "**/" + dir
	}
	if !ofDir {
		if dir, ofDir = strings.CutSuffix(dir, "/**"); !ofDir {
			return dir
		}
	} else if dir == "**" || strings.HasSuffix(dir, "/**") {
		dir += "/*"
	}
	return dir + belowSuffix
}

// excludesDir reports whether everything in a directory is excluded.
func (s *settings) excludesDir(dir string) bool {
	if !strings.HasPrefix(dir+"/", s.prefix) && !strings.HasPrefix(s.prefix, dir+"/") {
		return true
	}
	return slices.ContainsFunc(s.exclude, func(p string) bool { return doublestar.MatchUnvalidated(strings.TrimSuffix(p, belowSuffix), dir) })
}

// inExcludedDir reports whether a directory in the path of a key is excluded. A
// prefix that ends in a slash includes its own directory.
func (s *settings) inExcludedDir(prefix string) bool {
	for i, c := range []byte(prefix) {
		if c == '/' && s.excludesDir(prefix[:i]) {
			return true
		}
	}
	return false
}

func matches(patterns []string, key string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return doublestar.MatchUnvalidated(p, key) })
}

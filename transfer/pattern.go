package transfer

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// selects reports whether the job is about key.
func (s *settings) selects(key string) bool {
	if len(s.include) > 0 && !matches(s.include, key) {
		return false
	}
	return !s.inExcludedDir(key) && !matches(s.exclude, key)
}

// belowSuffix ends a pattern of what lies in a directory, but not of a file that is
// named like it.
const belowSuffix = "/**/*"

// normalizePattern returns a pattern in the form in which it is matched with a whole key. A
// pattern of a directory, with a slash or two asterisks at its end, matches everything
// that lies in it. A directory of any name has a name: "**/" does not match the files
// beside it.
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

// excludesDir reports whether all of a directory is left out.
func (s *settings) excludesDir(dir string) bool {
	for _, p := range s.exclude {
		if doublestar.MatchUnvalidated(strings.TrimSuffix(p, belowSuffix), dir) {
			return true
		}
	}
	return false
}

// inExcludedDir reports whether a directory on the way to key is left out, and so all
// that lies in it. Of a prefix, which ends in a slash, that is everything.
func (s *settings) inExcludedDir(prefix string) bool {
	for i, c := range []byte(prefix) {
		if c == '/' && s.excludesDir(prefix[:i]) {
			return true
		}
	}
	return false
}

func matches(patterns []string, key string) bool {
	for _, p := range patterns {
		if doublestar.MatchUnvalidated(p, key) {
			return true
		}
	}
	return false
}

package transfer

import (
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// takes reports whether the job is about key.
func (s *settings) takes(key string) bool {
	if len(s.include) > 0 && !matches(s.include, key) {
		return false
	}
	return !s.leavesOutAll(key) && !matches(s.exclude, key)
}

// allBelow ends a pattern of what lies in a directory, but not of a file that is
// named like it.
const allBelow = "/**/*"

// asPattern is a pattern as it is matched: that of a directory, with a slash at its
// end or two asterisks, is of all that lies in it. A directory of any name has a
// name: "**/" is not of the files beside it.
func asPattern(p string) string {
	if dir, ok := strings.CutSuffix(p, "/"); ok {
		if dir == "**" || strings.HasSuffix(dir, "/**") {
			dir += "/*"
		}
		return dir + allBelow
	}
	if dir, ok := strings.CutSuffix(p, "/**"); ok {
		return dir + allBelow
	}
	return p
}

// leavesOut reports whether all of a directory is left out.
func (s *settings) leavesOut(dir string) bool {
	for _, p := range s.exclude {
		if doublestar.MatchUnvalidated(strings.TrimSuffix(p, allBelow), dir) {
			return true
		}
	}
	return false
}

// leavesOutAll reports whether a directory on the way to key is left out, and so all
// that lies in it. Of a prefix, which ends in a slash, that is everything.
func (s *settings) leavesOutAll(prefix string) bool {
	for i, c := range []byte(prefix) {
		if c == '/' && s.leavesOut(prefix[:i]) {
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

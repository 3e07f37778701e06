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
	return !matches(s.exclude, key)
}

// prunes reports whether all of a directory is left out.
func (s *settings) prunes(dir string) bool {
	for _, p := range s.exclude {
		if all, ok := strings.CutSuffix(p, "/**"); ok && doublestar.MatchUnvalidated(all, dir) {
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

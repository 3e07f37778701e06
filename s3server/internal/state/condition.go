package state

import (
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// SameTag compares entity tags. S3 also accepts them without quotes.
func SameTag(a, b string) bool { return strings.Trim(a, `"`) == strings.Trim(b, `"`) }

// Matches reports whether a list of entity tags, or "*", includes the tag.
func Matches(list, etag string) bool {
	for candidate := range strings.SplitSeq(list, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || SameTag(candidate, etag) {
			return true
		}
	}
	return false
}

// A WriteCondition is a condition on the current object at the destination.
type WriteCondition struct {
	Absent bool
	Match  string
}

// Check checks the condition against the current version. A delete marker is not an
// object.
func (c WriteCondition) Check(key string, current *Version) error {
	exists := current != nil && !current.Marker
	switch {
	case c.Absent && exists:
		return s3error.New("PreconditionFailed", "Condition", "If-None-Match")
	case c.Match != "" && !exists:
		return s3error.New("NoSuchKey", "Key", key)
	case c.Match != "" && !Matches(c.Match, current.Object.ETag):
		return s3error.New("PreconditionFailed", "Condition", "If-Match")
	}
	return nil
}

// CheckDelete checks the condition of a removal. A delete marker does not match "*",
// and differs from a missing key.
func (c WriteCondition) CheckDelete(key string, current *Version) error {
	if c.Match == "*" && current != nil && current.Marker {
		return s3error.New("PreconditionFailed", "Condition", "If-Match")
	}
	return c.Check(key, current)
}

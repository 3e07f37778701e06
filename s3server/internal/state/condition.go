package state

import (
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// SameTag reports whether two entity tags are equal. S3 also accepts entity tags without quotes.
func SameTag(a, b string) bool { return strings.Trim(a, `"`) == strings.Trim(b, `"`) }

// Matches reports whether a list of entity tags contains etag, or "*".
func Matches(list, etag string) bool {
	for candidate := range strings.SplitSeq(list, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || SameTag(candidate, etag) {
			return true
		}
	}
	return false
}

// A WriteCondition says under which condition a client may write or remove an object. If Absent is
// true, no object with the key may exist. If Match is not "", an object with the key must exist,
// and Match must list its entity tag.
type WriteCondition struct {
	Absent bool
	Match  string
}

// Check fails if the condition does not hold for the current version of a key. A delete marker counts as
// no object.
func (c WriteCondition) Check(key string, current *Version) error {
	exists := current != nil && !current.Marker
	if c.Absent && exists {
		return s3error.New("PreconditionFailed", "Condition", "If-None-Match")
	}
	if c.Match != "" && !exists {
		return s3error.New("NoSuchKey", "Key", key)
	}
	if c.Match != "" && !Matches(c.Match, current.Object.ETag) {
		return s3error.New("PreconditionFailed", "Condition", "If-Match")
	}
	return nil
}

// CheckDelete fails if the condition of a removal does not hold. It is like Check, except that the
// match "*" of a delete marker fails with PreconditionFailed.
func (c WriteCondition) CheckDelete(key string, current *Version) error {
	if c.Match == "*" && current != nil && current.Marker {
		return s3error.New("PreconditionFailed", "Condition", "If-Match")
	}
	return c.Check(key, current)
}

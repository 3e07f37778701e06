package bucketrules

import (
	"errors"
	"io"

	"github.com/omnibucket/storage"
)

// A LifecycleLine is a lifecycle rule in JSON.
type LifecycleLine struct {
	ID                         string            `json:"id,omitempty"`
	Prefix                     string            `json:"prefix,omitempty"`
	Tags                       map[string]string `json:"tags,omitempty"`
	ExpireAfterDays            int               `json:"expireAfterDays,omitempty"`
	ExpireOldVersionsAfterDays int               `json:"expireOldVersionsAfterDays,omitempty"`
	AbortUploadsAfterDays      int               `json:"abortUploadsAfterDays,omitempty"`
	TransitionAfterDays        int               `json:"transitionAfterDays,omitempty"`
	TransitionTo               string            `json:"transitionTo,omitempty"`
}

type s3Tag struct{ Key, Value string }

// s3Lifecycle is a lifecycle rule in the JSON form of the AWS CLI. It has only the members that
// other stores support, too.
type s3Lifecycle struct {
	ID, Status, Prefix string
	Filter             struct {
		Prefix string
		Tag    *s3Tag
		And    struct {
			Prefix string
			Tags   []s3Tag
		}
	}
	Expiration                     struct{ Days int }
	NoncurrentVersionExpiration    struct{ NoncurrentDays int }
	AbortIncompleteMultipartUpload struct{ DaysAfterInitiation int }
	Transitions                    []struct {
		Days         int
		StorageClass string
	}
}

// ParseLifecycle reads an array of lifecycle rules as JSON, each in the form of this program or of S3.
func ParseLifecycle(src io.Reader) ([]storage.LifecycleRule, error) {
	// These members of a rule occur only in the form of S3.
	f := form{
		list: "Rules",
		names: []string{
			"Status", "Filter", "Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload",
			"Transitions",
		},
	}
	return parse(src, f, LifecycleLine.rule, s3Lifecycle.rule)
}

func (l LifecycleLine) rule() storage.LifecycleRule { return storage.LifecycleRule(l) }

// rule converts a lifecycle rule from the form of S3. It fails for a rule that storage.LifecycleRule cannot express.
func (l s3Lifecycle) rule() (storage.LifecycleRule, error) {
	if l.Status != "Enabled" {
		return storage.LifecycleRule{}, errors.New("the Status must be Enabled: leave a rule out that must not apply")
	}
	if len(l.Transitions) > 1 {
		return storage.LifecycleRule{}, errors.New("the Transitions must have at most one member")
	}

	rule := storage.LifecycleRule{
		ID: l.ID,
		// Only one of these three is set.
		Prefix:                     l.Prefix + l.Filter.Prefix + l.Filter.And.Prefix,
		ExpireAfterDays:            l.Expiration.Days,
		ExpireOldVersionsAfterDays: l.NoncurrentVersionExpiration.NoncurrentDays,
		AbortUploadsAfterDays:      l.AbortIncompleteMultipartUpload.DaysAfterInitiation,
	}

	tags := l.Filter.And.Tags
	if l.Filter.Tag != nil {
		tags = append(tags, *l.Filter.Tag)
	}
	if len(tags) > 0 {
		rule.Tags = make(map[string]string, len(tags))
	}
	for _, tag := range tags {
		rule.Tags[tag.Key] = tag.Value
	}

	if len(l.Transitions) == 1 {
		rule.TransitionAfterDays = l.Transitions[0].Days
		rule.TransitionTo = l.Transitions[0].StorageClass
	}
	return rule, nil
}

// LifecycleLines converts lifecycle rules to this program's JSON form, which ParseLifecycle accepts.
func LifecycleLines(rules []storage.LifecycleRule) []LifecycleLine {
	lines := make([]LifecycleLine, 0, len(rules))
	for _, r := range rules {
		lines = append(lines, LifecycleLine(r))
	}
	return lines
}

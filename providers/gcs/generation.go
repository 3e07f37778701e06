package gcs

import (
	"net/url"
	"strconv"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// parseGeneration returns the generation number in a revision or version that Google has returned.
func parseGeneration(name, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || decimal(n) != text {
		return 0, argument.Invalid(name, "must be the number of a generation", "")
	}
	return n, nil
}

// objectVersion returns the object or, if version is not "", that version of it.
func (b *bucket) objectVersion(key, version string) (*gcs.ObjectHandle, error) {
	o := b.handle().Object(key)
	if version == "" {
		return o, nil
	}
	n, err := parseGeneration("version", version)
	if err != nil {
		return nil, err
	}
	return o.Generation(n), nil
}

func withCondition(o *gcs.ObjectHandle, c storage.Condition) (*gcs.ObjectHandle, error) {
	conditions, err := conditionsOf(c)
	if conditions == nil {
		return o, err
	}
	return o.If(*conditions), nil
}

// conditionsOf returns a condition in the form of the SDK, or nil if there is none.
func conditionsOf(c storage.Condition) (*gcs.Conditions, error) {
	n := int64(0)
	var err error
	if revision := c.Revision + c.NotRevision; revision != "" {
		n, err = parseGeneration("revision", revision)
	}
	if err != nil {
		return nil, err
	}
	if c.Absent {
		return &gcs.Conditions{DoesNotExist: true}, nil
	}
	if c.Revision != "" {
		return &gcs.Conditions{GenerationMatch: n}, nil
	}
	if c.NotRevision != "" {
		return &gcs.Conditions{GenerationNotMatch: n}, nil
	}
	return nil, nil
}

func setCondition(query url.Values, c storage.Condition) error {
	if c.Absent {
		query.Set("ifGenerationMatch", "0")
	} else if c.Revision != "" {
		if _, err := parseGeneration("revision", c.Revision); err != nil {
			return err
		}
		query.Set("ifGenerationMatch", c.Revision)
	}
	return nil
}

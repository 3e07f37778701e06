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
	generation, err := strconv.ParseInt(text, 10, 64)
	if err != nil || generation <= 0 || decimal(generation) != text {
		// decimal finds a sign or a zero at the beginning, which ParseInt accepts.
		return 0, argument.Invalid(name, "must be the number of a generation", "")
	}
	return generation, nil
}

// objectVersion returns the object or, if version is not "", that version of it.
func (b *bucket) objectVersion(key, version string) (*gcs.ObjectHandle, error) {
	object := b.handle().Object(key)
	if version == "" {
		return object, nil
	}
	generation, err := parseGeneration("version", version)
	if err != nil {
		return nil, err
	}
	return object.Generation(generation), nil
}

// withCondition returns a handle whose requests have the condition, if there is one.
func withCondition(object *gcs.ObjectHandle, c storage.Condition) (*gcs.ObjectHandle, error) {
	conditions, err := conditionsOf(c)
	if err != nil {
		return nil, err
	}
	if conditions == nil {
		return object, nil
	}
	return object.If(*conditions), nil
}

// conditionsOf returns a condition in the form of the SDK, or nil if there is none.
func conditionsOf(c storage.Condition) (*gcs.Conditions, error) {
	if c.Absent {
		return &gcs.Conditions{DoesNotExist: true}, nil
	}
	if c.Revision != "" {
		generation, err := parseGeneration("revision", c.Revision)
		if err != nil {
			return nil, err
		}
		return &gcs.Conditions{GenerationMatch: generation}, nil
	}
	if c.NotRevision != "" {
		generation, err := parseGeneration("revision", c.NotRevision)
		if err != nil {
			return nil, err
		}
		return &gcs.Conditions{GenerationNotMatch: generation}, nil
	}
	return nil, nil
}

// setCondition adds the condition of a write to the query of its URL.
func setCondition(query url.Values, c storage.Condition) error {
	if c.Absent {
		query.Set("ifGenerationMatch", "0") // a missing object has the generation 0
		return nil
	}
	if c.Revision == "" {
		return nil
	}
	if _, err := parseGeneration("revision", c.Revision); err != nil {
		return err
	}
	query.Set("ifGenerationMatch", c.Revision)
	return nil
}

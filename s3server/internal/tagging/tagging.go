// Package tagging implements the tags of objects and buckets: S3's rules for them, and the header
// and the document that set them.
package tagging

import (
	"encoding/xml"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

const (
	maxTags       = 10 // maximum number of tags of an object
	maxBucketTags = 50
	maxTagKey     = 128 // maximum length in UTF-16 units, as S3 counts
	maxTagValue   = 256
)

// A Tag is a tag of an object or a bucket.
type Tag struct{ Key, Value string }

// ReadHeader parses the header x-amz-tagging, which has the form of a URL's query. It fails if S3 would
// refuse the tags for an object.
func ReadHeader(value string) ([]Tag, error) {
	if value == "" {
		return nil, nil
	}
	query, err := url.ParseQuery(value)
	if err != nil {
		return nil, s3error.New("InvalidArgument", "ArgumentName", "x-amz-tagging", "ArgumentValue", value).
			WithMessage(
				"The header 'x-amz-tagging' must be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.",
			)
	}
	var tags []Tag
	for key, values := range query {
		for _, v := range values {
			tags = append(tags, Tag{Key: key, Value: v})
		}
	}
	return tags, Check(tags)
}

// Check sorts tags by key, and fails if S3 would refuse them for an object.
func Check(tags []Tag) error {
	if len(tags) > maxTags {
		return s3error.New("BadRequest").WithMessage("Object tags cannot be greater than %d", maxTags)
	}
	return checkTagSet(tags, "Your TagKey cannot be prefixed with aws:")
}

// checkTagSet sorts tags by key, and fails if they break a rule that S3 has for objects and buckets
// alike. reserved is the error message for a key that begins with "aws:".
func checkTagSet(tags []Tag, reserved string) error {
	slices.SortFunc(tags, func(a, b Tag) int {
		return strings.Compare(a.Key, b.Key)
	})
	for i, t := range tags {
		switch {
		case i > 0 && t.Key == tags[i-1].Key:
			return s3error.New("InvalidTag", "TagKey", printable(t.Key)).
				WithMessage("Cannot provide multiple Tags with the same key")
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return s3error.New("InvalidTag", "TagKey", printable(t.Key)).WithMessage("%s", reserved)
		case t.Key == "" || !validTag(t.Key, maxTagKey):
			return s3error.New("InvalidTag", "TagKey", printable(t.Key)).
				WithMessage("The TagKey you have provided is invalid")
		case !validTag(t.Value, maxTagValue):
			return s3error.New("InvalidTag", "TagKey", printable(t.Key), "TagValue", printable(t.Value)).
				WithMessage("The TagValue you have provided is invalid")
		}
	}
	return nil
}

// printable returns s with a replacement for each character that some XML parsers refuse.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return unicode.ReplacementChar
		}
		return c
	}, s)
}

// validTag reports whether text has at most limit UTF-16 code units, and only letters, numbers, separators and
// _.:/=+-@, as a key or a value of a tag must.
func validTag(text string, limit int) bool {
	isForbidden := func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsNumber(c) && !unicode.In(c, unicode.Z) &&
			!strings.ContainsRune("_.:/=+-@", c)
	}
	return len(utf16.Encode([]rune(text))) <= limit && !strings.ContainsFunc(text, isForbidden)
}

// Map converts tags to a map from keys to values.
func Map(tags []Tag) map[string]string {
	all := make(map[string]string, len(tags))
	for _, t := range tags {
		all[t.Key] = t.Value
	}
	return all
}

// A Document is the XML document with the tags of an object or a bucket.
type Document struct {
	XMLName xml.Name `xml:"Tagging"`
	TagSet  *struct {
		Tag []Element
	}
}

// An Element is the XML element of a tag. Key and Value are both required.
type Element struct{ Key, Value *xmldoc.Text }

// Of converts XML elements to tags. It fails only if a key or a value is missing.
func Of(elements []Element) ([]Tag, error) {
	var tags []Tag
	for _, e := range elements {
		if e.Key == nil || e.Value == nil {
			return nil, s3error.New("MalformedXML")
		}
		tags = append(tags, Tag{Key: string(*e.Key), Value: string(*e.Value)})
	}
	return tags, nil
}

// Tags returns the tags of the document, and fails if S3 would refuse them for an object.
func (d *Document) Tags() ([]Tag, error) {
	tags, err := d.List()
	if err != nil {
		return nil, err
	}
	return tags, Check(tags)
}

// List returns the tags of the document without checking S3's rules.
func (d *Document) List() ([]Tag, error) {
	if d.TagSet == nil {
		return nil, s3error.New("MalformedXML")
	}
	return Of(d.TagSet.Tag)
}

// DocumentOf returns these tags as an XML document.
func DocumentOf(tags []Tag) *Document {
	d := &Document{TagSet: &struct{ Tag []Element }{}}
	for _, t := range tags {
		key := xmldoc.Text(t.Key)
		value := xmldoc.Text(t.Value)
		d.TagSet.Tag = append(d.TagSet.Tag, Element{Key: &key, Value: &value})
	}
	return d
}

// CheckBucket sorts tags by key, and fails if S3 would refuse them for a bucket.
func CheckBucket(tags []Tag) error {
	if len(tags) > maxBucketTags {
		return s3error.New("BadRequest").WithMessage("Bucket tag count cannot be greater than %d", maxBucketTags)
	}
	return checkTagSet(tags, "System tags cannot be added/updated by requester")
}

package s3server

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

const (
	maxTags     = 10
	maxTagKey   = 128 // UTF-16 units, as S3 counts them
	maxTagValue = 256
)

// A tag of an object. A version's tags are replaced and never changed.
type tag struct{ Key, Value string }

// readTagHeader reads x-amz-tagging, which has the form of a URL's query.
func readTagHeader(value string) ([]tag, error) {
	if value == "" {
		return nil, nil
	}
	query, err := url.ParseQuery(value)
	if err != nil {
		return nil, s3error.New("InvalidArgument", "ArgumentName", "x-amz-tagging", "ArgumentValue", value).
			WithMessage("The header 'x-amz-tagging' must be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
	}
	var tags []tag
	for key, values := range query {
		for _, v := range values {
			tags = append(tags, tag{key, v})
		}
	}
	return tags, checkTags(tags)
}

// checkTags refuses what S3 refuses for an object, and sorts the tags.
func checkTags(tags []tag) error {
	if len(tags) > maxTags {
		return s3error.New("BadRequest").WithMessage("Object tags cannot be greater than %d", maxTags)
	}
	return checkTagSet(tags, "Your TagKey cannot be prefixed with aws:")
}

// checkTagSet refuses what S3 refuses for objects and buckets, and sorts the tags. reserved is the
// message for a key of AWS.
func checkTagSet(tags []tag, reserved string) error {
	slices.SortFunc(tags, func(a, b tag) int { return strings.Compare(a.Key, b.Key) })
	for i, t := range tags {
		switch {
		case i > 0 && t.Key == tags[i-1].Key:
			return s3error.New("InvalidTag", "TagKey", printable(t.Key)).WithMessage("Cannot provide multiple Tags with the same key")
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return s3error.New("InvalidTag", "TagKey", printable(t.Key)).WithMessage("%s", reserved)
		case t.Key == "" || !validTag(t.Key, maxTagKey):
			return s3error.New("InvalidTag", "TagKey", printable(t.Key)).WithMessage("The TagKey you have provided is invalid")
		case !validTag(t.Value, maxTagValue):
			return s3error.New("InvalidTag", "TagKey", printable(t.Key), "TagValue", printable(t.Value)).WithMessage("The TagValue you have provided is invalid")
		}
	}
	return nil
}

// printable returns a text that every XML parser reads.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return unicode.ReplacementChar
		}
		return c
	}, s)
}

func validTag(text string, most int) bool {
	return len(utf16.Encode([]rune(text))) <= most && strings.IndexFunc(text, func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsNumber(c) && !unicode.In(c, unicode.Z) && !strings.ContainsRune("_.:/=+-@", c)
	}) < 0
}

type tagging struct {
	XMLName xml.Name `xml:"Tagging"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	TagSet  *struct {
		Tag []xmlTag
	}
	Unknown unknownElements `xml:",any"`
}

// A xmlTag is a tag in XML, with both elements.
type xmlTag struct{ Key, Value *text }

// tagsOf returns the tags of elements, unchecked but for their form.
func tagsOf(elements []xmlTag) ([]tag, error) {
	var tags []tag
	for _, e := range elements {
		if e.Key == nil || e.Value == nil {
			return nil, s3error.New("MalformedXML")
		}
		tags = append(tags, tag{string(*e.Key), string(*e.Value)})
	}
	return tags, nil
}

// tags returns the tags of the document, if an object may have them.
func (d *tagging) tags() ([]tag, error) {
	tags, err := d.list()
	if err != nil {
		return nil, err
	}
	return tags, checkTags(tags)
}

// list returns the tags of the document unchecked.
func (d *tagging) list() ([]tag, error) {
	if d.TagSet == nil || len(d.Unknown) > 0 {
		return nil, s3error.New("MalformedXML")
	}
	return tagsOf(d.TagSet.Tag)
}

// setTags makes the document one of these tags.
func (d *tagging) setTags(tags []tag) {
	d.TagSet = &struct{ Tag []xmlTag }{}
	for _, t := range tags {
		key, value := text(t.Key), text(t.Value)
		d.TagSet.Tag = append(d.TagSet.Tag, xmlTag{&key, &value})
	}
}

func getTagging(r *request) error {
	response := tagging{Xmlns: namespace}
	err := viewVersion(r, func(v *version) error {
		response.setTags(v.object.properties.tags)
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}

func putTagging(r *request) error {
	if err := r.needDigest(); err != nil {
		return err
	}
	var asked tagging
	if err := r.readXML(&asked); err != nil {
		return err
	}
	tags, err := asked.tags()
	if err != nil {
		return err
	}
	if err := r.authorizeWith(r.Header, tags); err != nil {
		return err
	}
	return changeVersion(r, http.StatusOK, func(_ *bucket, v *version) error {
		v.object.properties.tags = tags
		return nil
	})
}

func deleteTagging(r *request) error {
	return changeVersion(r, http.StatusNoContent, func(_ *bucket, v *version) error {
		v.object.properties.tags = nil
		return nil
	})
}

// viewVersion calls f with the version that the request names, which f must not change.
func viewVersion(r *request, f func(*version) error) error {
	v, err := findVersion(r)
	if err != nil {
		return err
	}
	defer r.server.store.release(v)
	return f(v)
}

// changeVersion is replaceVersion, and returns this status.
func changeVersion(r *request, status int, f func(*bucket, *version) error) error {
	if err := replaceVersion(r, f); err != nil {
		return err
	}
	return r.done(status)
}

// replaceVersion replaces the version that the request names by a copy that f has changed.
func replaceVersion(r *request, f func(*bucket, *version) error) error {
	id, err := r.versionID()
	if err != nil {
		return err
	}
	v, shown, err := r.server.store.change(r.Context(), versionName{r.target.bucket, r.target.key, id}, f)
	if err != nil {
		return err
	}
	r.note(v, shown)
	r.showID(shown)
	return nil
}

package attributes

import (
	"encoding/xml"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TagHeader returns the header with the tags of an object, or nil if there are none. It encodes a
// space as "%20", which every server reads as a space.
func TagHeader(tags map[string]string) *string {
	if len(tags) == 0 {
		return nil
	}
	query := url.Values{}
	for key, value := range tags {
		query.Set(key, value)
	}
	return aws.String(strings.ReplaceAll(query.Encode(), "+", "%20"))
}

// TagField returns the form field with the tags of an object, which is an XML document.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
func TagField(tags map[string]string) (string, error) {
	document := struct {
		XMLName xml.Name    `xml:"Tagging"`
		Tags    []types.Tag `xml:"TagSet>Tag"`
	}{Tags: TagSet(tags)}
	text, err := xml.Marshal(document)
	return string(text), err
}

// TagSet returns tags in the type of the SDK. The result is never nil.
func TagSet(tags map[string]string) []types.Tag {
	// The SDK requires the element, even without tags.
	set := []types.Tag{}
	for key, value := range tags {
		set = append(set, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	return set
}

// TagMap returns tags in the type of the SDK as a map.
func TagMap(set []types.Tag) map[string]string {
	tags := make(map[string]string, len(set))
	for _, t := range set {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags
}

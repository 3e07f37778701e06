package s3

import (
	"context"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

// tagHeader returns the header with an object's tags, or nil if there are none. A space is
// "%20", which every server reads as a space.
func tagHeader(tags map[string]string) *string {
	if len(tags) == 0 {
		return nil
	}
	query := url.Values{}
	for key, value := range tags {
		query.Set(key, value)
	}
	return aws.String(strings.ReplaceAll(query.Encode(), "+", "%20"))
}

// tagField returns the form field with an object's tags, which is an XML document.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
func tagField(tags map[string]string) (string, error) {
	document := struct {
		XMLName xml.Name    `xml:"Tagging"`
		Tags    []types.Tag `xml:"TagSet>Tag"`
	}{Tags: tagSet(tags)}
	text, err := xml.Marshal(document)
	return string(text), err
}

func tagSet(tags map[string]string) []types.Tag {
	set := []types.Tag{} // not nil, because the SDK requires the element
	for key, value := range tags {
		set = append(set, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	return set
}

// Tags sends one GetObjectTagging.
func (d *objectDriver) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	input := &awss3.GetObjectTaggingInput{Bucket: &d.bucket.name, Key: &r.Key, VersionId: httpheader.Optional(r.Version)}
	if err := d.account.customize(input, r.Native); err != nil {
		return nil, err
	}
	output, err := d.account.client.GetObjectTagging(ctx, input)
	if err != nil {
		return nil, d.bucket.readError(ctx, err, r)
	}
	return tagMap(output.TagSet), nil
}

func tagMap(set []types.Tag) map[string]string {
	tags := make(map[string]string, len(set))
	for _, t := range set {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return tags
}

// SetTags sends one PutObjectTagging, even to remove all tags. It does not use DeleteObjectTagging,
// because that request does not support Config.RequesterPays.
func (d *objectDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	input := &awss3.PutObjectTaggingInput{
		Bucket:    &d.bucket.name,
		Key:       &r.Key,
		VersionId: httpheader.Optional(r.Version),
		Tagging:   &types.Tagging{TagSet: tagSet(r.Tags)},
	}
	return change(ctx, d, r, d.account.client.PutObjectTagging, input, d.account.withBodyChecksum()...)
}

// change sends a request that changes an object's tags or locks. input is the SDK's input of
// the request.
func change[In, Out any](
	ctx context.Context, d *objectDriver, r *driver.ChangeRequest, send sdkcall.Func[In, Out], input *In,
	options ...func(*awss3.Options),
) error {
	if err := d.account.customize(input, r.Native); err != nil {
		return err
	}
	err := sdkcall.Exec(ctx, send, input, options...)
	if err == nil {
		return nil
	}
	e := s3error.Of(err)
	get := &driver.GetRequest{Key: r.Key, Version: r.Version}
	if e.Status != http.StatusNotFound && e.Status != http.StatusMethodNotAllowed {
		return e
	}
	failure := d.bucket.readError(ctx, e.Err, get)
	if e.Status == http.StatusMethodNotAllowed && storage.CodeOf(failure) != storage.ObjectNotFound {
		// The response of versitygw does not show that the newest version is a delete marker.
		if _, err := d.Head(ctx, get); storage.CodeOf(err) == storage.ObjectNotFound {
			return err
		}
	}
	return failure
}

// withBodyChecksum returns options for requests whose body must have a checksum. Older servers
// accept only MD5 as this checksum.
func (a *account) withBodyChecksum() []func(*awss3.Options) {
	if a.profile.Batch == BatchChecksum {
		return nil
	}
	return []func(*awss3.Options){awss3.WithAPIOptions(sdkcall.WithContentMD5)}
}

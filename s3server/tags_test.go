package s3server_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// tags returns the tags of an object.
func (s *store) tags(t *testing.T, key string) map[string]string {
	t.Helper()
	output, err := s.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{
		Bucket: aws.String(bucket),
		Key:    &key,
	})
	require.NoError(t, err)
	tags := map[string]string{}
	for _, tag := range output.TagSet {
		tags[*tag.Key] = *tag.Value
	}
	return tags
}

// The server stores, returns, replaces and deletes the tags of an object.
func TestTags(t *testing.T) {
	s := startServer(t, s3server.Config{})

	// The header of an upload has the tags in the form of a URL query.
	response, body := s.sendSigned(t, "PUT", "/photos/k", "x", map[string]string{
		"X-Amz-Tagging": "a=1&b%20c=%C3%A9+/&empty",
	})
	require.Equal(t, 200, response.StatusCode, body)
	require.Equal(t, map[string]string{"a": "1", "b c": "é /", "empty": ""}, s.tags(t, "k"))

	// The response to a read has the number of tags.
	head, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	require.Equal(t, int32(3), *head.TagCount)

	// The tags can be removed.
	_, err = s.DeleteObjectTagging(t.Context(), &s3.DeleteObjectTaggingInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	require.Empty(t, s.tags(t, "k"))

	// Invalid tags are refused, and valid ones are stored.
	_, err = s.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{
		Bucket:  aws.String(bucket),
		Key:     aws.String("k"),
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("<&>"), Value: aws.String("")}}},
	})
	requireFailure(t, err, 400, "InvalidTag")

	_, err = s.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{
		Bucket:  aws.String(bucket),
		Key:     aws.String("k"),
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}},
	})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "v"}, s.tags(t, "k"))
}

// A tag that is named like the server's own attributes is an ordinary tag, and changes no access list.
func TestTagsNamedLikeServer(t *testing.T) {
	s := startLenient(t, s3server.Config{})
	s.setOwnership(t, types.ObjectOwnershipObjectWriter)
	input := putInput("k", "content")
	input.ACL = types.ObjectCannedACLPublicRead
	input.Tagging = aws.String("s3server=k%3DGLACIER")
	_, err := s.PutObject(t.Context(), input)
	require.NoError(t, err)

	// The tag has its value, and no effect.
	want := map[string]string{"s3server": "k=GLACIER"}
	require.Equal(t, want, s.tags(t, "k"))
	require.Equal(t, "content", s.get(t, "k"))
	require.Equal(t, 200, anonymousStatus(t, s, "k"))

	// A change of the ACL leaves the tag as it is.
	_, err = s.PutObjectAcl(t.Context(), &s3.PutObjectAclInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
		ACL:    types.ObjectCannedACLPrivate,
	})
	require.NoError(t, err)
	require.Equal(t, want, s.tags(t, "k"))
	require.Equal(t, 403, anonymousStatus(t, s, "k"))

	// The tags can be removed without the ACL.
	_, err = s.DeleteObjectTagging(t.Context(), &s3.DeleteObjectTaggingInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	require.Empty(t, s.tags(t, "k"))
	require.Equal(t, 403, anonymousStatus(t, s, "k"))
}

// The server refuses tags that Amazon S3 refuses: too many, repeated, too long, or with other characters.
func TestTagsRefused(t *testing.T) {
	s := startServer(t, s3server.Config{})
	s.put(t, "k", "x")

	const (
		maxKey   = 128
		maxValue = 256
	)

	tests := []struct {
		name     string
		tags     string
		wantCode string
	}{
		{name: "same key twice", tags: "a=1&a=2", wantCode: "InvalidTag"},
		{name: "key with the prefix of Amazon", tags: "AWS:a=1", wantCode: "InvalidTag"},
		{name: "key empty", tags: "=1", wantCode: "InvalidTag"},
		{name: "key too long", tags: strings.Repeat("k", maxKey+1) + "=", wantCode: "InvalidTag"},
		{name: "value too long", tags: "k=" + strings.Repeat("v", maxValue+1), wantCode: "InvalidTag"},
		{name: "invalid character", tags: "k=%2A", wantCode: "InvalidTag"},
		{name: "malformed header", tags: "k=%", wantCode: "InvalidArgument"},
		{name: "more than ten tags", tags: "a=&b=&c=&d=&e=&f=&g=&h=&i=&j=&k=", wantCode: "BadRequest"},
		{name: "control character", tags: "k=%00", wantCode: "InvalidTag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := s.sendSigned(t, "PUT", "/photos/k", "y", map[string]string{
				"X-Amz-Tagging": tt.tags,
			})
			require.Equal(t, 400, response.StatusCode, body)
			require.Equal(t, tt.wantCode, parseError(t, body).Code, body)
		})
	}

	// A key of two words is accepted.
	response, body := s.sendSigned(t, "PUT", "/photos/k", "y", map[string]string{
		"X-Amz-Tagging": "a b",
	})
	require.Equal(t, 200, response.StatusCode, body)

	// PutObjectTagging needs a checksum.
	const document = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"
	_, body = s.sendSigned(t, "PUT", "/photos/k?tagging", document, nil)
	require.Equal(t, "InvalidRequest", parseError(t, body).Code, "it has no checksum: %s", body)

	// An upload of a part takes no tags.
	_, body = s.sendSigned(t, "PUT", "/photos/k?partNumber=1&uploadId=u", "x", map[string]string{
		"X-Amz-Tagging": "k=v",
	})
	require.Equal(t, "InvalidArgument", parseError(t, body).Code, body)

	// A missing object has no tags.
	_, err := s.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("missing"),
	})
	requireFailure(t, err, 404, "NoSuchKey")
}

package s3

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// someTagsHeader is someTags as the value of a header.
var (
	someTags       = map[string]string{"two words": "a+b=c", "k": "v:w"}
	someTagsHeader = "k=v%3Aw&two%20words=a%2Bb%3Dc"
)

// Each request that writes an object sends its tags in a header, which is signed.
func TestTagsAreAHeaderOfEachWrite(t *testing.T) {
	for _, write := range writesWith(storage.Controls{Tags: someTags}) {
		t.Run(write.name, func(t *testing.T) {
			server := newStandIn(t, write.reply)
			require.NoError(t, write.do(t.Context(), server.openDriver(t, "aws")))

			header := server.Last(t).Header
			require.Equal(t, someTagsHeader, header.Get("X-Amz-Tagging"))
			require.Contains(t, header.Get("Authorization"), "x-amz-tagging")
		})
	}
}

// A copy has the tags of its source, unless the request replaces them.
func TestTagsOfACopy(t *testing.T) {
	tests := []struct {
		name          string
		replace       bool
		tags          map[string]string
		wantDirective string // the header X-Amz-Tagging-Directive
		wantTagging   string // the header X-Amz-Tagging
	}{
		{name: "tags of the source"},
		{name: "other tags", replace: true, tags: someTags, wantDirective: "REPLACE", wantTagging: someTagsHeader},
		{name: "no tags", replace: true, wantDirective: "REPLACE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{Body: copied})
			req := copyOf(func(r *driver.CopyRequest) {
				r.ReplaceTags = tt.replace
				r.Tags = tt.tags
			})

			_, err := server.openDriver(t, "aws").Copy(t.Context(), req)
			require.NoError(t, err)

			header := server.Last(t).Header
			require.Equal(t, tt.wantDirective, header.Get("X-Amz-Tagging-Directive"))
			require.Equal(t, tt.wantTagging, header.Get("X-Amz-Tagging"))
		})
	}
}

// A copy that replaces tags is Unsupported if the server has no tags, so the engine passes the
// bytes through the process.
func TestTagsOfACopyWithoutTags(t *testing.T) {
	server := newStandIn(t)
	req := copyOf(func(r *driver.CopyRequest) {
		r.ReplaceTags = true
	})

	_, err := server.openDriver(t, "r2").Copy(t.Context(), req)
	require.ErrorIs(t, err, storage.Unsupported)
	require.Empty(t, server.Lines())
}

// If a source has tags, Copy sends no extra request, because S3 itself copies them. The attributes
// of the copy have the number of its tags.
func TestCopyReadsNoTags(t *testing.T) {
	withTags := map[string]string{"ETag": etag, "Content-Length": "9", "X-Amz-Tagging-Count": "3"}
	withoutTags := map[string]string{"ETag": etag, "Content-Length": "9"}
	tests := []struct {
		name          string
		source        map[string]string // the header of a HEAD
		opts          []storage.CopyOption
		wantDirective string // the header X-Amz-Tagging-Directive of the copy
		wantCount     int
	}{
		{name: "the source has tags", source: withTags, wantCount: 3},
		{name: "the source has no tags", source: withoutTags},
		{
			name:          "other tags replace those of the source",
			source:        withTags,
			opts:          []storage.CopyOption{storage.WithTags(map[string]string{"k": "v"})},
			wantDirective: "REPLACE",
			wantCount:     1,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The server replies first to a HEAD of the source, and then to the copy.
			server := newStandIn(t, reply{Header: tt.source}, reply{Body: copied})
			b := engine.New(server.openDriver(t, "aws"))
			attrs, err := storage.Copy(t.Context(), b, "to", b, "from", tt.opts...)
			require.NoError(t, err)
			require.Equal(t, tt.wantCount, attrs.TagCount)

			require.Equal(t, []string{"HEAD /photos/from", "PUT /photos/to?x-id=CopyObject"}, server.Lines())
			require.Equal(t, tt.wantDirective, server.Last(t).Header.Get("X-Amz-Tagging-Directive"))
		})
	}
}

// In a copy in parts, S3 does not copy the tags. Copy reads them from the source, unless the
// request replaces them, and sets them on the new object.
func TestTagsOfACopyInParts(t *testing.T) {
	// Each copy is in parts, because openDriverWithSmallCopies lowers the limit of a copy in one request.
	const sourceTags = "<Tagging><TagSet><Tag><Key>a/b</Key><Value></Value></Tag></TagSet></Tagging>"
	part := reply{Body: `<CopyPartResult><ETag>"p"</ETag></CopyPartResult>`}
	complete := reply{Body: `<CompleteMultipartUploadResult><ETag>"c"</ETag></CompleteMultipartUploadResult>`}

	t.Run("other tags", func(t *testing.T) {
		server := newStandIn(t, reply{Body: begun}, part, complete)
		req := copyOfNineBytes()
		req.Tags = someTags
		req.ReplaceTags = true
		_, err := openDriverWithSmallCopies(t, server).Copy(t.Context(), req)
		require.NoError(t, err)
		require.Equal(t, someTagsHeader, server.Requests()[0].Header.Get("X-Amz-Tagging"))
	})

	t.Run("tags of the source", func(t *testing.T) {
		server := newStandIn(t, reply{Body: sourceTags}, reply{Body: begun}, part, complete)
		_, err := openDriverWithSmallCopies(t, server).Copy(t.Context(), copyOfNineBytes())
		require.NoError(t, err)
		require.Equal(t, "GET /photos/from?tagging=&versionId=v1", server.Lines()[0])
		require.Equal(t, "a%2Fb=", server.Requests()[1].Header.Get("X-Amz-Tagging"))
	})

	t.Run("no tags", func(t *testing.T) {
		server := newStandIn(t, reply{Body: begun}, part, complete)
		req := copyOfNineBytes()
		req.ReplaceTags = true
		_, err := openDriverWithSmallCopies(t, server).Copy(t.Context(), req)
		require.NoError(t, err)
		require.Empty(t, server.Requests()[0].Header.Get("X-Amz-Tagging"))
	})

	t.Run("tags of the source may not be read", func(t *testing.T) {
		server := newStandIn(t, errorReply(403, "AccessDenied", "no"))
		_, err := openDriverWithSmallCopies(t, server).Copy(t.Context(), copyOfNineBytes())
		require.ErrorIs(t, err, storage.PermissionDenied)
		require.Contains(t, s3error.Of(err).Hint, "WithTags")
		require.Len(t, server.Lines(), 1)
	})

	t.Run("the source is in another region", func(t *testing.T) {
		redirect := reply{Status: 301, Header: map[string]string{"X-Amz-Bucket-Region": "eu-west-1"}}
		noTags := reply{Body: "<Tagging><TagSet/></Tagging>"}
		server := newStandIn(t, redirect, noTags, reply{Body: begun}, part, complete)
		d := openDriverWithSmallCopies(t, server)
		d.account.endpoint = nil // as it is at Amazon's
		req := copyOfNineBytes()
		req.Source.Bucket = "other"
		_, err := d.Copy(t.Context(), req)
		require.NoError(t, err)

		requests := server.Requests()
		require.Contains(t, requests[0].Header.Get("Authorization"), "/us-east-1/s3/")
		require.Equal(t, "GET /other/from?tagging=&versionId=v1", requests[1].Line())
		require.Contains(t, requests[1].Header.Get("Authorization"), "/eu-west-1/s3/")
	})

	t.Run("the source is gone", func(t *testing.T) {
		server := newStandIn(t, errorReply(404, "NoSuchKey", "no"))
		_, err := openDriverWithSmallCopies(t, server).Copy(t.Context(), copyOfNineBytes())
		require.ErrorIs(t, err, storage.Changed)
	})
}

// openDriverWithSmallCopies opens a driver that copies objects of more than eight bytes in parts of nine
// bytes.
func openDriverWithSmallCopies(t *testing.T, server *standIn) *objectDriver {
	t.Helper()
	d := server.openDriver(t, "aws")
	d.copier.limit = 8
	d.copier.part = 9
	return d
}

// copyOfNineBytes returns a request to copy a version whose size is known.
func copyOfNineBytes() *driver.CopyRequest {
	return &driver.CopyRequest{
		Source: driver.ObjectRef{
			Bucket:  "photos",
			Key:     "from",
			Version: "v1",
			Attrs:   &storage.Attrs{Size: 9},
		},
		Key: "to",
	}
}

// Tags reads the tags of a version.
func TestTagsRequest(t *testing.T) {
	server := newStandIn(t, reply{
		Body: "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>",
	})
	tags, err := server.openDriver(t, "aws").Tags(t.Context(), &driver.GetRequest{
		Key:     "a b",
		Version: "v/1",
	})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "v"}, tags)
	require.Equal(t, []string{"GET /photos/a%20b?tagging=&versionId=v%2F1"}, server.Lines())
}

// SetTags replaces the tags of a version, and sends a checksum that the server supports.
func TestSetTagsRequest(t *testing.T) {
	tests := []struct {
		name     string
		tags     map[string]string
		wantBody string // a part of the body
	}{
		{
			name:     "one tag",
			tags:     map[string]string{"k": "v"},
			wantBody: "<TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet>",
		},
		{name: "no tags", wantBody: "<TagSet></TagSet>"},
	}
	checksums := map[string]string{"aws": "X-Amz-Checksum-Crc32", "minio": "Content-Md5"}
	for _, tt := range tests {
		for profile, checksum := range checksums {
			t.Run(tt.name+" on "+profile, func(t *testing.T) {
				server := newStandIn(t)
				err := server.openDriver(t, profile).SetTags(t.Context(), &driver.ChangeRequest{
					Key:     "k",
					Version: "v",
					Tags:    tt.tags,
				})
				require.NoError(t, err)

				require.Equal(t, []string{"PUT /photos/k?tagging=&versionId=v"}, server.Lines())
				req := server.Last(t)
				require.Contains(t, req.Body, tt.wantBody)
				require.NotEmpty(t, req.Header.Get(checksum))
			})
		}
	}
}

// The error of Tags and SetTags has a code that says what is missing or refused.
func TestTagErrors(t *testing.T) {
	tests := []struct {
		name  string
		reply reply
		want  storage.Code
	}{
		{name: "a missing object", reply: errorReply(404, "NoSuchKey", ""), want: storage.ObjectNotFound},
		{name: "a missing version", reply: errorReply(404, "NoSuchVersion", ""), want: storage.ObjectNotFound},
		{name: "a missing bucket", reply: errorReply(404, "NoSuchBucket", ""), want: storage.BucketNotFound},
		{
			name:  "a delete marker",
			reply: errorReply(405, "MethodNotAllowed", ""),
			want:  storage.ObjectNotFound,
		},
		{name: "a refused tag", reply: errorReply(400, "InvalidTag", ""), want: storage.InvalidArgument},
		{
			name:  "too many tags",
			reply: errorReply(400, "BadRequest", "Object tags cannot be greater than 10"),
			want:  storage.InvalidArgument,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newStandIn(t, tt.reply).openDriver(t, "aws")
			_, err := d.Tags(t.Context(), &driver.GetRequest{Key: "k", Version: "v"})
			require.ErrorIs(t, err, tt.want)

			err = d.SetTags(t.Context(), &driver.ChangeRequest{Key: "k", Version: "v"})
			require.ErrorIs(t, err, tt.want)
		})
	}
}

// S3 answers 405 to a request for the tags of a delete marker. Servers without tags may do the
// same. If the response does not mention a delete marker, SetTags sends a HEAD to learn whether
// there is one.
func TestTagsOfAKeyWhoseNewestVersionIsADeleteMarker(t *testing.T) {
	tests := map[string]struct {
		replies []reply
		want    storage.Code
	}{
		"S3 says so": {
			replies: []reply{{Status: 405, Header: map[string]string{"X-Amz-Delete-Marker": "true"}}},
			want:    storage.ObjectNotFound,
		},
		"versitygw does not say so": {
			replies: []reply{
				errorReply(405, "MethodNotAllowed", ""),
				{Status: 404, Header: map[string]string{"X-Amz-Delete-Marker": "true"}},
			},
			want: storage.ObjectNotFound,
		},
		"a server without the calls": {
			replies: []reply{
				errorReply(405, "MethodNotAllowed", ""),
				{Header: map[string]string{"ETag": etag}},
			},
			want: storage.Unsupported,
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			err := server.openDriver(t, "versitygw").SetTags(t.Context(), &driver.ChangeRequest{Key: "k"})
			require.ErrorIs(t, err, tt.want)
			require.Len(t, server.Requests(), len(tt.replies))
		})
	}
}

// Head and Get return the number of tags.
func TestTagCountOfReads(t *testing.T) {
	server := newStandIn(t, reply{Header: map[string]string{"ETag": etag, "X-Amz-Tagging-Count": "3"}})
	d := server.openDriver(t, "aws")

	attrs, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	require.Equal(t, 3, attrs.TagCount)

	attrs, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, 3, attrs.TagCount)
}

// A signed upload sends its tags in a header that the signature covers.
func TestSignedUploadURLTags(t *testing.T) {
	d := mustOpen(t, Config{AccessKeyID: "AKID", SecretKey: "s", Region: "eu-west-1"})
	req := wiretest.SignedUpload(func(r *driver.SignRequest) {
		r.Tags = someTags
	})

	signedURL, err := d.urls.sign(t.Context(), req, now)
	require.NoError(t, err)
	require.Equal(t, someTagsHeader, signedURL.Header.Get("X-Amz-Tagging"))
	require.Contains(t, signedURL.URL, "x-amz-tagging")
}

// A form with tags has a field with an XML document of the tags. The policy of the form permits no
// other value of this field.
func TestSignedUploadFormTagsField(t *testing.T) {
	d := mustOpen(t, Config{AccessKeyID: "AKID", SecretKey: "s", Region: "eu-west-1"})
	req := formRequest(func(r *driver.SignRequest) {
		r.Tags = map[string]string{"k": "v"}
	})

	form, err := d.urls.signForm(t.Context(), req, now)
	require.NoError(t, err)
	require.Equal(t, "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>",
		form.Fields["tagging"])

	_, conditions := policyOf(t, form)
	require.Contains(t, conditions, any([]any{"eq", "$tagging", form.Fields["tagging"]}))
}

// The field of a form with tags is an XML document, which decodes to the same tags.
func TestTagFieldIsADocument(t *testing.T) {
	field, err := attributes.TagField(someTags)
	require.NoError(t, err)
	var document struct {
		Tags []struct{ Key, Value string } `xml:"TagSet>Tag"`
	}
	require.NoError(t, xml.NewDecoder(strings.NewReader(field)).Decode(&document))
	got := map[string]string{}
	for _, tag := range document.Tags {
		got[tag.Key] = tag.Value
	}
	require.Equal(t, someTags, got)
}

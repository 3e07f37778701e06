package s3

import (
	"context"
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

var (
	someTags     = map[string]string{"two words": "a+b=c", "k": "v:w"}
	someTagsSent = "k=v%3Aw&two%20words=a%2Bb%3Dc"
)

func TestTagsAreAHeaderOfEachWrite(t *testing.T) {
	tagged := storage.Controls{Tags: someTags}
	tests := map[string]struct {
		replies []reply
		call    func(ctx context.Context, d *objectDriver) error
	}{
		"a put": {[]reply{stored}, func(ctx context.Context, d *objectDriver) error {
			r := wiretest.Put("k", "hello")
			r.Controls = tagged
			_, err := d.Put(ctx, r)
			return err
		}},
		"an upload in parts": {[]reply{{Body: "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"}}, func(ctx context.Context, d *objectDriver) error {
			r := wiretest.Put("k", "hello")
			r.Controls = tagged
			_, err := d.BeginParts(ctx, r)
			return err
		}},
		"a copy with other tags": {[]reply{{Body: copied}}, func(ctx context.Context, d *objectDriver) error {
			_, err := d.Copy(ctx, copyOf(func(r *driver.CopyRequest) {
				r.Controls = tagged
				r.ReplaceTags = true
			}))
			return err
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			require.NoError(t, tt.call(t.Context(), server.openDriver(t, "aws")))
			header := server.Last(t).Header
			require.Equal(t, someTagsSent, header.Get("X-Amz-Tagging"))
			require.Contains(t, header.Get("Authorization"), "x-amz-tagging")
		})
	}
}

func TestTagsOfACopy(t *testing.T) {
	tests := map[string]struct {
		change             func(*driver.CopyRequest)
		directive, tagging string
	}{
		"those of the source": {func(*driver.CopyRequest) {}, "", ""},
		"others": {func(r *driver.CopyRequest) {
			r.Tags = someTags
			r.ReplaceTags = true
		}, "REPLACE", someTagsSent},
		"none": {func(r *driver.CopyRequest) {
			r.ReplaceTags = true
		}, "REPLACE", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, reply{Body: copied})
			_, err := server.openDriver(t, "aws").Copy(t.Context(), copyOf(tt.change))
			require.NoError(t, err)
			header := server.Last(t).Header
			require.Equal(t, tt.directive, header.Get("X-Amz-Tagging-Directive"))
			require.Equal(t, tt.tagging, header.Get("X-Amz-Tagging"))
		})
	}
	t.Run("on a server without tags, others are streamed", func(t *testing.T) {
		server := newStandIn(t)
		_, err := server.openDriver(t, "r2").Copy(t.Context(), copyOf(func(r *driver.CopyRequest) {
			r.ReplaceTags = true
		}))
		require.ErrorIs(t, err, storage.Unsupported)
		require.Empty(t, server.Lines())
	})
}

// S3 copies the tags itself, so Copy sends no extra request for a source with tags.
func TestCopyReadsNoTags(t *testing.T) {
	for name, header := range map[string]map[string]string{
		"the source has tags": {"ETag": etag, "Content-Length": "9", "X-Amz-Tagging-Count": "3"},
		"it has none":         {"ETag": etag, "Content-Length": "9"},
	} {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, reply{Header: header}, reply{Body: copied})
			b := engine.New(server.openDriver(t, "aws"))
			attrs, err := storage.Copy(t.Context(), b, "to", b, "from")
			require.NoError(t, err)
			require.Equal(t, []string{"HEAD /photos/from", "PUT /photos/to?x-id=CopyObject"}, server.Lines())
			require.Empty(t, server.Last(t).Header.Get("X-Amz-Tagging-Directive"), "the default is COPY")
			require.Equal(t, map[bool]int{true: 3}[header["X-Amz-Tagging-Count"] != ""], attrs.TagCount)
		})
	}
	t.Run("others replace them", func(t *testing.T) {
		server := newStandIn(t, reply{Header: map[string]string{"ETag": etag, "Content-Length": "9", "X-Amz-Tagging-Count": "3"}}, reply{Body: copied})
		b := engine.New(server.openDriver(t, "aws"))
		attrs, err := storage.Copy(t.Context(), b, "to", b, "from",
			storage.WithTags(map[string]string{"k": "v"}))
		require.NoError(t, err)
		require.Len(t, server.Lines(), 2)
		require.Equal(t, 1, attrs.TagCount)
	})
}

func TestTagsOfACopyInParts(t *testing.T) {
	created := reply{
		Body: "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
	}
	part := reply{Body: `<CopyPartResult><ETag>"p"</ETag></CopyPartResult>`}
	complete := reply{Body: `<CompleteMultipartUploadResult><ETag>"c"</ETag></CompleteMultipartUploadResult>`}
	change := func(r *driver.CopyRequest) *driver.CopyRequest {
		r.Source = driver.ObjectRef{
			Bucket:  "photos",
			Key:     "from",
			Version: "v1",
			Attrs:   &storage.Attrs{Size: 9},
		}
		r.Key = "to"
		return r
	}
	run := func(t *testing.T, r *driver.CopyRequest, replies ...reply) (*standIn, error) {
		server := newStandIn(t, replies...)
		d := server.openDriver(t, "aws")
		d.copier.limit = 8
		d.copier.part = 9
		_, err := d.Copy(t.Context(), change(r))
		return server, err
	}

	t.Run("others", func(t *testing.T) {
		server, err := run(t, &driver.CopyRequest{Controls: storage.Controls{Tags: someTags}, ReplaceTags: true}, created, part, complete)
		require.NoError(t, err)
		require.Equal(t, someTagsSent, server.Requests()[0].Header.Get("X-Amz-Tagging"))
	})

	t.Run("those of the source", func(t *testing.T) {
		server, err := run(t, &driver.CopyRequest{}, reply{Body: "<Tagging><TagSet><Tag><Key>a/b</Key><Value></Value></Tag></TagSet></Tagging>"}, created, part, complete)
		require.NoError(t, err)
		require.Equal(t, "GET /photos/from?tagging=&versionId=v1", server.Lines()[0])
		require.Equal(t, "a%2Fb=", server.Requests()[1].Header.Get("X-Amz-Tagging"))
	})

	t.Run("none", func(t *testing.T) {
		server, err := run(t, &driver.CopyRequest{ReplaceTags: true}, created, part, complete)
		require.NoError(t, err)
		require.Empty(t, server.Requests()[0].Header.Get("X-Amz-Tagging"))
	})

	t.Run("they may not be read", func(t *testing.T) {
		server, err := run(t, &driver.CopyRequest{}, errorReply(403, "AccessDenied", "no"))
		require.ErrorIs(t, err, storage.PermissionDenied)
		require.Contains(t, s3error.Of(err).Hint, "WithTags")
		require.Len(t, server.Lines(), 1)
	})

	t.Run("the source is in another region", func(t *testing.T) {
		elsewhere := reply{Status: 301, Header: map[string]string{"X-Amz-Bucket-Region": "eu-west-1"}}
		server := newStandIn(t, elsewhere, reply{Body: "<Tagging><TagSet/></Tagging>"}, created, part,
			complete)
		d := server.openDriver(t, "aws")
		d.account.endpoint = nil // as it is at Amazon's
		d.copier.limit = 8
		d.copier.part = 9
		r := change(&driver.CopyRequest{})
		r.Source.Bucket = "other"
		_, err := d.Copy(t.Context(), r)
		require.NoError(t, err)

		reqs := server.Requests()
		require.Contains(t, reqs[0].Header.Get("Authorization"), "/us-east-1/s3/")
		require.Equal(t, "GET /other/from?tagging=&versionId=v1", reqs[1].Line())
		require.Contains(t, reqs[1].Header.Get("Authorization"), "/eu-west-1/s3/")
	})

	t.Run("the source is gone", func(t *testing.T) {
		_, err := run(t, &driver.CopyRequest{}, errorReply(404, "NoSuchKey", "no"))
		require.ErrorIs(t, err, storage.Changed)
	})
}

func TestTagCalls(t *testing.T) {
	t.Run("read", func(t *testing.T) {
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
	})
	for profile, sum := range map[string]string{"aws": "X-Amz-Checksum-Crc32", "minio": "Content-Md5"} {
		for name, row := range map[string]struct {
			tags map[string]string
			body string
		}{
			"one":  {map[string]string{"k": "v"}, "<TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet>"},
			"none": {nil, "<TagSet></TagSet>"},
		} {
			t.Run("set "+name+" on "+profile, func(t *testing.T) {
				server := newStandIn(t)
				require.NoError(t, server.openDriver(t, profile).SetTags(t.Context(), &driver.ChangeRequest{
					Key:     "k",
					Version: "v",
					Tags:    row.tags,
				}))
				req := server.Last(t)
				require.Equal(t, []string{"PUT /photos/k?tagging=&versionId=v"}, server.Lines())
				require.Contains(t, string(req.Body), row.body)
				require.NotEmpty(t, req.Header.Get(sum))
			})
		}
	}
	for name, row := range map[string]struct {
		reply reply
		want  storage.Code
	}{
		"no object":       {reply: errorReply(404, "NoSuchKey", ""), want: storage.ObjectNotFound},
		"no version":      {reply: errorReply(404, "NoSuchVersion", ""), want: storage.ObjectNotFound},
		"no bucket":       {reply: errorReply(404, "NoSuchBucket", ""), want: storage.BucketNotFound},
		"a delete marker": {reply: errorReply(405, "MethodNotAllowed", ""), want: storage.ObjectNotFound},
		"a refused tag":   {reply: errorReply(400, "InvalidTag", ""), want: storage.InvalidArgument},
		"too many tags": {
			reply: errorReply(400, "BadRequest", "Object tags cannot be greater than 10"),
			want:  storage.InvalidArgument,
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, row.reply)
			d := server.openDriver(t, "aws")
			_, err := d.Tags(t.Context(), &driver.GetRequest{Key: "k", Version: "v"})
			require.ErrorIs(t, err, row.want)
			require.ErrorIs(t, d.SetTags(t.Context(), &driver.ChangeRequest{Key: "k", Version: "v"}),
				row.want)
		})
	}
}

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
			require.ErrorIs(t, server.openDriver(t, "versitygw").SetTags(t.Context(),
				&driver.ChangeRequest{Key: "k"}), tt.want)
			require.Len(t, server.Requests(), len(tt.replies))
		})
	}
}

// Reads tell the number of tags.
func TestTagCountOfReads(t *testing.T) {
	t.Run("of tags", func(t *testing.T) {
		server := newStandIn(t, reply{Header: map[string]string{"ETag": etag, "X-Amz-Tagging-Count": "3"}})
		d := server.openDriver(t, "aws")

		attrs, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
		require.NoError(t, err)
		require.Equal(t, 3, attrs.TagCount)

		attrs, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.Equal(t, 3, attrs.TagCount)
	})
}

func TestSignedTags(t *testing.T) {
	d := mustOpen(t, Config{AccessKeyID: "AKID", SecretKey: "s", Region: "eu-west-1"})
	signedURL, err := d.urls.sign(t.Context(), wiretest.SignedUpload(func(r *driver.SignRequest) {
		r.Tags = someTags
	}), now)
	require.NoError(t, err)
	require.Equal(t, someTagsSent, signedURL.Header.Get("X-Amz-Tagging"))
	require.Contains(t, signedURL.URL, "x-amz-tagging")

	form, err := d.urls.signForm(t.Context(), formRequest(func(r *driver.SignRequest) {
		r.Tags = map[string]string{"k": "v"}
	}), now)
	require.NoError(t, err)
	require.Equal(t, "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>",
		form.Fields["tagging"])
	_, conditions := policyOf(t, form)
	require.Contains(t, conditions, any([]any{"eq", "$tagging", form.Fields["tagging"]}))
}

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

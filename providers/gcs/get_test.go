package gcs

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/api/googleapi"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// media returns an object as the XML API serves it.
func media(change map[string]string) reply {
	a := reply{Body: "hello world", Header: map[string]string{
		"X-Goog-Generation":              "42",
		"X-Goog-Metageneration":          "1",
		"X-Goog-Hash":                    "crc32c=yZRlqg==,md5=XrY7u+Ae7tCTyyK7j1rNww==",
		"X-Goog-Stored-Content-Encoding": "identity",
		"X-Goog-Stored-Content-Length":   "11",
		"X-Goog-Storage-Class":           "STANDARD",
		"Cache-Control":                  "private, max-age=0",
		"Content-Type":                   "text/plain",
		"ETag":                           `"5eb63bbbe01eeed093cb22bb8f5acdc3"`,
		"Last-Modified":                  "Fri, 02 Jan 2026 03:04:05 GMT",
	}}
	for name, value := range change {
		a.Header[name] = value
	}
	return a
}

func TestGetReadsAllAttributesInOneRequest(t *testing.T) {
	server := newStandIn(t, media(map[string]string{
		"Content-Disposition": "attachment", "Content-Language": "de", "Cache-Control": "no-store", "X-Goog-Storage-Class": "NEARLINE", "X-Goog-Meta-Who": "Zoë",
	}))
	attrs, body, err := server.on(t).Get(t.Context(), &driver.GetRequest{Key: "ä b+c/d", Length: -1})
	require.NoError(t, err)
	data, err := io.ReadAll(body)
	require.NoError(t, err)

	require.NoError(t, body.Close())
	require.Equal(t, "hello world", string(data))
	require.Equal(t, []string{"GET /photos/%C3%A4%20b%2Bc/d"}, server.server.Calls())

	req := server.server.Last(t)
	require.Equal(t, "gzip", req.Header.Get("Accept-Encoding"))
	require.Empty(t, req.Header.Get("Range"))
	require.Equal(t, &storage.Attrs{
		Key:  "ä b+c/d",
		Size: 11,
		Properties: storage.Properties{
			ContentType:        "text/plain",
			ContentDisposition: "attachment",
			ContentLanguage:    "de",
			CacheControl:       "no-store",
			StorageClass:       "NEARLINE",
			Metadata:           map[string]string{"who": "Zoë"},
		},
		ETag:     `"5eb63bbbe01eeed093cb22bb8f5acdc3"`,
		Revision: "42",
		Version:  "42",
		Modified: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		CRC32C:   wiretest.CRC32C("hello world"),
		MD5:      attrs.MD5,
	}, attrs)
	require.Len(t, attrs.MD5, 16)
}

func TestGetOmitsTheDefaultCacheControl(t *testing.T) {
	server := newStandIn(t, media(nil))
	attrs, body, err := server.on(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Empty(t, attrs.CacheControl)
}

func TestGetRequestHeaders(t *testing.T) {
	tests := []struct {
		name                string
		request             driver.GetRequest
		span, match, number string
	}{
		{name: "a range", request: driver.GetRequest{Offset: 2, Length: 3}, span: "bytes=2-4"},
		{name: "from an offset on", request: driver.GetRequest{Offset: 2, Length: -1}, span: "bytes=2-"},
		{name: "the last bytes", request: driver.GetRequest{Suffix: 4, Length: -1}, span: "bytes=-4"},
		{name: "more than any object has", request: driver.GetRequest{Suffix: 1 << 62, Length: -1}, span: "bytes=-5497558138880"},
		{name: "a version", request: driver.GetRequest{Length: -1, Version: "7"}, number: "7"},
		{name: "a revision", request: driver.GetRequest{Length: -1, Condition: storage.Condition{Revision: "42"}}, match: "42"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, failingXML(404, "NoSuchKey", "The specified key does not exist."))
			tt.request.Key = "a"

			_, _, err := server.on(t).Get(t.Context(), &tt.request)
			require.ErrorIs(t, err, storage.ObjectNotFound)
			req := server.server.Last(t)
			require.Equal(t, tt.span, req.Header.Get("Range"))
			require.Equal(t, tt.match, req.Header.Get("X-Goog-If-Generation-Match"))
			require.Equal(t, tt.number, req.Query().Get("generation"))
		})
	}
}

func TestGetOfAnUnchangedRevision(t *testing.T) {
	request := &driver.GetRequest{Key: "a", Length: -1, Condition: storage.Condition{NotRevision: "1700000000000001"}}
	for name, answer := range map[string]reply{"is not sent": {Status: 304}, "is not sent by a server without the condition": stored} {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, answer)
			_, _, err := server.on(t).Get(t.Context(), request)
			require.ErrorIs(t, err, storage.NotModified)
			require.Equal(t, []string{"GET /storage/v1/b/photos/o/a"}, server.server.Calls())
			require.Equal(t, "1700000000000001", server.server.Last(t).Query().Get("ifGenerationNotMatch"))
		})
	}
	t.Run("and one that is another is", func(t *testing.T) {
		server := newStandIn(t, stored, media(nil))
		request.Condition.NotRevision = "41"
		attrs, body, err := server.on(t).Get(t.Context(), request)
		require.NoError(t, err)

		require.NoError(t, body.Close())
		require.Equal(t, "1700000000000001", attrs.Revision)
		require.Equal(t, []string{"GET /storage/v1/b/photos/o/a", "GET /storage/v1/b/photos/o/a"}, server.server.Calls())
		require.Equal(t, "1700000000000001", server.server.Last(t).Query().Get("generation"), "the one that was looked at")
	})
	t.Run("also if it is compressed in transit", func(t *testing.T) {
		server := newStandIn(t, stored, media(map[string]string{"Content-Encoding": "gzip"}), media(nil))
		_, body, err := server.on(t).Get(t.Context(), request)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.Equal(t, "identity", server.server.Last(t).Header.Get("Accept-Encoding"))
	})
}

// If a header of metadata may be encoded, Get reads the metadata from the object's resource. Google does not
// document how headers show text that is not ASCII.
func TestGetEncodedMetadata(t *testing.T) {
	resource := stored
	resource.Body = strings.Replace(stored.Body, `"bucket"`, `"metadata":{"who":"Zo\u00eb"},"bucket"`, 1)
	newer := resource
	newer.Body = strings.Replace(resource.Body, "1700000000000001", "1700000000000002", 1)
	absent := failing(404, "notFound", "No such object: photos/a")

	tests := []struct {
		name, header string
		answers      []reply // after the first
		want         string
		requests     int
	}{
		{name: "plain", header: "Zoe", want: "Zoe", requests: 1},
		{name: "a per cent sign", header: "100% of %20", want: "100% of %20", requests: 1},
		{name: "as it is", header: "Zo\u00eb", want: "Zo\u00eb", requests: 1},
		{name: "escaped", header: "Zo%C3%AB", answers: []reply{resource, media(nil)}, want: "Zo\u00eb", requests: 3},
		{name: "as a MIME encoded-word", header: "=?UTF-8?B?Wm/Dqw==?=", answers: []reply{resource, media(nil)}, want: "Zo\u00eb", requests: 3},
		{name: "in another alphabet", header: "Zo\xeb", answers: []reply{resource, media(nil)}, want: "Zo\u00eb", requests: 3},
		{name: "of an overwritten object", header: "Zo%C3%AB", answers: []reply{resource, absent, newer, media(nil)}, want: "Zo\u00eb", requests: 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, append([]reply{media(map[string]string{"X-Goog-Meta-Who": tt.header})}, tt.answers...)...)
			attrs, body, err := server.on(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.NoError(t, err)
			data, err := io.ReadAll(body)
			require.NoError(t, err)

			require.NoError(t, body.Close())
			require.Equal(t, "hello world", string(data))
			require.Equal(t, map[string]string{"who": tt.want}, attrs.Metadata)
			require.Len(t, server.server.Calls(), tt.requests)

			if tt.requests > 1 {
				require.Equal(t, "1700000000000001", server.server.Requests()[2].Query().Get("generation"))
			}
		})
	}
}

// A read that needs a second request for metadata does not hold its first connection meanwhile. Otherwise, many
// such reads would deadlock.
func TestGetEncodedMetadataOneConnection(t *testing.T) {
	server := newStandIn(t, media(map[string]string{"X-Goog-Meta-Who": "Zo%C3%AB"}), stored, media(nil))
	d := server.on(t, func(c *Config) {
		c.HTTPClient = &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, body, err := d.Get(ctx, &driver.GetRequest{Key: "a", Length: -1})
	require.NoError(t, err)
	require.NoError(t, body.Close())
}

// Get fails if the response has another range than the requested one.
func TestGetRangeResponses(t *testing.T) {
	tests := []struct {
		name   string
		answer reply
		size   int64
		code   storage.Code
	}{
		{
			name:   "the range",
			answer: reply{Status: 206, Header: map[string]string{generationHeader: "1", "Content-Range": "bytes 2-4/11"}, Body: "llo"},
			size:   11,
		},
		{name: "the whole object", answer: media(nil), code: storage.Internal},
		{
			name:   "another range",
			answer: reply{Status: 206, Header: map[string]string{generationHeader: "1", "Content-Range": "bytes 0-2/11"}, Body: "hel"},
			code:   storage.Internal,
		},
		{
			name:   "an invalid Content-Range",
			answer: reply{Status: 206, Header: map[string]string{generationHeader: "1", "Content-Range": "bytes"}, Body: "hel"},
			code:   storage.Internal,
		},
		{
			name:   "past the end",
			answer: failingXML(416, "InvalidRange", "The requested range cannot be satisfied."),
			code:   storage.RangeNotSatisfiable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			attrs, body, err := newStandIn(t, tt.answer).on(t).Get(t.Context(), &driver.GetRequest{Key: "a", Offset: 2, Length: 3})
			require.Equal(t, tt.code, storage.CodeOf(err))
			if tt.code == "" {
				require.Equal(t, tt.size, attrs.Size)
				require.NoError(t, body.Close())
			}
		})
	}
}

// Get accepts status 200 if the requested range is the whole object.
func TestGetOfARangeWithAllBytes(t *testing.T) {
	for _, request := range []driver.GetRequest{{Length: 11}, {Length: 20}, {Suffix: 11, Length: -1}} {
		request.Key = "a"
		attrs, body, err := newStandIn(t, media(nil)).on(t).Get(t.Context(), &request)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.Equal(t, int64(11), attrs.Size)
	}
}

// The ETag of an encrypted object is not its MD5.
func TestETagOfAnEncryptedObject(t *testing.T) {
	const tag = `"-CPjnucrx/eECEAM="`
	key := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	resources := map[string]string{
		"a customer's key": `"customerEncryption":{"encryptionAlgorithm":"AES256","keySha256":"` + key + `"}`,
		"a KMS key":        `"kmsKeyName":"projects/p/locations/us/keyRings/r/cryptoKeys/k"`,
	}
	headers := map[string]string{
		"a customer's key": "X-Goog-Encryption-Key-Sha256", "a KMS key": "X-Goog-Encryption-Kms-Key-Name",
	}

	for name, field := range resources {
		t.Run(name, func(t *testing.T) {
			object := `{"kind":"storage#object","name":"a","generation":"3","size":"11","etag":"CPjnucrx/eECEAM=","md5Hash":"XrY7u+Ae7tCTyyK7j1rNww==","crc32c":"yZRlqg==",` + field + `}`
			d := newStandIn(t, reply{Header: stored.Header, Body: object}).on(t)
			attrs, err := d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.NoError(t, err)
			require.Equal(t, tag, attrs.ETag, "Head")

			attrs, err = d.Put(t.Context(), &driver.PutRequest{Key: "a", Body: strings.NewReader("hello world"), Size: 11})
			require.NoError(t, err)
			require.Equal(t, tag, attrs.ETag, "Put")

			d = newStandIn(t, media(map[string]string{"ETag": tag, headers[name]: key})).on(t)
			attrs, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.NoError(t, err)
			require.NoError(t, body.Close())
			require.Equal(t, tag, attrs.ETag, "Get")

			listing := reply{Header: stored.Header, Body: `{"kind":"storage#objects","items":[` + object + `]}`}
			page, err := newStandIn(t, listing).on(t).List(t.Context(), &driver.ListRequest{Limit: 10})
			require.NoError(t, err)
			require.Equal(t, tag, page.Entries[0].ETag, "List")
		})
	}
}

func TestGetRefusesChangedContentEncoding(t *testing.T) {
	packed := media(map[string]string{"Content-Encoding": "gzip"})
	t.Run("what is packed on the way is asked for as it is", func(t *testing.T) {
		server := newStandIn(t, packed, media(nil))
		attrs, body, err := server.on(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
		require.NoError(t, err)

		require.NoError(t, body.Close())
		require.Empty(t, attrs.ContentEncoding)
		reqs := server.server.Requests()
		require.Len(t, reqs, 2)
		require.Equal(t, "identity", reqs[1].Header.Get("Accept-Encoding"))
	})

	t.Run("what is packed on the way all the same is refused", func(t *testing.T) {
		server := newStandIn(t, packed, packed)
		_, _, err := server.on(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
		require.ErrorIs(t, err, storage.Internal)
	})

	t.Run("what is unpacked on the way is refused", func(t *testing.T) {
		server := newStandIn(t, media(map[string]string{"X-Goog-Stored-Content-Encoding": "gzip"}))
		_, _, err := server.on(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
		require.ErrorIs(t, err, storage.Internal)
	})

	t.Run("what is stored packed comes packed", func(t *testing.T) {
		server := newStandIn(t, media(map[string]string{"X-Goog-Stored-Content-Encoding": "gzip", "Content-Encoding": "gzip"}))
		attrs, body, err := server.on(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
		require.NoError(t, err)
		data, err := io.ReadAll(body)
		require.NoError(t, err)

		require.NoError(t, body.Close())
		require.Equal(t, "hello world", string(data))
		require.Equal(t, "gzip", attrs.ContentEncoding)
	})
}

func TestHeadHasEveryCondition(t *testing.T) {
	tests := []struct {
		name      string
		version   string
		condition storage.Condition
		want      map[string]string
	}{
		{name: "none", condition: storage.Condition{}, want: map[string]string{}},
		{name: "a revision", condition: storage.Condition{Revision: "42"}, want: map[string]string{"ifGenerationMatch": "42"}},
		{name: "another revision", condition: storage.Condition{NotRevision: "42"}, want: map[string]string{"ifGenerationNotMatch": "42"}},
		{name: "a version", version: "7", condition: storage.Condition{}, want: map[string]string{"generation": "7"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, stored)
			_, err := server.on(t).Head(t.Context(), &driver.GetRequest{Key: "a/b", Version: tt.version, Condition: tt.condition})
			require.NoError(t, err)
			req := server.server.Last(t)
			require.Equal(t, "GET /storage/v1/b/photos/o/a%2Fb", req.Call())
			for _, name := range []string{"ifGenerationMatch", "ifGenerationNotMatch", "generation"} {
				require.Equal(t, tt.want[name], req.Query().Get(name), name)
			}
		})
	}
}

// Get tells a missing object from a missing bucket.
func TestGetMissing(t *testing.T) {
	tests := []struct {
		name     string
		answer   reply
		bucket   reply // to the request for the bucket, if the first response is ambiguous
		code     storage.Code
		requests int
	}{
		{
			name:     "no such object",
			answer:   failing(404, "notFound", "No such object: photos/a"),
			bucket:   reply{},
			code:     storage.ObjectNotFound,
			requests: 1,
		},
		{
			name:     "no such bucket",
			answer:   failing(404, "notFound", "The specified bucket does not exist."),
			bucket:   reply{},
			code:     storage.BucketNotFound,
			requests: 1,
		},
		{
			name:     "no such key, in XML",
			answer:   failingXML(404, "NoSuchKey", "The specified key does not exist."),
			bucket:   reply{},
			code:     storage.ObjectNotFound,
			requests: 1,
		},
		{
			name:     "no such object, whose key is the message for a missing bucket",
			answer:   failing(404, "notFound", "No such object: photos/The specified bucket does not exist."),
			bucket:   reply{},
			code:     storage.ObjectNotFound,
			requests: 1,
		},
		{
			name:     "another message, whose key ends in bucket",
			answer:   failing(404, "notFound", "Live version of object b/my-bucket does not exist."),
			bucket:   reply{Body: `{"kind":"storage#bucket","name":"photos"}`},
			code:     storage.ObjectNotFound,
			requests: 2,
		},
		{
			name:     "no such bucket, in XML",
			answer:   failingXML(404, "NoSuchBucket", "The specified bucket does not exist."),
			bucket:   reply{},
			code:     storage.BucketNotFound,
			requests: 1,
		},
		{
			name:     "no message, and a bucket",
			answer:   reply{Status: 404},
			bucket:   reply{Body: `{"kind":"storage#bucket","name":"photos"}`},
			code:     storage.ObjectNotFound,
			requests: 2,
		},
		{name: "no message, and no bucket", answer: reply{Status: 404}, bucket: reply{Status: 404}, code: storage.BucketNotFound, requests: 2},
		{
			name:     "no message, and no permission to see the bucket",
			answer:   reply{Status: 404},
			bucket:   failing(403, "forbidden", "Access denied."),
			code:     storage.ObjectNotFound,
			requests: 2,
		},
		{
			name:     "no message, and an unavailable bucket",
			answer:   reply{Status: 404},
			bucket:   failing(503, "backendError", "Backend Error"),
			code:     storage.Unavailable,
			requests: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			calls := map[string]func(d *objectDriver) error{
				"Get": func(d *objectDriver) error {
					_, _, err := d.Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
					return err
				},
				"Head": func(d *objectDriver) error {
					_, err := d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
					return err
				},
				"Delete": func(d *objectDriver) error { return d.Delete(t.Context(), &driver.DeleteRequest{Key: "a"}) },
			}
			for name, call := range calls {
				if name != "Get" && tt.answer.Header["Content-Type"] == "application/xml; charset=UTF-8" {
					continue // the others use the JSON API
				}
				server := newStandIn(t, tt.answer, tt.bucket)
				err := call(server.on(t))
				want := tt.code
				if name == "Delete" && want == storage.ObjectNotFound {
					want = ""
				}
				require.Equal(t, want, storage.CodeOf(err), "%s: %v", name, err)
				require.Len(t, server.server.Calls(), tt.requests, name)
			}
		})
	}
}

func TestErrorsKeepTheServersMessage(t *testing.T) {
	for name, answer := range map[string]reply{"JSON": failing(403, "forbidden", "no access to it"), "XML": failingXML(403, "AccessDenied", "no access to it")} {
		t.Run(name, func(t *testing.T) {
			answer.Header["Retry-After"] = "7"
			_, _, err := newStandIn(t, answer).on(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})

			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, storage.PermissionDenied, e.Code)
			require.Equal(t, http.StatusForbidden, e.Status)
			require.Equal(t, "R1", e.RequestID)
			require.Equal(t, 7*time.Second, e.RetryAfter)
			require.NotEmpty(t, e.Hint)

			var answered *googleapi.Error
			require.ErrorAs(t, err, &answered)
			require.Equal(t, "no access to it", answered.Message)
			require.NotErrorIs(t, err, storage.OutcomeUnknown)
			require.Contains(t, errors.Unwrap(e).Error(), "no access to it")
		})
	}
}

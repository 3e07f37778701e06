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

// mediaReply returns an object as the XML API serves it. The headers in change replace the default ones.
func mediaReply(change map[string]string) reply {
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

// Get takes one request, and returns all attributes from the headers of its response.
func TestGetReadsAllAttributesInOneRequest(t *testing.T) {
	server := newCannedServer(t, mediaReply(map[string]string{
		"Content-Disposition":  "attachment",
		"Content-Language":     "de",
		"Cache-Control":        "no-store",
		"X-Goog-Storage-Class": "NEARLINE",
		"X-Goog-Meta-Who":      "Zoë",
	}))

	attrs, body, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{Key: "ä b+c/d", Length: -1})
	require.NoError(t, err)
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	require.NoError(t, body.Close())

	require.Equal(t, "hello world", string(data))
	require.Equal(t, []string{"GET /photos/%C3%A4%20b%2Bc/d"}, server.Calls())

	req := server.Last(t)
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
		MD5:      attrs.MD5, // whose length is checked below
	}, attrs)
	require.Len(t, attrs.MD5, 16)
}

// If an object has no Cache-Control, Google sends a default, which Get leaves out of the attributes.
func TestGetOmitsTheDefaultCacheControl(t *testing.T) {
	server := newCannedServer(t, mediaReply(nil))
	attrs, body, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Empty(t, attrs.CacheControl)
}

// The range, the version and the condition of a read are in its request.
func TestGetRequestHeaders(t *testing.T) {
	tests := []struct {
		name           string
		request        driver.GetRequest
		wantRange      string
		wantMatch      string
		wantGeneration string
	}{
		{name: "a range", request: driver.GetRequest{Offset: 2, Length: 3}, wantRange: "bytes=2-4"},
		{name: "from an offset on", request: driver.GetRequest{Offset: 2, Length: -1}, wantRange: "bytes=2-"},
		{name: "the last bytes", request: driver.GetRequest{Suffix: 4, Length: -1}, wantRange: "bytes=-4"},
		{
			name:      "more than the 5 TiB of the largest object",
			request:   driver.GetRequest{Suffix: 1 << 62, Length: -1},
			wantRange: "bytes=-5497558138880",
		},
		{name: "a version", request: driver.GetRequest{Length: -1, Version: "7"}, wantGeneration: "7"},
		{
			name:      "a revision",
			request:   driver.GetRequest{Length: -1, Condition: storage.Condition{Revision: "42"}},
			wantMatch: "42",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, xmlError(404, "NoSuchKey", "The specified key does not exist."))
			tt.request.Key = "a"

			_, _, err := server.openDriver(t).Get(t.Context(), &tt.request)
			require.ErrorIs(t, err, storage.ObjectNotFound)

			req := server.Last(t)
			require.Equal(t, tt.wantRange, req.Header.Get("Range"))
			require.Equal(t, tt.wantMatch, req.Header.Get("X-Goog-If-Generation-Match"))
			require.Equal(t, tt.wantGeneration, req.Query().Get("generation"))
		})
	}
}

// Get with IfRevisionNot reads the attributes first, because the XML API lacks this condition. It
// fails with NotModified if the object still has the revision.
func TestGetOfAnUnchangedRevision(t *testing.T) {
	const revision = "1700000000000001" // of storedReply
	tests := []struct {
		name   string
		answer reply
	}{
		{name: "the server checks the condition", answer: reply{Status: http.StatusNotModified}},
		{name: "the server ignores the condition", answer: storedReply},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.answer)
			_, _, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{
				Key:       "a",
				Length:    -1,
				Condition: storage.Condition{NotRevision: revision},
			})
			require.ErrorIs(t, err, storage.NotModified)
			require.Equal(t, []string{"GET /storage/v1/b/photos/o/a"}, server.Calls())
			require.Equal(t, revision, server.Last(t).Query().Get("ifGenerationNotMatch"))
		})
	}
}

// With IfRevisionNot, Get reads the revision whose attributes it has read.
func TestGetOfAChangedRevision(t *testing.T) {
	server := newCannedServer(t, storedReply, mediaReply(nil))
	attrs, body, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{
		Key:       "a",
		Length:    -1,
		Condition: storage.Condition{NotRevision: "41"},
	})
	require.NoError(t, err)

	require.NoError(t, body.Close())
	require.Equal(t, "1700000000000001", attrs.Revision)
	require.Equal(t, []string{"GET /storage/v1/b/photos/o/a", "GET /storage/v1/b/photos/o/a"}, server.Calls())
	require.Equal(t, "1700000000000001", server.Last(t).Query().Get("generation"))
}

// If an object was compressed on the way, Get requests it again. This also holds with IfRevisionNot.
func TestGetOfAChangedRevisionCompressed(t *testing.T) {
	server := newCannedServer(t,
		storedReply, mediaReply(map[string]string{"Content-Encoding": "gzip"}), mediaReply(nil))
	_, body, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{
		Key:       "a",
		Length:    -1,
		Condition: storage.Condition{NotRevision: "41"},
	})
	require.NoError(t, err)
	require.NoError(t, body.Close())
	require.Equal(t, "identity", server.Last(t).Header.Get("Accept-Encoding"))
}

// Google does not document how headers show metadata that is not ASCII. If a header of metadata may
// be encoded, Get reads the metadata from the object's JSON resource. Then it reads the bytes of
// the generation in that resource.
func TestGetEncodedMetadata(t *testing.T) {
	const generation, newerGeneration = "1700000000000001", "1700000000000002"
	resource := func(generation string) reply {
		return reply{
			Header: storedReply.Header,
			Body:   `{"bucket":"photos","generation":"` + generation + `","size":"11","metadata":{"who":"Zo\u00eb"}}`,
		}
	}
	missing := jsonError(404, "notFound", "No such object: photos/a")
	bytesOfObject := mediaReply(nil)

	tests := []struct {
		name    string
		header  string  // the metadata in the first response
		replies []reply // after the first response; none if the header is taken as it is
		want    string
	}{
		{name: "ASCII", header: "Zoe", want: "Zoe"},
		{name: "a per cent sign and a space in hexadecimal", header: "100% of %20", want: "100% of %20"},
		{name: "UTF-8", header: "Zo\u00eb", want: "Zo\u00eb"},
		{
			name:    "per cent encoding",
			header:  "Zo%C3%AB",
			replies: []reply{resource(generation), bytesOfObject},
			want:    "Zo\u00eb",
		},
		{
			name:    "MIME encoded-word",
			header:  "=?UTF-8?B?Wm/Dqw==?=",
			replies: []reply{resource(generation), bytesOfObject},
			want:    "Zo\u00eb",
		},
		{
			name:    "ISO 8859-1",
			header:  "Zo\xeb",
			replies: []reply{resource(generation), bytesOfObject},
			want:    "Zo\u00eb",
		},
		{
			// The bytes of the first generation are gone, so Get reads the resource again.
			name:    "object overwritten meanwhile",
			header:  "Zo%C3%AB",
			replies: []reply{resource(generation), missing, resource(newerGeneration), bytesOfObject},
			want:    "Zo\u00eb",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := mediaReply(map[string]string{"X-Goog-Meta-Who": tt.header})
			server := newCannedServer(t, append([]reply{first}, tt.replies...)...)

			attrs, body, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.NoError(t, err)
			data, err := io.ReadAll(body)
			require.NoError(t, err)
			require.NoError(t, body.Close())

			require.Equal(t, "hello world", string(data))
			require.Equal(t, map[string]string{"who": tt.want}, attrs.Metadata)
			require.Len(t, server.Calls(), 1+len(tt.replies))
			if len(tt.replies) > 0 {
				require.Equal(t, generation, server.Requests()[2].Query().Get("generation"))
			}
		})
	}
}

// A read that needs a second request for metadata does not hold its first connection meanwhile. Otherwise, many
// such reads would deadlock.
func TestGetEncodedMetadataOneConnection(t *testing.T) {
	server := newCannedServer(t, mediaReply(map[string]string{"X-Goog-Meta-Who": "Zo%C3%AB"}), storedReply,
		mediaReply(nil))
	d := server.openDriver(t, func(c *Config) {
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
		name     string
		answer   reply
		wantSize int64
		wantCode storage.Code // "": success
	}{
		{
			name: "the range",
			answer: reply{
				Status: 206,
				Header: map[string]string{generationHeader: "1", "Content-Range": "bytes 2-4/11"},
				Body:   "llo",
			},
			wantSize: 11,
		},
		{name: "the whole object", answer: mediaReply(nil), wantCode: storage.Internal},
		{
			name: "another range",
			answer: reply{
				Status: 206,
				Header: map[string]string{generationHeader: "1", "Content-Range": "bytes 0-2/11"},
				Body:   "hel",
			},
			wantCode: storage.Internal,
		},
		{
			name: "an invalid Content-Range",
			answer: reply{
				Status: 206,
				Header: map[string]string{generationHeader: "1", "Content-Range": "bytes"},
				Body:   "hel",
			},
			wantCode: storage.Internal,
		},
		{
			name:     "past the end",
			answer:   xmlError(416, "InvalidRange", "The requested range cannot be satisfied."),
			wantCode: storage.RangeNotSatisfiable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			attrs, body, err := newCannedServer(t, tt.answer).openDriver(t).Get(t.Context(), &driver.GetRequest{
				Key:    "a",
				Offset: 2,
				Length: 3,
			})
			require.Equal(t, tt.wantCode, storage.CodeOf(err))
			if tt.wantCode == "" {
				require.Equal(t, tt.wantSize, attrs.Size)
				require.NoError(t, body.Close())
			}
		})
	}
}

// Get accepts status 200 if the requested range is the whole object.
func TestGetOfARangeWithAllBytes(t *testing.T) {
	const size = len("hello world") // of the object in mediaReply

	tests := []struct {
		name    string
		request driver.GetRequest
	}{
		{name: "all bytes", request: driver.GetRequest{Key: "a", Length: int64(size)}},
		{name: "more than all bytes", request: driver.GetRequest{Key: "a", Length: 20}},
		{name: "as many last bytes", request: driver.GetRequest{Key: "a", Suffix: int64(size), Length: -1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newCannedServer(t, mediaReply(nil)).openDriver(t)
			attrs, body, err := d.Get(t.Context(), &tt.request)
			require.NoError(t, err)
			require.NoError(t, body.Close())
			require.Equal(t, int64(size), attrs.Size)
		})
	}
}

// Each call returns the same ETag for an encrypted object. Unlike the ETag of other objects, it is
// not the MD5.
func TestETagOfAnEncryptedObject(t *testing.T) {
	const etag = `"-CPjnucrx/eECEAM="`
	key := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	tests := []struct {
		name   string
		field  string // of the JSON API
		header string // of the XML API
	}{
		{
			name:   "a customer's key",
			field:  `"customerEncryption":{"encryptionAlgorithm":"AES256","keySha256":"` + key + `"}`,
			header: "X-Goog-Encryption-Key-Sha256",
		},
		{
			name:   "a KMS key",
			field:  `"kmsKeyName":"projects/p/locations/us/keyRings/r/cryptoKeys/k"`,
			header: "X-Goog-Encryption-Kms-Key-Name",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			object := `{"kind":"storage#object","name":"a","generation":"3","size":"11",` +
				`"etag":"CPjnucrx/eECEAM=","md5Hash":"XrY7u+Ae7tCTyyK7j1rNww==","crc32c":"yZRlqg==",` +
				tt.field + `}`
			objectReply := reply{Header: storedReply.Header, Body: object}
			media := mediaReply(map[string]string{"ETag": etag, tt.header: key})
			listing := reply{
				Header: storedReply.Header,
				Body:   `{"kind":"storage#objects","items":[` + object + `]}`,
			}
			// These are the replies to Head, Put, Get and List, in this order.
			d := newCannedServer(t, objectReply, objectReply, media, listing).openDriver(t)

			attrs, err := d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.NoError(t, err)
			require.Equal(t, etag, attrs.ETag, "Head")

			attrs, err = d.Put(t.Context(), wiretest.Put("a", "hello world"))
			require.NoError(t, err)
			require.Equal(t, etag, attrs.ETag, "Put")

			attrs, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.NoError(t, err)
			require.NoError(t, body.Close())
			require.Equal(t, etag, attrs.ETag, "Get")

			page, err := d.List(t.Context(), &driver.ListRequest{Limit: 10})
			require.NoError(t, err)
			require.Equal(t, etag, page.Entries[0].ETag, "List")
		})
	}
}

// If an object is compressed on the way to the client, Get requests it again without compression.
func TestGetAsksAgainIfCompressedOnTheWay(t *testing.T) {
	compressed := mediaReply(map[string]string{"Content-Encoding": "gzip"})
	server := newCannedServer(t, compressed, mediaReply(nil))
	attrs, body, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.NoError(t, err)

	require.NoError(t, body.Close())
	require.Empty(t, attrs.ContentEncoding)
	requests := server.Requests()
	require.Len(t, requests, 2)
	require.Equal(t, "identity", requests[1].Header.Get("Accept-Encoding"))
}

// If a server on the way has compressed or decompressed the content, Get fails with Internal,
// because it cannot return the stored bytes.
func TestGetRefusesChangedContentEncoding(t *testing.T) {
	compressed := mediaReply(map[string]string{"Content-Encoding": "gzip"})
	tests := []struct {
		name    string
		replies []reply
	}{
		// Get tries again if the content was compressed.
		{name: "compressed on the way, twice", replies: []reply{compressed, compressed}},
		{
			name:    "decompressed on the way",
			replies: []reply{mediaReply(map[string]string{"X-Goog-Stored-Content-Encoding": "gzip"})},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.replies...)
			_, _, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.ErrorIs(t, err, storage.Internal)
		})
	}
}

// Get does not decompress an object that is stored compressed.
func TestGetStoredCompressed(t *testing.T) {
	server := newCannedServer(t, mediaReply(map[string]string{
		"X-Goog-Stored-Content-Encoding": "gzip",
		"Content-Encoding":               "gzip",
	}))
	attrs, body, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
	require.NoError(t, err)
	data, err := io.ReadAll(body)
	require.NoError(t, err)

	require.NoError(t, body.Close())
	require.Equal(t, "hello world", string(data))
	require.Equal(t, "gzip", attrs.ContentEncoding)
}

// The version and the condition of Head are parameters of its request.
func TestHeadHasEveryCondition(t *testing.T) {
	tests := []struct {
		name      string
		version   string
		condition storage.Condition
		want      map[string]string
	}{
		{name: "no condition", condition: storage.Condition{}, want: map[string]string{}},
		{
			name:      "only this revision",
			condition: storage.Condition{Revision: "42"},
			want:      map[string]string{"ifGenerationMatch": "42"},
		},
		{
			name:      "any other revision",
			condition: storage.Condition{NotRevision: "42"},
			want:      map[string]string{"ifGenerationNotMatch": "42"},
		},
		{
			name:      "a version, without a condition",
			version:   "7",
			condition: storage.Condition{},
			want:      map[string]string{"generation": "7"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, storedReply)
			_, err := server.openDriver(t).Head(t.Context(), &driver.GetRequest{
				Key:       "a/b",
				Version:   tt.version,
				Condition: tt.condition,
			})
			require.NoError(t, err)

			req := server.Last(t)
			require.Equal(t, "GET /storage/v1/b/photos/o/a%2Fb", req.Call())
			for _, name := range []string{"ifGenerationMatch", "ifGenerationNotMatch", "generation"} {
				require.Equal(t, tt.want[name], req.Query().Get(name), name)
			}
		})
	}
}

// Get, Head and Delete tell a missing object from a missing bucket. If the first response does not tell which one is
// missing, they request the bucket. Delete of a missing object succeeds.
func TestGetMissing(t *testing.T) {
	bucketFound := reply{Body: `{"kind":"storage#bucket","name":"photos"}`}
	tests := []struct {
		name         string
		object       reply // to the request for the object
		bucket       reply // to the request for the bucket, if there is one
		want         storage.Code
		wantRequests int
	}{
		{
			name:         "object missing",
			object:       jsonError(404, "notFound", "No such object: photos/a"),
			want:         storage.ObjectNotFound,
			wantRequests: 1,
		},
		{
			name:         "object missing, whose key is the message for a missing bucket",
			object:       jsonError(404, "notFound", "No such object: photos/The specified bucket does not exist."),
			want:         storage.ObjectNotFound,
			wantRequests: 1,
		},
		{
			name:         "bucket missing",
			object:       jsonError(404, "notFound", "The specified bucket does not exist."),
			want:         storage.BucketNotFound,
			wantRequests: 1,
		},
		{
			name:         "unknown message that ends like that for a missing bucket",
			object:       jsonError(404, "notFound", "Live version of object b/my-bucket does not exist."),
			bucket:       bucketFound,
			want:         storage.ObjectNotFound,
			wantRequests: 2,
		},
		{
			name:         "no message, bucket found",
			object:       reply{Status: 404},
			bucket:       bucketFound,
			want:         storage.ObjectNotFound,
			wantRequests: 2,
		},
		{
			name:         "no message, bucket missing",
			object:       reply{Status: 404},
			bucket:       reply{Status: 404},
			want:         storage.BucketNotFound,
			wantRequests: 2,
		},
		{
			name:         "no message, no permission to see the bucket",
			object:       reply{Status: 404},
			bucket:       jsonError(403, "forbidden", "Access denied."),
			want:         storage.ObjectNotFound,
			wantRequests: 2,
		},
		{
			name:         "no message, service unavailable",
			object:       reply{Status: 404},
			bucket:       jsonError(503, "backendError", "Backend Error"),
			want:         storage.Unavailable,
			wantRequests: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.object, tt.bucket)
			_, _, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Len(t, server.Calls(), tt.wantRequests)

			server = newCannedServer(t, tt.object, tt.bucket)
			_, err = server.openDriver(t).Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Len(t, server.Calls(), tt.wantRequests)

			server = newCannedServer(t, tt.object, tt.bucket)
			err = server.openDriver(t).Delete(t.Context(), &driver.DeleteRequest{Key: "a"})
			if tt.want == storage.ObjectNotFound {
				require.NoError(t, err)
			} else {
				require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			}
			require.Len(t, server.Calls(), tt.wantRequests)
		})
	}
}

// Get tells a missing object from a missing bucket by the code in the response of the XML API. Only
// reads of bytes use this API.
func TestGetMissingXML(t *testing.T) {
	tests := []struct {
		name  string
		reply reply
		want  storage.Code
	}{
		{
			name:  "object missing",
			reply: xmlError(404, "NoSuchKey", "The specified key does not exist."),
			want:  storage.ObjectNotFound,
		},
		{
			name:  "bucket missing",
			reply: xmlError(404, "NoSuchBucket", "The specified bucket does not exist."),
			want:  storage.BucketNotFound,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.reply)

			_, _, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Len(t, server.Calls(), 1)
		})
	}
}

// An error has the status, the request id, the delay and the message of the response, through both APIs.
func TestErrorsKeepTheServersMessage(t *testing.T) {
	tests := []struct {
		name   string
		answer reply
	}{
		{name: "JSON", answer: jsonError(403, "forbidden", "no access to it")},
		{name: "XML", answer: xmlError(403, "AccessDenied", "no access to it")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.answer.Header["Retry-After"] = "7"

			_, _, err := newCannedServer(t, tt.answer).openDriver(t).Get(t.Context(), &driver.GetRequest{
				Key:    "a",
				Length: -1,
			})

			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, storage.PermissionDenied, storageErr.Code)
			require.Equal(t, http.StatusForbidden, storageErr.Status)
			require.Equal(t, "R1", storageErr.RequestID)
			require.Equal(t, 7*time.Second, storageErr.RetryAfter)
			require.NotEmpty(t, storageErr.Hint)
			require.Contains(t, errors.Unwrap(storageErr).Error(), "no access to it")
			require.NotErrorIs(t, err, storage.OutcomeUnknown)

			var sdkErr *googleapi.Error
			require.ErrorAs(t, err, &sdkErr)
			require.Equal(t, "no access to it", sdkErr.Message)
		})
	}
}

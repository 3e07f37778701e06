package s3

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Delete sends one DELETE, and treats a missing object as removed. If an error page of a gateway comes in place of a
// response of S3, the error is OutcomeUnknown, because S3 may have removed the object.
func TestDelete(t *testing.T) {
	const deleteKey = "DELETE /photos/k?x-id=DeleteObject"
	tests := []struct {
		name        string
		request     driver.DeleteRequest
		replies     []reply
		wantLines   []string
		wantIfMatch string       // the header If-Match
		wantCode    storage.Code // "": no error
		wantUnknown bool         // the error is OutcomeUnknown
	}{
		{
			name:      "an object",
			replies:   []reply{{Status: 204}},
			wantLines: []string{deleteKey},
		},
		{
			name:      "a version",
			request:   driver.DeleteRequest{Version: "v1"},
			replies:   []reply{{Status: 204}},
			wantLines: []string{"DELETE /photos/k?versionId=v1&x-id=DeleteObject"},
		},
		{
			name:        "a matching revision",
			request:     driver.DeleteRequest{Condition: storage.Condition{Revision: etag}},
			replies:     []reply{{Status: 204}},
			wantIfMatch: etag,
			wantLines:   []string{deleteKey},
		},
		{
			name:        "another revision",
			request:     driver.DeleteRequest{Condition: storage.Condition{Revision: etag}},
			replies:     []reply{errorReply(412, "PreconditionFailed", "")},
			wantIfMatch: etag,
			wantCode:    storage.PreconditionFailed,
			wantLines:   []string{deleteKey},
		},
		{
			name:        "a missing object",
			request:     driver.DeleteRequest{Condition: storage.Condition{Revision: etag}},
			replies:     []reply{errorReply(404, "NoSuchKey", "")},
			wantIfMatch: etag,
			wantLines:   []string{deleteKey},
		},
		{
			name:      "a missing version",
			request:   driver.DeleteRequest{Version: "v1"},
			replies:   []reply{errorReply(404, "NoSuchVersion", "")},
			wantLines: []string{"DELETE /photos/k?versionId=v1&x-id=DeleteObject"},
		},
		{
			name:      "a malformed version",
			request:   driver.DeleteRequest{Version: "v"},
			replies:   []reply{errorReply(400, "InvalidArgument", "Invalid version id specified")},
			wantCode:  storage.InvalidArgument,
			wantLines: []string{"DELETE /photos/k?versionId=v&x-id=DeleteObject"},
		},
		{
			name:      "a missing bucket",
			replies:   []reply{errorReply(404, "NoSuchBucket", "")},
			wantCode:  storage.BucketNotFound,
			wantLines: []string{deleteKey},
		},
		{
			name:      "404 without a body",
			replies:   []reply{{Status: 404}, {Status: 404}},
			wantCode:  storage.BucketNotFound,
			wantLines: []string{deleteKey, "HEAD /photos"},
		},
		{
			name:        "a gateway's 404",
			replies:     []reply{gatewayReply(404)},
			wantCode:    storage.Unavailable,
			wantUnknown: true,
			wantLines:   []string{deleteKey},
		},
		{
			name:        "a gateway's 403",
			replies:     []reply{gatewayReply(403)},
			wantCode:    storage.PermissionDenied,
			wantUnknown: true,
			wantLines:   []string{deleteKey},
		},
		{
			name: "a 404 of Amazon's API Gateway",
			replies: []reply{
				{
					Status: 404,
					Header: map[string]string{withoutAmazonHeader: "", "X-Amz-Apigw-Id": "x"},
					Body:   `{"message":"Not Found"}`,
				},
			},
			wantCode:    storage.Unavailable,
			wantUnknown: true,
			wantLines:   []string{deleteKey},
		},
		{
			name: "a gateway's page with an ETag, as nginx sends",
			replies: []reply{
				{
					Status: 403,
					Header: map[string]string{withoutAmazonHeader: "", "Etag": `"5dd3e500-1ee"`},
					Body:   "<html></html>",
				},
			},
			wantCode:    storage.PermissionDenied,
			wantUnknown: true,
			wantLines:   []string{deleteKey},
		},
		{
			name: "a 403 of S3's format without a header of Amazon",
			replies: []reply{
				{
					Status: 403,
					Header: map[string]string{withoutAmazonHeader: ""},
					Body:   errorReply(403, "AccessDenied", "Access Denied.").Body,
				},
			},
			wantCode:  storage.PermissionDenied,
			wantLines: []string{deleteKey},
		},
		{
			name:    "a locked version",
			request: driver.DeleteRequest{Version: "v1"},
			replies: []reply{
				errorReply(403, "AccessDenied", "Access Denied because object protected by object lock."),
			},
			wantCode:  storage.Locked,
			wantLines: []string{"DELETE /photos/k?versionId=v1&x-id=DeleteObject"},
		},
		{
			name:        "no response",
			replies:     []reply{{Cut: true}},
			wantCode:    storage.Unavailable,
			wantUnknown: true,
			wantLines:   []string{deleteKey},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			request := tt.request
			request.Key = "k"
			err := server.openDriver(t, "aws").Delete(t.Context(), &request)
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
			if tt.wantUnknown {
				require.ErrorIs(t, err, storage.OutcomeUnknown)
			} else {
				require.NotErrorIs(t, err, storage.OutcomeUnknown)
			}
			require.Equal(t, tt.wantLines, server.Lines())
			require.Equal(t, tt.wantIfMatch, server.Requests()[0].Header.Get("If-Match"))
		})
	}
}

// removedAll is the response to a batch that has only the key a.
const removedAll = `<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>`

// DeleteBatch sends one request for all keys, and returns the result of each key.
func TestDeleteBatch(t *testing.T) {
	server := newStandIn(t, reply{Body: `<DeleteResult><Deleted><Key>a</Key></Deleted>
		<Error><Key>b</Key><Code>AccessDenied</Code><Message>no</Message></Error>
		<Error><Key>c</Key><Code>NoSuchKey</Code></Error>
		<Error><Key>d</Key><Code>SlowDown</Code></Error></DeleteResult>`})
	reqs := []driver.DeleteRequest{{Key: "a"}, {Key: "b"}, {Key: "c"}, {Key: "d"}, {Key: "b"}}

	errs := server.openDriver(t, "aws").DeleteBatch(t.Context(), reqs)
	require.Len(t, errs, len(reqs))
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], storage.PermissionDenied)
	require.NoError(t, errs[2], "a missing object must be no error")
	require.ErrorIs(t, errs[3], storage.RateLimited)
	require.ErrorIs(t, errs[4], storage.PermissionDenied, "each request for a key must get its result")
	require.Equal(t, []string{"POST /photos?delete="}, server.Lines())

	got := server.Last(t)
	require.Contains(t, got.Body, "<Delete ")
	require.NotContains(t, got.Body, "Quiet", "the response must have each result")
	require.Equal(t, 1, strings.Count(got.Body, "<Key>b</Key>"))
	require.NotEmpty(t, got.Header.Get("X-Amz-Checksum-Crc32"))
}

// Servers name a failed key in different ways: without its version, escaped, or not at all. If a
// failure may belong to several requests, DeleteBatch returns it for each of them.
func TestDeleteBatchMatchesFailuresToRequests(t *testing.T) {
	const denied = "<Code>AccessDenied</Code>"
	tests := []struct {
		name      string
		requests  []driver.DeleteRequest
		failure   string         // in the response
		wantCodes []storage.Code // of each request; "": no error
	}{
		{
			name:      "a version that was not requested",
			requests:  []driver.DeleteRequest{{Key: "a"}, {Key: "b"}},
			failure:   "<Key>a</Key><VersionId>null</VersionId>" + denied,
			wantCodes: []storage.Code{storage.PermissionDenied, ""},
		},
		{
			name:      "the version null, which was requested",
			requests:  []driver.DeleteRequest{{Key: "a"}, {Key: "a", Version: "null"}},
			failure:   "<Key>a</Key><VersionId>null</VersionId>" + denied,
			wantCodes: []storage.Code{"", storage.PermissionDenied},
		},
		{
			name:      "the version null, and another version was requested",
			requests:  []driver.DeleteRequest{{Key: "a"}, {Key: "a", Version: "v1"}},
			failure:   "<Key>a</Key><VersionId>null</VersionId>" + denied,
			wantCodes: []storage.Code{storage.PermissionDenied, ""},
		},
		{
			name:      "no version, and two versions were requested",
			requests:  []driver.DeleteRequest{{Key: "a", Version: "v1"}, {Key: "a", Version: "v2"}, {Key: "b"}},
			failure:   "<Key>a</Key>" + denied,
			wantCodes: []storage.Code{storage.PermissionDenied, storage.PermissionDenied, ""},
		},
		{
			name:      "no key",
			requests:  []driver.DeleteRequest{{Key: "a"}, {Key: "b"}},
			failure:   denied,
			wantCodes: []storage.Code{storage.Unsupported, storage.Unsupported},
		},
		{
			name:      "a key without its leading slash",
			requests:  []driver.DeleteRequest{{Key: "/a"}, {Key: "b"}},
			failure:   "<Key>a</Key>" + denied,
			wantCodes: []storage.Code{storage.Unsupported, storage.Unsupported},
		},
		{
			name:      "an escaped key",
			requests:  []driver.DeleteRequest{{Key: "a/b"}, {Key: "b"}},
			failure:   "<Key>a%2Fb</Key>" + denied,
			wantCodes: []storage.Code{storage.Unsupported, storage.Unsupported},
		},
		{
			name:      "no key, for a missing object",
			requests:  []driver.DeleteRequest{{Key: "a"}, {Key: "b"}},
			failure:   "<Code>NoSuchKey</Code>",
			wantCodes: []storage.Code{"", ""},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{
				Body: "<DeleteResult><Error>" + tt.failure + "</Error></DeleteResult>",
			})
			var codes []storage.Code
			for _, err := range server.openDriver(t, "aws").DeleteBatch(t.Context(), tt.requests) {
				codes = append(codes, storage.CodeOf(err))
			}
			require.Equal(t, tt.wantCodes, codes)
		})
	}
}

// DeleteBatch deletes a key with a request of its own if the response to the batch lacks the result
// of that key.
func TestDeleteBatchDeletesObjectsWithoutAResultOneByOne(t *testing.T) {
	server := newStandIn(t,
		reply{Body: removedAll},
		reply{Status: http.StatusNoContent},
		errorReply(http.StatusForbidden, "AccessDenied", ""), // to a third request, which must not come
	)

	errs := server.openDriver(t, "aws").DeleteBatch(t.Context(), []driver.DeleteRequest{
		{Key: "a"},
		{Key: "b"},
	})
	require.Equal(t, []error{nil, nil}, errs)
	require.Equal(t, []string{"POST /photos?delete=", "DELETE /photos/b?x-id=DeleteObject"}, server.Lines())
}

// Each key of a batch fails with OutcomeUnknown if the response has no result at all, because such
// a response does not show what was deleted.
func TestDeleteBatchWithoutAnyResult(t *testing.T) {
	tests := []struct {
		name string
		body string
	}{
		{name: "no result", body: `<DeleteResult></DeleteResult>`},
		{name: "a web page", body: `<html></html>`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newStandIn(t, reply{Body: tt.body}).openDriver(t, "aws")
			errs := d.DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: "a"}, {Key: "b"}})
			require.Len(t, errs, 2)
			for _, err := range errs {
				require.ErrorIs(t, err, storage.Unavailable)
				require.ErrorIs(t, err, storage.OutcomeUnknown)
			}
		})
	}
}

// A batch has a Content-MD5, and no other checksum, if the server supports no other. For Google,
// see https://docs.cloud.google.com/storage/docs/xml-api/post-bucket
func TestDeleteBatchWithContentMD5(t *testing.T) {
	for _, profile := range []string{"b2", "gcs"} {
		t.Run(profile, func(t *testing.T) {
			server := newStandIn(t, reply{Body: removedAll})
			d := server.openDriver(t, profile)
			errs := d.DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: "a"}})
			require.Equal(t, []error{nil}, errs)

			got := server.Last(t)
			require.Equal(t, "POST /photos?delete=", got.Line())
			require.NotEmpty(t, got.Header.Get("Content-Md5"))
			require.Empty(t, got.Header.Get("X-Amz-Checksum-Crc32"), "B2 must get no header that it does not know")
			require.Empty(t, got.Header.Get("X-Amz-Sdk-Checksum-Algorithm"))
		})
	}
}

// A key with a control character or with a condition does not fit into a batch. DeleteBatch sends a
// request of its own for each such key.
func TestDeleteBatchDeletesSomeObjectsOneByOne(t *testing.T) {
	server := newStandIn(t, reply{Body: removedAll})
	errs := server.openDriver(t, "aws").DeleteBatch(t.Context(), []driver.DeleteRequest{
		{Key: "a"},
		{Key: "control\x01"},
		{Key: "swap", Condition: storage.Condition{Revision: etag}},
	})
	require.Equal(t, []error{nil, nil, nil}, errs)
	require.Equal(t, []string{
		"POST /photos?delete=",
		"DELETE /photos/control%01?x-id=DeleteObject",
		"DELETE /photos/swap?x-id=DeleteObject",
	}, server.Lines())
}

// If a batch fails, each key fails with the error of the batch. If the server has no batches, the
// error is Unsupported, and the engine deletes the objects one by one.
func TestDeleteBatchErrors(t *testing.T) {
	tests := []struct {
		name         string
		noBatches    bool // the profile says so
		reply        reply
		wantCode     storage.Code
		wantRequests int
	}{
		{
			name:         "not implemented",
			reply:        errorReply(501, "NotImplemented", ""),
			wantCode:     storage.Unsupported,
			wantRequests: 1,
		},
		{
			name:         "not allowed",
			reply:        errorReply(405, "MethodNotAllowed", ""),
			wantCode:     storage.Unsupported,
			wantRequests: 1,
		},
		{
			name:         "another checksum is required",
			reply:        errorReply(400, "MissingContentMD5", ""),
			wantCode:     storage.Unsupported,
			wantRequests: 1,
		},
		{name: "known to have no batches", noBatches: true, wantCode: storage.Unsupported},
		{
			name:         "the batch is denied",
			reply:        errorReply(403, "AccessDenied", ""),
			wantCode:     storage.PermissionDenied,
			wantRequests: 1,
		},
		{
			name:         "a missing bucket",
			reply:        errorReply(404, "NoSuchBucket", ""),
			wantCode:     storage.BucketNotFound,
			wantRequests: 1,
		},
		{
			name:         "throttled",
			reply:        errorReply(503, "SlowDown", ""),
			wantCode:     storage.RateLimited,
			wantRequests: 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.reply)
			d := server.openDriver(t, "aws", func(c *Config) {
				if tt.noBatches {
					c.Profile.Batch = BatchNone
				}
			})

			errs := d.DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: "a"}, {Key: "b"}})
			require.Len(t, errs, 2)
			require.ErrorIs(t, errs[0], tt.wantCode)
			require.ErrorIs(t, errs[1], tt.wantCode)
			require.Len(t, server.Requests(), tt.wantRequests)
		})
	}
}

package s3

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Delete sends one DELETE, and treats a missing object as removed. Its error says whether the server
// may have removed the object.
// A gateway's error page leaves that unknown.
func TestDelete(t *testing.T) {
	tests := []struct {
		name        string
		request     driver.DeleteRequest
		replies     []reply
		wantLines   []string
		match       string
		wantCode    storage.Code // "": none
		wantUnknown bool
	}{
		{
			name:      "plain",
			replies:   []reply{{Status: 204}},
			wantLines: []string{"DELETE /photos/k?x-id=DeleteObject"},
		},
		{
			name:      "a version",
			request:   driver.DeleteRequest{Version: "v1"},
			replies:   []reply{{Status: 204}},
			wantLines: []string{"DELETE /photos/k?versionId=v1&x-id=DeleteObject"},
		},
		{
			name:      "compare and remove",
			request:   driver.DeleteRequest{Condition: storage.Condition{Revision: etag}},
			replies:   []reply{{Status: 204}},
			match:     etag,
			wantLines: []string{"DELETE /photos/k?x-id=DeleteObject"},
		},
		{
			name:      "another revision stays",
			request:   driver.DeleteRequest{Condition: storage.Condition{Revision: etag}},
			replies:   []reply{errorReply(412, "PreconditionFailed", "")},
			match:     etag,
			wantCode:  storage.PreconditionFailed,
			wantLines: []string{"DELETE /photos/k?x-id=DeleteObject"},
		},
		{
			name:      "a missing object",
			request:   driver.DeleteRequest{Condition: storage.Condition{Revision: etag}},
			replies:   []reply{errorReply(404, "NoSuchKey", "")},
			match:     etag,
			wantLines: []string{"DELETE /photos/k?x-id=DeleteObject"},
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
			wantLines: []string{"DELETE /photos/k?x-id=DeleteObject"},
		},
		{
			name:      "404 without a body",
			replies:   []reply{{Status: 404}, {Status: 404}},
			wantCode:  storage.BucketNotFound,
			wantLines: []string{"DELETE /photos/k?x-id=DeleteObject", "HEAD /photos"},
		},
		{
			name:        "a gateway's 404",
			replies:     []reply{gatewayReply(404)},
			wantCode:    storage.Unavailable,
			wantUnknown: true,
			wantLines:   []string{"DELETE /photos/k?x-id=DeleteObject"},
		},
		{
			name:        "a gateway's 403",
			replies:     []reply{gatewayReply(403)},
			wantCode:    storage.PermissionDenied,
			wantUnknown: true,
			wantLines:   []string{"DELETE /photos/k?x-id=DeleteObject"},
		},
		{
			name: "a 404 of Amazon's API Gateway",
			replies: []reply{
				{
					Status: 404,
					Header: map[string]string{"X-Amz-Stand-In": "", "X-Amz-Apigw-Id": "x"},
					Body:   `{"message":"Not Found"}`,
				},
			},
			wantCode:    storage.Unavailable,
			wantUnknown: true,
			wantLines:   []string{"DELETE /photos/k?x-id=DeleteObject"},
		},
		{
			name: "a gateway's page with an ETag, as nginx sends",
			replies: []reply{
				{
					Status: 403,
					Header: map[string]string{"X-Amz-Stand-In": "", "Etag": `"5dd3e500-1ee"`},
					Body:   "<html></html>",
				},
			},
			wantCode:    storage.PermissionDenied,
			wantUnknown: true,
			wantLines:   []string{"DELETE /photos/k?x-id=DeleteObject"},
		},
		{
			name: "403 of a server that sends no id",
			replies: []reply{
				{
					Status: 403,
					Header: map[string]string{"X-Amz-Stand-In": ""},
					Body:   errorReply(403, "AccessDenied", "Access Denied.").Body,
				},
			},
			wantCode:  storage.PermissionDenied,
			wantLines: []string{"DELETE /photos/k?x-id=DeleteObject"},
		},
		{
			name:    "retention",
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
			wantLines:   []string{"DELETE /photos/k?x-id=DeleteObject"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.replies...)
			tt.request.Key = "k"
			err := server.openDriver(t, "aws").Delete(t.Context(), &tt.request)
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
			if tt.wantUnknown {
				require.ErrorIs(t, err, storage.OutcomeUnknown)
			} else {
				require.NotErrorIs(t, err, storage.OutcomeUnknown)
			}
			require.Equal(t, tt.wantLines, server.Lines())
			require.Equal(t, tt.match, server.Requests()[0].Header.Get("If-Match"))
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

// Servers name a failed key in different ways: without its version, escaped, or not at all.
// DeleteBatch returns the failure for each request that it may belong to.
func TestDeleteBatchMatchesFailuresToRequests(t *testing.T) {
	const denied = "<Code>AccessDenied</Code>"
	request := func(key string, version ...string) driver.DeleteRequest {
		return driver.DeleteRequest{Key: key, Version: strings.Join(version, "")}
	}
	tests := []struct {
		name     string
		requests []driver.DeleteRequest
		failure  string
		codes    []storage.Code // "": none
	}{
		{
			name:     "a version that was not requested",
			requests: []driver.DeleteRequest{request("a"), request("b")},
			failure:  "<Key>a</Key><VersionId>null</VersionId>" + denied,
			codes:    []storage.Code{storage.PermissionDenied, ""},
		},
		{
			name:     "the version null, which was requested",
			requests: []driver.DeleteRequest{request("a"), request("a", "null")},
			failure:  "<Key>a</Key><VersionId>null</VersionId>" + denied,
			codes:    []storage.Code{"", storage.PermissionDenied},
		},
		{
			name:     "the current one among its versions",
			requests: []driver.DeleteRequest{request("a"), request("a", "v1")},
			failure:  "<Key>a</Key><VersionId>null</VersionId>" + denied,
			codes:    []storage.Code{storage.PermissionDenied, ""},
		},
		{
			name:     "no version for requests with one",
			requests: []driver.DeleteRequest{request("a", "v1"), request("a", "v2"), request("b")},
			failure:  "<Key>a</Key>" + denied,
			codes:    []storage.Code{storage.PermissionDenied, storage.PermissionDenied, ""},
		},
		{
			name:     "no key",
			requests: []driver.DeleteRequest{request("a"), request("b")},
			failure:  denied,
			codes:    []storage.Code{storage.Unsupported, storage.Unsupported},
		},
		{
			name:     "a key without its slash",
			requests: []driver.DeleteRequest{request("/a"), request("b")},
			failure:  "<Key>a</Key>" + denied,
			codes:    []storage.Code{storage.Unsupported, storage.Unsupported},
		},
		{
			name:     "an escaped key",
			requests: []driver.DeleteRequest{request("a/b"), request("b")},
			failure:  "<Key>a%2Fb</Key>" + denied,
			codes:    []storage.Code{storage.Unsupported, storage.Unsupported},
		},
		{
			name:     "no key, for a missing object",
			requests: []driver.DeleteRequest{request("a"), request("b")},
			failure:  "<Code>NoSuchKey</Code>",
			codes:    []storage.Code{"", ""},
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
			require.Equal(t, tt.codes, codes)
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

// Each key of a batch fails with OutcomeUnknown if the response has no result at all, because it
// does not show what was deleted.
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

// A batch has a Content-MD5, and no other checksum, if the server supports only that. For Google:
// https://docs.cloud.google.com/storage/docs/xml-api/post-bucket
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

// DeleteBatch deletes keys with a control character, and those with a condition, with requests of
// their own, because they do not fit into a batch.
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

// If a batch fails, each key fails with its error. If the server has no batches, the error is
// Unsupported, and the engine deletes the objects one by one.
func TestDeleteBatchErrors(t *testing.T) {
	tests := []struct {
		name      string
		noBatches bool // the profile says so
		reply     reply
		wantCode  storage.Code
		requests  int
	}{
		{
			name:     "not implemented",
			reply:    errorReply(501, "NotImplemented", ""),
			wantCode: storage.Unsupported,
			requests: 1,
		},
		{
			name:     "not allowed",
			reply:    errorReply(405, "MethodNotAllowed", ""),
			wantCode: storage.Unsupported,
			requests: 1,
		},
		{
			name:     "another checksum is required",
			reply:    errorReply(400, "MissingContentMD5", ""),
			wantCode: storage.Unsupported,
			requests: 1,
		},
		{name: "known to have no batches", noBatches: true, wantCode: storage.Unsupported},
		{
			name:     "the batch is denied",
			reply:    errorReply(403, "AccessDenied", ""),
			wantCode: storage.PermissionDenied,
			requests: 1,
		},
		{
			name:     "a missing bucket",
			reply:    errorReply(404, "NoSuchBucket", ""),
			wantCode: storage.BucketNotFound,
			requests: 1,
		},
		{
			name:     "throttled",
			reply:    errorReply(503, "SlowDown", ""),
			wantCode: storage.RateLimited,
			requests: 1,
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
			require.Len(t, server.Requests(), tt.requests)
		})
	}
}

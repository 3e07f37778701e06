package gcs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
)

// Delete sends its version and its condition as query parameters.
func TestDeleteRequests(t *testing.T) {
	tests := []struct {
		name    string
		request driver.DeleteRequest
		want    map[string]string
	}{
		{name: "the object", request: driver.DeleteRequest{}, want: nil},
		{
			name:    "one revision",
			request: driver.DeleteRequest{Condition: storage.Condition{Revision: "42"}},
			want:    map[string]string{"ifGenerationMatch": "42"},
		},
		{
			name:    "a version",
			request: driver.DeleteRequest{Version: "7"},
			want:    map[string]string{"generation": "7"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, reply{Status: 204})
			tt.request.Key = "a/b"
			require.NoError(t, server.openDriver(t).Delete(t.Context(), &tt.request))

			req := server.Last(t)
			require.Equal(t, "DELETE /storage/v1/b/photos/o/a%2Fb", req.Call())
			for _, name := range []string{"ifGenerationMatch", "generation"} {
				require.Equal(t, tt.want[name], req.Query().Get(name), name)
			}
		})
	}
}

// If Delete fails, its error is OutcomeUnknown only if the object may have been removed.
func TestDeleteFailedOutcomes(t *testing.T) {
	tests := []struct {
		name        string
		reply       reply
		want        storage.Code
		wantUnknown bool
	}{
		{
			name:        "a hold",
			reply:       jsonError(403, "objectUnderActiveHold", "Object is under active Event-Based hold"),
			want:        storage.Locked,
			wantUnknown: false,
		},
		{
			name:        "no response",
			reply:       reply{Cut: true},
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{
			name:        "a server in trouble",
			reply:       jsonError(503, "backendError", "Backend Error"),
			want:        storage.Unavailable,
			wantUnknown: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.reply)

			err := server.openDriver(t).Delete(t.Context(), &driver.DeleteRequest{
				Key:       "a",
				Condition: storage.Condition{Revision: "42"},
			})
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, tt.want, storageErr.Code)
			require.Equal(t, tt.wantUnknown, storageErr.Unknown)
			require.Len(t, server.Calls(), 1, "the SDK retries nothing")
		})
	}
}

// Put and Copy with IfAbsent over a held object fail with PreconditionFailed, although Google may report only the hold.
func TestPutOverHeldObject(t *testing.T) {
	heldReply := jsonError(403, "objectUnderActiveHold",
		"Object 'photos/a' is under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed.")
	tests := []struct {
		name      string
		condition storage.Condition
		want      storage.Code
	}{
		{name: "IfAbsent", condition: storage.Condition{Absent: true}, want: storage.PreconditionFailed},
		{name: "IfRevision", condition: storage.Condition{Revision: "42"}, want: storage.Locked},
		{name: "no condition", condition: storage.Condition{}, want: storage.Locked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newCannedServer(t, heldReply, heldReply).openDriver(t)

			_, err := d.Put(t.Context(), &driver.PutRequest{
				Key:       "a",
				Body:      strings.NewReader("x"),
				Size:      1,
				Condition: tt.condition,
			})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)

			_, err = d.Copy(t.Context(), &driver.CopyRequest{
				Key:       "a",
				Source:    d.Locate("b"),
				Condition: tt.condition,
			})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

// conditionNotMet is the response to a request whose condition does not hold.
var conditionNotMet = jsonError(412, "conditionNotMet",
	"At least one of the pre-conditions you specified did not hold.")

// If the condition of a call does not hold, the driver requests the object, because the Code tells
// a missing object from another revision.
func TestConditionOnAMissingObject(t *testing.T) {
	condition := storage.Condition{Revision: "42"}
	tests := []struct {
		name       string
		object     reply // to the request for the object
		wantRead   storage.Code
		wantDelete storage.Code
	}{
		{
			name:       "object missing",
			object:     jsonError(404, "notFound", "No such object: photos/a"),
			wantRead:   storage.ObjectNotFound,
			wantDelete: "", // a success
		},
		{
			name:       "object has another revision",
			object:     storedReply,
			wantRead:   storage.PreconditionFailed,
			wantDelete: storage.PreconditionFailed,
		},
		{
			name:       "bucket missing",
			object:     jsonError(404, "notFound", "The specified bucket does not exist."),
			wantRead:   storage.BucketNotFound,
			wantDelete: storage.BucketNotFound,
		},
		{
			name:       "no permission to see the object",
			object:     jsonError(403, "forbidden", "no"),
			wantRead:   storage.PreconditionFailed,
			wantDelete: storage.PreconditionFailed,
		},
		{
			name:       "server out of service",
			object:     jsonError(503, "backendError", "no"),
			wantRead:   storage.Unavailable,
			wantDelete: storage.Unavailable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, conditionNotMet, tt.object)
			_, _, err := server.openDriver(t).Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Condition: condition})
			require.Equal(t, tt.wantRead, storage.CodeOf(err), "%v", err)
			requireObjectRequestedLast(t, server)

			server = newCannedServer(t, conditionNotMet, tt.object)
			_, err = server.openDriver(t).Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Condition: condition})
			require.Equal(t, tt.wantRead, storage.CodeOf(err), "%v", err)
			requireObjectRequestedLast(t, server)

			server = newCannedServer(t, conditionNotMet, tt.object)
			err = server.openDriver(t).Delete(t.Context(), &driver.DeleteRequest{Key: "a", Condition: condition})
			require.Equal(t, tt.wantDelete, storage.CodeOf(err), "%v", err)
			requireObjectRequestedLast(t, server)
		})
	}
}

// requireObjectRequestedLast requires that the server got two requests, and that the last one is
// for the object "a".
func requireObjectRequestedLast(t *testing.T, s *cannedServer) {
	t.Helper()
	require.Len(t, s.Calls(), 2)
	require.Equal(t, "GET /storage/v1/b/photos/o/a", s.Calls()[1])
}

// rewriteDone is the response to the last call of a rewrite.
var rewriteDone = reply{
	Header: storedReply.Header,
	Body:   `{"kind":"storage#rewriteResponse","done":true,"objectSize":"11","totalBytesRewritten":"11","resource":` + storedReply.Body + `}`,
}

// copySource returns an object in another bucket.
func copySource() driver.ObjectRef {
	return driver.ObjectRef{Bucket: "from", Key: "x/y", Revision: "42"}
}

// Copy sends one rewrite request. The request names the generation of the source, and has all
// properties of the copy in its body.
func TestCopyRequests(t *testing.T) {
	// The class is always sent, because Google would otherwise use the default class of the bucket.
	const standard = `{"contentType":"application/octet-stream","storageClass":"STANDARD"}`
	properties := storage.Properties{
		ContentType:  "text/plain",
		CacheControl: "no-store",
		Metadata:     map[string]string{"k": "v"},
	}
	tests := []struct {
		name      string
		request   driver.CopyRequest
		wantQuery map[string]string
		wantBody  string
	}{
		{
			name:     "properties of the source",
			request:  driver.CopyRequest{Properties: properties},
			wantBody: `{"contentType":"text/plain","cacheControl":"no-store","metadata":{"k":"v"},"storageClass":"STANDARD"}`,
		},
		{
			name:     "properties replaced",
			request:  driver.CopyRequest{Properties: properties, Replace: true},
			wantBody: `{"contentType":"text/plain","cacheControl":"no-store","metadata":{"k":"v"},"storageClass":"STANDARD"}`,
		},
		{
			name:     "properties replaced by none",
			request:  driver.CopyRequest{Replace: true},
			wantBody: standard,
		},
		{name: "no properties", request: driver.CopyRequest{}, wantBody: standard},
		{
			name:     "another class",
			request:  driver.CopyRequest{Properties: storage.Properties{ContentType: "text/plain", StorageClass: "NEARLINE"}},
			wantBody: `{"contentType":"text/plain","storageClass":"NEARLINE"}`,
		},
		{
			name:      "IfAbsent",
			request:   driver.CopyRequest{Condition: storage.Condition{Absent: true}},
			wantQuery: map[string]string{"ifGenerationMatch": "0"},
			wantBody:  standard,
		},
		{
			name:      "IfRevision",
			request:   driver.CopyRequest{Condition: storage.Condition{Revision: "9"}},
			wantQuery: map[string]string{"ifGenerationMatch": "9"},
			wantBody:  standard,
		},
		{
			name:      "public read",
			request:   driver.CopyRequest{Controls: storage.Controls{PublicRead: true}},
			wantQuery: map[string]string{"destinationPredefinedAcl": "publicRead"},
			wantBody:  standard,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, rewriteDone)
			tt.request.Key, tt.request.Source = "a", copySource()

			attrs, err := server.openDriver(t).Copy(t.Context(), &tt.request)
			require.NoError(t, err)
			require.Equal(t, "1700000000000001", attrs.Revision)

			req := server.Last(t)
			require.Equal(t, "POST /storage/v1/b/from/o/x%2Fy/rewriteTo/b/photos/o/a", req.Call())
			require.Equal(t, "42", req.Query().Get("sourceGeneration"), "the source is pinned")

			for _, name := range []string{
				"ifGenerationMatch", "destinationPredefinedAcl", "ifSourceGenerationMatch",
			} {
				require.Equal(t, tt.wantQuery[name], req.Query().Get(name), name)
			}
			require.JSONEq(t, tt.wantBody, req.Body)
		})
	}
}

// Move sends one request, with the condition on its destination.
func TestMoveRequests(t *testing.T) {
	tests := []struct {
		name      string
		condition storage.Condition
		want      string
	}{
		{name: "replaces an object", condition: storage.Condition{}, want: ""},
		{name: "IfAbsent", condition: storage.Condition{Absent: true}, want: "0"},
		{name: "IfRevision", condition: storage.Condition{Revision: "9"}, want: "9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, storedReply)

			attrs, err := server.openDriver(t).Move(t.Context(), &driver.MoveRequest{
				From:      "x/y",
				Key:       "a b",
				Condition: tt.condition,
			})
			require.NoError(t, err)
			require.Equal(t, "1700000000000001", attrs.Revision)
			require.Equal(t, int64(11), attrs.Size)

			req := server.Last(t)
			require.Equal(t, "POST /storage/v1/b/photos/o/x%2Fy/moveTo/o/a%20b", req.Call())
			require.Equal(t, tt.want, req.Query().Get("ifGenerationMatch"))
			require.Empty(t, req.Query().Get("ifSourceGenerationMatch"))
			require.Len(t, server.Calls(), 1)
		})
	}
}

// Move fails with the Code of the server's response. The error is OutcomeUnknown unless the server
// has refused the move.
func TestMoveFailures(t *testing.T) {
	tests := []struct {
		name               string
		reply              reply
		want               storage.Code
		wantOutcomeUnknown bool
	}{
		{
			name:  "the source is missing",
			reply: jsonError(404, "notFound", "No such object: photos/x"),
			want:  storage.ObjectNotFound,
		},
		{
			name:  "the bucket is missing",
			reply: jsonError(404, "notFound", "The specified bucket does not exist."),
			want:  storage.BucketNotFound,
		},
		{
			name: "the condition does not hold",
			reply: jsonError(412, "conditionNotMet",
				"At least one of the pre-conditions you specified did not hold."),
			want: storage.PreconditionFailed,
		},
		{
			name:               "the server is busy",
			reply:              jsonError(503, "backendError", "Backend Error"),
			want:               storage.Unavailable,
			wantOutcomeUnknown: true,
		},
		{
			name:               "a gateway's 404",
			reply:              gatewayError(404),
			want:               storage.Unavailable,
			wantOutcomeUnknown: true,
		},
		{
			name:               "no response",
			reply:              reply{Cut: true},
			want:               storage.Unavailable,
			wantOutcomeUnknown: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.reply)

			_, err := server.openDriver(t).Move(t.Context(), &driver.MoveRequest{From: "x", Key: "a"})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.wantOutcomeUnknown, errors.Is(err, storage.OutcomeUnknown))
			require.Len(t, server.Calls(), 1, "the SDK retries nothing")
		})
	}
}

// The driver has the feature ServerMove only for Google, because other servers lack the method objects.move.
func TestMoveByGoogleOnly(t *testing.T) {
	tests := []struct {
		name     string
		endpoint string
		want     bool
	}{
		{name: "Google", endpoint: "", want: true},
		{name: "a region of Google", endpoint: "https://storage.us-east1.rep.googleapis.com", want: true},
		{name: "an emulator", endpoint: "http://127.0.0.1:4443", want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := NewDriver(t.Context(), Config{Bucket: "photos", Endpoint: tt.endpoint, Anonymous: true})
			require.NoError(t, err)
			require.Equal(t, tt.want, d.Describe().Features&storage.ServerMove != 0)
			require.NoError(t, d.Close())
		})
	}
}

// rewriteMore returns the response to a call of a rewrite that is not the last.
func rewriteMore(token string) reply {
	return reply{
		Header: storedReply.Header,
		Body: `{"kind":"storage#rewriteResponse","done":false,"rewriteToken":"` + token + `",` +
			`"objectSize":"11","totalBytesRewritten":"5"}`,
	}
}

// Copy calls Google's rewrite until a response says that the copy is done. Each call sends the
// token of the previous response. One failure after progress is retried. After an error, the last
// token is in the request's Resume, so that another attempt can continue.
func TestCopyTakesSeveralCalls(t *testing.T) {
	busy := jsonError(503, "backendError", "Backend Error")
	refusal := jsonError(412, "conditionNotMet",
		"At least one of the pre-conditions you specified did not hold.")
	tests := []struct {
		name        string
		replies     []reply
		wantTokens  []string     // of the calls, in order
		want        storage.Code // "": success
		wantUnknown bool         // whether the copy may have been made
		wantResume  string       // the token for another attempt
	}{
		{
			name:       "done after three calls",
			replies:    []reply{rewriteMore("1"), rewriteMore("2"), rewriteDone},
			wantTokens: []string{"", "1", "2"},
			want:       "",
		},
		{
			name:       "failures after progress",
			replies:    []reply{rewriteMore("1"), busy, rewriteMore("2"), {Cut: true}, rewriteDone},
			wantTokens: []string{"", "1", "1", "2", "2"},
			want:       "",
		},
		{
			name:        "first call fails",
			replies:     []reply{busy},
			wantTokens:  []string{""},
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{
			name:        "two failures without progress",
			replies:     []reply{rewriteMore("1"), busy, busy},
			wantTokens:  []string{"", "1", "1"},
			want:        storage.Unavailable,
			wantUnknown: true,
			wantResume:  "1",
		},
		{
			name:       "rate limited",
			replies:    []reply{rewriteMore("1"), jsonError(429, "rateLimitExceeded", "Slow down")},
			wantTokens: []string{"", "1"},
			want:       storage.RateLimited,
			wantResume: "1",
		},
		{
			name:       "refused",
			replies:    []reply{rewriteMore("1"), jsonError(403, "forbidden", "No")},
			wantTokens: []string{"", "1"},
			want:       storage.PermissionDenied,
			wantResume: "1",
		},
		{
			name:       "token expired",
			replies:    []reply{rewriteMore("1"), jsonError(410, "gone", "Gone")},
			wantTokens: []string{"", "1"},
			want:       storage.Unavailable,
		},
		{
			name:        "failure that may hide the copy, then a refusal",
			replies:     []reply{rewriteMore("1"), busy, refusal},
			wantTokens:  []string{"", "1", "1"},
			want:        storage.PreconditionFailed,
			wantUnknown: true,
			wantResume:  "1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.replies...)
			r := &driver.CopyRequest{Key: "a", Source: copySource(), Condition: storage.Condition{Absent: true}}

			_, err := server.openDriver(t).Copy(t.Context(), r)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.wantUnknown, errors.Is(err, storage.OutcomeUnknown))
			require.Equal(t, tt.wantResume, r.Resume)

			var tokens []string
			for _, req := range server.Requests() {
				require.Equal(t, "42", req.Query().Get("sourceGeneration"))
				tokens = append(tokens, req.Query().Get("rewriteToken"))
			}
			require.Equal(t, tt.wantTokens, tokens)
		})
	}
}

// If a rewrite fails, the next attempt of the engine continues it with the last token.
func TestCopyResumesInTheNextAttempt(t *testing.T) {
	busy := jsonError(503, "backendError", "Backend Error")
	server := newCannedServer(t, storedReply, rewriteMore("1"), busy, busy, rewriteMore("2"), rewriteDone)
	bucket := engine.New(server.openDriver(t),
		storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Nanosecond}))

	_, err := storage.Copy(t.Context(), bucket, "b", bucket, "a")
	require.NoError(t, err)

	// The first request reads the source, and the others rewrite it.
	var tokens []string
	for _, req := range server.Requests()[1:] {
		tokens = append(tokens, req.Query().Get("rewriteToken"))
	}
	require.Equal(t, []string{"", "1", "1", "1", "2"}, tokens)
}

// Compose sends one request, which pins the generations of the sources.
func TestComposeRequests(t *testing.T) {
	server := newCannedServer(t, storedReply)

	_, err := server.openDriver(t).Compose(t.Context(), &driver.ComposeRequest{
		Key: "a",
		Sources: []driver.ObjectRef{
			{Bucket: "photos", Key: "x", Revision: "1"},
			{Bucket: "photos", Key: "y", Revision: "2"},
		},
		Properties: storage.Properties{
			ContentType:  "text/plain",
			Metadata:     map[string]string{"k": "v"},
			StorageClass: "NEARLINE",
		},
		Controls:  storage.Controls{PublicRead: true},
		Condition: storage.Condition{Absent: true},
	})
	require.NoError(t, err)

	req := server.Last(t)
	require.Equal(t, "POST /storage/v1/b/photos/o/a/compose", req.Call())
	require.Equal(t, "0", req.Query().Get("ifGenerationMatch"))
	require.Equal(t, "publicRead", req.Query().Get("destinationPredefinedAcl"))
	require.JSONEq(t, `{
		"destination": {
			"bucket": "photos",
			"contentType": "text/plain",
			"metadata": {"k": "v"},
			"storageClass": "NEARLINE"
		},
		"sourceObjects": [{"name": "x", "generation": "1"}, {"name": "y", "generation": "2"}]
	}`, req.Body)
}

// Copy and Compose fail with Changed if a source has changed or is missing, and with other Codes for other failures.
func TestCopySourceChanged(t *testing.T) {
	tests := []struct {
		name  string
		reply reply
		want  storage.Code
	}{
		{
			name:  "the source has changed or is missing",
			reply: jsonError(404, "notFound", "No such object: from/x/y"),
			want:  storage.Changed,
		},
		{
			name: "the destination's condition does not hold",
			reply: jsonError(412, "conditionNotMet",
				"At least one of the pre-conditions you specified did not hold."),
			want: storage.PreconditionFailed,
		},
		{
			name:  "the destination's bucket is missing",
			reply: jsonError(404, "notFound", "The specified bucket does not exist."),
			want:  storage.BucketNotFound,
		},
		{
			name:  "the source may not be read",
			reply: jsonError(403, "forbidden", "Access denied."),
			want:  storage.PermissionDenied,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newCannedServer(t, tt.reply).openDriver(t)

			_, err := d.Copy(t.Context(), &driver.CopyRequest{
				Key:       "a",
				Source:    copySource(),
				Condition: storage.Condition{Absent: true},
			})
			require.Equal(t, tt.want, storage.CodeOf(err))

			// Compose reads only sources of its own bucket.
			src := copySource()
			src.Bucket = "photos"
			_, err = d.Compose(t.Context(), &driver.ComposeRequest{
				Key:       "a",
				Sources:   []driver.ObjectRef{src},
				Condition: storage.Condition{Absent: true},
			})
			require.Equal(t, tt.want, storage.CodeOf(err))
		})
	}
}

// If the response to Copy or Compose is lost, the call fails with OutcomeUnknown. The same holds
// for an error after which the copy may exist.
func TestCopyResponseLost(t *testing.T) {
	for _, lost := range lostReplies {
		t.Run(lost.name, func(t *testing.T) {
			server := newCannedServer(t, lost.answer)
			d := server.openDriver(t)

			_, err := d.Copy(t.Context(), &driver.CopyRequest{Key: "a", Source: copySource()})
			require.ErrorIs(t, err, storage.OutcomeUnknown)

			_, err = d.Compose(t.Context(), &driver.ComposeRequest{
				Key:     "a",
				Sources: []driver.ObjectRef{{Bucket: "photos", Key: "x", Revision: "1"}},
			})
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			require.Len(t, server.Calls(), 2, "the SDK retries nothing")
		})
	}
}

// ListVersions fails with Unavailable, instead of running forever, if the server repeats a page.
func TestListVersionsRepeatedPage(t *testing.T) {
	server := newCannedServer(t, reply{
		Header: storedReply.Header,
		Body: `{"kind":"storage#objects","nextPageToken":"next","items":[` +
			`{"name":"a","generation":"1","size":"3","timeCreated":"2026-01-02T03:04:05.678Z"}]}`,
	})
	_, err := server.openDriver(t).ListVersions(t.Context(), &driver.ListRequest{Limit: 3})
	require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)

	const manyRequests = 20 // far more than the driver needs to see the same page again
	require.Less(t, len(server.Calls()), manyRequests)
}

// listingPage returns a page of a listing with the prefix "b/" and objects with the given names. The argument next is
// the token of the page after it.
func listingPage(next string, names ...string) reply {
	var items []string
	for _, name := range names {
		items = append(items, fmt.Sprintf(`{"name":%q,"generation":"42","size":"3","etag":"CAE=",`+
			`"md5Hash":"XrY7u+Ae7tCTyyK7j1rNww==","timeCreated":"2026-01-02T03:04:05.678Z"}`, name))
	}
	return reply{
		Header: storedReply.Header,
		Body: `{"kind":"storage#objects","items":[` + strings.Join(items, ",") + `],` +
			`"prefixes":["b/"],"nextPageToken":"` + next + `"}`,
	}
}

// List sends its options as query parameters, requests only the fields that it needs, and sorts prefixes among the
// keys.
func TestListRequests(t *testing.T) {
	server := newCannedServer(t, listingPage("next", "a", "c")) // with the prefix "b/", too
	page, err := server.openDriver(t).List(t.Context(), &driver.ListRequest{
		Prefix:    "p",
		Delimiter: "/",
		Limit:     3,
	})
	require.NoError(t, err)
	require.Equal(t, "next", page.Token)

	// The page has the entries of the response, in the order of their keys.
	var keys []string
	for _, entry := range page.Entries[:3] {
		keys = append(keys, entry.Key)
	}
	require.Equal(t, []string{"a", "b/", "c"}, keys)
	require.True(t, page.Entries[1].IsPrefix)
	require.Equal(t, `"5eb63bbbe01eeed093cb22bb8f5acdc3"`, page.Entries[0].ETag)
	require.Equal(t, "42", page.Entries[0].Revision)
	require.Equal(t, int64(3), page.Entries[0].Size)

	// The request has the options.
	req := server.Last(t)
	require.Equal(t, "GET /storage/v1/b/photos/o", req.Call())
	require.Equal(t, "p", req.Query().Get("prefix"))
	require.Equal(t, "/", req.Query().Get("delimiter"))
	require.Equal(t, "3", req.Query().Get("maxResults"))
	require.Equal(t, "noAcl", req.Query().Get("projection"))

	fields := req.Query().Get("fields")
	for _, field := range []string{
		"name", "size", "etag", "md5Hash", "generation", "timeCreated", "prefixes", "nextPageToken",
	} {
		require.Contains(t, fields, field)
	}
	for _, field := range []string{"metadata", "contentType", "acl"} {
		require.NotContains(t, fields, field)
	}
}

// List with a token sends the token, but not the key after which the listing started.
func TestListNextPage(t *testing.T) {
	server := newCannedServer(t, listingPage("next", "a", "c"))

	_, err := server.openDriver(t).List(t.Context(), &driver.ListRequest{
		Token:      "next",
		StartAfter: "a",
		Limit:      3,
	})
	require.NoError(t, err)
	require.Equal(t, "next", server.Last(t).Query().Get("pageToken"))
	require.Empty(t, server.Last(t).Query().Get("startOffset"))
}

// List of a missing bucket fails with BucketNotFound.
func TestListMissingBucket(t *testing.T) {
	server := newCannedServer(t, jsonError(404, "notFound", "Not Found"))
	_, err := server.openDriver(t).List(t.Context(), &driver.ListRequest{Limit: 3})
	require.ErrorIs(t, err, storage.BucketNotFound)
}

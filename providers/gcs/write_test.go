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

func TestDeleteRequests(t *testing.T) {
	tests := []struct {
		name    string
		request driver.DeleteRequest
		want    map[string]string
	}{
		{"the object", driver.DeleteRequest{}, nil},
		{"one revision", driver.DeleteRequest{Condition: storage.Condition{Revision: "42"}}, map[string]string{"ifGenerationMatch": "42"}},
		{"a version", driver.DeleteRequest{Version: "7"}, map[string]string{"generation": "7"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{Status: 204})
			tt.request.Key = "a/b"
			require.NoError(t, server.on(t).Delete(t.Context(), &tt.request))
			req := server.server.Last(t)
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
		name    string
		answer  reply
		code    storage.Code
		unknown bool
	}{
		{name: "a hold", answer: failing(403, "objectUnderActiveHold", "Object is under active Event-Based hold"), code: storage.Locked},
		{name: "no response", answer: reply{Cut: true}, code: storage.Unavailable, unknown: true},
		{name: "a server in trouble", answer: failing(503, "backendError", "Backend Error"), code: storage.Unavailable, unknown: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.answer)
			err := server.on(t).Delete(t.Context(), &driver.DeleteRequest{Key: "a", Condition: storage.Condition{Revision: "42"}})
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.code, e.Code)
			require.Equal(t, tt.unknown, e.Unknown)
			require.Len(t, server.server.Calls(), 1, "the SDK retries nothing")
		})
	}
}

// Put with IfAbsent over a held object fails with PreconditionFailed, although Google may report the hold first.
func TestPutOverHeldObject(t *testing.T) {
	refusal := failing(403, "objectUnderActiveHold", "Object 'photos/a' is under active Temporary hold and cannot be deleted, overwritten or archived until hold is removed.")
	tests := map[string]struct {
		condition storage.Condition
		want      storage.Code
	}{
		"a create":  {storage.Condition{Absent: true}, storage.PreconditionFailed},
		"an update": {storage.Condition{Revision: "42"}, storage.Locked},
		"a write":   {storage.Condition{}, storage.Locked},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newStandIn(t, refusal, refusal).on(t)
			_, err := d.Put(t.Context(), &driver.PutRequest{Key: "a", Body: strings.NewReader("x"), Size: 1, Condition: tt.condition})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			_, err = d.Copy(t.Context(), &driver.CopyRequest{Key: "a", Source: d.Locate("b"), Condition: tt.condition})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

var refusedCondition = failing(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")

func TestConditionOnAMissingObject(t *testing.T) {
	condition := storage.Condition{Revision: "42"}
	absent := failing(404, "notFound", "No such object: photos/a")
	noBucket := failing(404, "notFound", "The specified bucket does not exist.")
	for operation, do := range map[string]func(d *objectDriver) error{
		"a removal": func(d *objectDriver) error {
			return d.Delete(t.Context(), &driver.DeleteRequest{Key: "a", Condition: condition})
		},
		"BucketInfo": func(d *objectDriver) error {
			_, err := d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Condition: condition})
			return err
		},
		"a download": func(d *objectDriver) error {
			_, _, err := d.Get(t.Context(), &driver.GetRequest{Key: "a", Length: -1, Condition: condition})
			return err
		},
	} {
		notFound := storage.ObjectNotFound
		if operation == "a removal" {
			notFound = "" // which is a success
		}
		tests := map[string]struct {
			look reply
			want storage.Code
		}{
			"no object":               {absent, notFound},
			"another revision":        {stored, storage.PreconditionFailed},
			"no bucket":               {noBucket, storage.BucketNotFound},
			"no permission to see it": {failing(403, "forbidden", "no"), storage.PreconditionFailed},
			"a server out of service": {failing(503, "backendError", "no"), storage.Unavailable},
		}
		for name, tt := range tests {
			t.Run(operation+": "+name, func(t *testing.T) {
				server := newStandIn(t, refusedCondition, tt.look)
				err := do(server.on(t))
				require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
				require.Equal(t, "GET /storage/v1/b/photos/o/a", server.server.Calls()[1])
				require.Len(t, server.server.Calls(), 2)
			})
		}
	}
}

// rewritten returns the response to the last call of a rewrite.
var rewritten = reply{Header: stored.Header, Body: `{"kind":"storage#rewriteResponse","done":true,"objectSize":"11","totalBytesRewritten":"11","resource":` + stored.Body + `}`}

func source() driver.ObjectRef {
	return driver.ObjectRef{Bucket: "from", Key: "x/y", Revision: "42"}
}

func TestCopyRequests(t *testing.T) {
	const standard = `{"contentType":"application/octet-stream","storageClass":"STANDARD"}`
	properties := storage.Properties{ContentType: "text/plain", CacheControl: "no-store", Metadata: map[string]string{"k": "v"}}
	tests := []struct {
		name    string
		request driver.CopyRequest
		query   map[string]string
		body    string
	}{
		{
			name:    "attributes come along",
			request: driver.CopyRequest{Properties: properties},
			body:    `{"contentType":"text/plain","cacheControl":"no-store","metadata":{"k":"v"},"storageClass":"STANDARD"}`,
		},
		{
			name:    "attributes are replaced",
			request: driver.CopyRequest{Properties: properties, Replace: true},
			body:    `{"contentType":"text/plain","cacheControl":"no-store","metadata":{"k":"v"},"storageClass":"STANDARD"}`,
		},
		{name: "none of them is required but one", request: driver.CopyRequest{Replace: true}, body: standard},
		{name: "the standard class is not the bucket's", request: driver.CopyRequest{}, body: standard},
		{
			name:    "another class",
			request: driver.CopyRequest{Properties: storage.Properties{ContentType: "text/plain", StorageClass: "NEARLINE"}},
			body:    `{"contentType":"text/plain","storageClass":"NEARLINE"}`,
		},
		{
			name:    "IfAbsent",
			request: driver.CopyRequest{Condition: storage.Condition{Absent: true}},
			query:   map[string]string{"ifGenerationMatch": "0"},
			body:    standard,
		},
		{
			name:    "IfRevision",
			request: driver.CopyRequest{Condition: storage.Condition{Revision: "9"}},
			query:   map[string]string{"ifGenerationMatch": "9"},
			body:    standard,
		},
		{
			name:    "public",
			request: driver.CopyRequest{Controls: storage.Controls{PublicRead: true}},
			query:   map[string]string{"destinationPredefinedAcl": "publicRead"},
			body:    standard,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, rewritten)
			tt.request.Key, tt.request.Source = "a", source()

			attrs, err := server.on(t).Copy(t.Context(), &tt.request)
			require.NoError(t, err)
			require.Equal(t, "1700000000000001", attrs.Revision)

			req := server.server.Last(t)
			require.Equal(t, "POST /storage/v1/b/from/o/x%2Fy/rewriteTo/b/photos/o/a", req.Call())
			require.Equal(t, "42", req.Query().Get("sourceGeneration"), "the source is pinned")

			for _, name := range []string{"ifGenerationMatch", "destinationPredefinedAcl", "ifSourceGenerationMatch"} {
				require.Equal(t, tt.query[name], req.Query().Get(name), name)
			}
			require.JSONEq(t, tt.body, req.Body)
		})
	}
}

func TestMoveRequests(t *testing.T) {
	tests := []struct {
		name      string
		condition storage.Condition
		want      string
	}{
		{"replaces an object", storage.Condition{}, ""},
		{"IfAbsent", storage.Condition{Absent: true}, "0"},
		{"IfRevision", storage.Condition{Revision: "9"}, "9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, stored)
			attrs, err := server.on(t).Move(t.Context(), &driver.MoveRequest{From: "x/y", Key: "a b", Condition: tt.condition})
			require.NoError(t, err)
			require.Equal(t, "1700000000000001", attrs.Revision)
			require.Equal(t, int64(11), attrs.Size)

			req := server.server.Last(t)
			require.Equal(t, "POST /storage/v1/b/photos/o/x%2Fy/moveTo/o/a%20b", req.Call())
			require.Equal(t, tt.want, req.Query().Get("ifGenerationMatch"))
			require.Empty(t, req.Query().Get("ifSourceGenerationMatch"))
			require.Len(t, server.server.Calls(), 1)
		})
	}
}

// The error of a failed move says why.
func TestMoveFailures(t *testing.T) {
	tests := []struct {
		name    string
		answer  reply
		code    storage.Code
		unknown bool
	}{
		{name: "no source", answer: failing(404, "notFound", "No such object: photos/x"), code: storage.ObjectNotFound},
		{name: "no bucket", answer: failing(404, "notFound", "The specified bucket does not exist."), code: storage.BucketNotFound},
		{
			name:   "the condition",
			answer: failing(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."),
			code:   storage.PreconditionFailed,
		},
		{name: "busy", answer: failing(503, "backendError", "Backend Error"), code: storage.Unavailable, unknown: true},
		{name: "a gateway's 404", answer: ofGateway(404), code: storage.Unavailable, unknown: true},
		{name: "no response", answer: reply{Cut: true}, code: storage.Unavailable, unknown: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.answer)
			_, err := server.on(t).Move(t.Context(), &driver.MoveRequest{From: "x", Key: "a"})
			require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.unknown, errors.Is(err, storage.OutcomeUnknown))
			require.Len(t, server.server.Calls(), 1, "the SDK retries nothing")
		})
	}
}

// The driver sends objects.move only to Google, because other servers lack it.
func TestMoveByGoogleOnly(t *testing.T) {
	for endpoint, want := range map[string]bool{"": true, "https://storage.us-east1.rep.googleapis.com": true, "http://127.0.0.1:4443": false} {
		d, err := NewDriver(t.Context(), Config{Bucket: "photos", Endpoint: endpoint, Anonymous: true})
		require.NoError(t, err)
		require.Equal(t, want, d.Describe().Features&storage.ServerMove != 0, endpoint)
		require.NoError(t, d.Close())
	}
}

// further returns the response to a call of a rewrite that is not the last.
func further(token string) reply {
	return reply{Header: stored.Header, Body: `{"kind":"storage#rewriteResponse","done":false,"rewriteToken":"` + token + `","objectSize":"11","totalBytesRewritten":"5"}`}
}

func TestCopyTakesSeveralCalls(t *testing.T) {
	busy := failing(503, "backendError", "Backend Error")
	refusal := failing(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
	tests := []struct {
		name    string
		answers []reply
		tokens  []string     // with which the calls resume
		want    storage.Code // "": success
		unknown bool
		resume  string // with which another attempt would resume
	}{
		{name: "to the end", answers: []reply{further("1"), further("2"), rewritten}, tokens: []string{"", "1", "2"}, want: ""},
		{
			name:    "a failure after progress",
			answers: []reply{further("1"), busy, further("2"), {Cut: true}, rewritten},
			tokens:  []string{"", "1", "1", "2", "2"},
			want:    "",
		},
		{name: "a failure at first", answers: []reply{busy}, tokens: []string{""}, want: storage.Unavailable, unknown: true},
		{
			name:    "one after the other",
			answers: []reply{further("1"), busy, busy},
			tokens:  []string{"", "1", "1"},
			want:    storage.Unavailable,
			unknown: true,
			resume:  "1",
		},
		{
			name:    "a server that asks for time",
			answers: []reply{further("1"), failing(429, "rateLimitExceeded", "Slow down")},
			tokens:  []string{"", "1"},
			want:    storage.RateLimited,
			resume:  "1",
		},
		{
			name:    "a refusal",
			answers: []reply{further("1"), failing(403, "forbidden", "No")},
			tokens:  []string{"", "1"},
			want:    storage.PermissionDenied,
			resume:  "1",
		},
		{
			name:    "a token that has ended",
			answers: []reply{further("1"), failing(410, "gone", "Gone")},
			tokens:  []string{"", "1"},
			want:    storage.Unavailable,
		},
		{
			name:    "a lost response may have been the last",
			answers: []reply{further("1"), busy, refusal},
			tokens:  []string{"", "1", "1"},
			want:    storage.PreconditionFailed,
			unknown: true,
			resume:  "1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.answers...)
			r := &driver.CopyRequest{Key: "a", Source: source(), Condition: storage.Condition{Absent: true}}

			_, err := server.on(t).Copy(t.Context(), r)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.unknown, errors.Is(err, storage.OutcomeUnknown))
			require.Equal(t, tt.resume, r.Resume)

			var tokens []string
			for _, req := range server.server.Requests() {
				require.Equal(t, "42", req.Query().Get("sourceGeneration"))
				tokens = append(tokens, req.Query().Get("rewriteToken"))
			}
			require.Equal(t, tt.tokens, tokens)
		})
	}
}

func TestCopyResumesInTheNextAttempt(t *testing.T) {
	busy := failing(503, "backendError", "Backend Error")
	server := newStandIn(t, stored, further("1"), busy, busy, further("2"), rewritten)
	b := engine.New(server.on(t), storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Nanosecond}))
	_, err := storage.Copy(t.Context(), b, "b", b, "a")
	require.NoError(t, err)
	var tokens []string
	for _, req := range server.server.Requests()[1:] {
		tokens = append(tokens, req.Query().Get("rewriteToken"))
	}

	require.Equal(t, []string{"", "1", "1", "1", "2"}, tokens)
}

func TestComposeRequests(t *testing.T) {
	server := newStandIn(t, stored)
	_, err := server.on(t).Compose(t.Context(), &driver.ComposeRequest{
		Key:        "a",
		Sources:    []driver.ObjectRef{{Bucket: "photos", Key: "x", Revision: "1"}, {Bucket: "photos", Key: "y", Revision: "2"}},
		Properties: storage.Properties{ContentType: "text/plain", Metadata: map[string]string{"k": "v"}, StorageClass: "NEARLINE"},
		Controls:   storage.Controls{PublicRead: true},
		Condition:  storage.Condition{Absent: true},
	})
	require.NoError(t, err)

	req := server.server.Last(t)
	require.Equal(t, "POST /storage/v1/b/photos/o/a/compose", req.Call())
	require.Equal(t, "0", req.Query().Get("ifGenerationMatch"))
	require.Equal(t, "publicRead", req.Query().Get("destinationPredefinedAcl"))
	require.JSONEq(t, `{"destination":{"bucket":"photos","contentType":"text/plain","metadata":{"k":"v"},"storageClass":"NEARLINE"},
		"sourceObjects":[{"name":"x","generation":"1"},{"name":"y","generation":"2"}]}`, req.Body)
}

// If the source of a copy has changed or is missing, Copy fails with Changed.
func TestCopySourceChanged(t *testing.T) {
	tests := []struct {
		name   string
		answer reply
		code   storage.Code
	}{
		{"the source has changed or is missing", failing(404, "notFound", "No such object: from/x/y"), storage.Changed},
		{"the destination's condition does not hold", failing(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold."), storage.PreconditionFailed},
		{"the destination's bucket is missing", failing(404, "notFound", "The specified bucket does not exist."), storage.BucketNotFound},
		{"the source may not be read", failing(403, "forbidden", "Access denied."), storage.PermissionDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newStandIn(t, tt.answer).on(t)
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Key: "a", Source: source(), Condition: storage.Condition{Absent: true}})
			require.Equal(t, tt.code, storage.CodeOf(err))
			src := source()
			src.Bucket = "photos"
			_, err = d.Compose(t.Context(), &driver.ComposeRequest{Key: "a", Sources: []driver.ObjectRef{src}, Condition: storage.Condition{Absent: true}})
			require.Equal(t, tt.code, storage.CodeOf(err))
		})
	}
}

// If the response to Copy or Compose is lost, the call fails with OutcomeUnknown.
func TestCopyResponseLost(t *testing.T) {
	for name, answer := range map[string]reply{"cut": {Cut: true}, "503": failing(503, "backendError", "Backend Error")} {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, answer)
			d := server.on(t)
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Key: "a", Source: source()})
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			_, err = d.Compose(t.Context(), &driver.ComposeRequest{Key: "a", Sources: []driver.ObjectRef{{Bucket: "photos", Key: "x", Revision: "1"}}})
			require.ErrorIs(t, err, storage.OutcomeUnknown)
			require.Len(t, server.server.Calls(), 2, "the SDK retries nothing")
		})
	}
}

// If a server repeats a page of versions, the listing fails instead of running forever.
func TestListVersionsRepeatedPage(t *testing.T) {
	server := newStandIn(t, reply{
		Header: stored.Header,
		Body:   `{"kind":"storage#objects","items":[{"name":"a","generation":"1","size":"3","timeCreated":"2026-01-02T03:04:05.678Z"}],"nextPageToken":"next"}`,
	})
	_, err := server.on(t).ListVersions(t.Context(), &driver.ListRequest{Limit: 3})
	require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
	require.Less(t, len(server.server.Calls()), 20)
}

func TestListRequests(t *testing.T) {
	item := func(name string) string {
		return fmt.Sprintf(`{"name":%q,"generation":"42","size":"3","etag":"CAE=","md5Hash":"XrY7u+Ae7tCTyyK7j1rNww==","timeCreated":"2026-01-02T03:04:05.678Z"}`, name)
	}
	page := func(next string, names ...string) reply {
		var items []string
		for _, name := range names {
			items = append(items, item(name))
		}
		return reply{Header: stored.Header, Body: `{"kind":"storage#objects","items":[` + strings.Join(items, ",") + `],"prefixes":["b/"],"nextPageToken":"` + next + `"}`}
	}
	server := newStandIn(t, page("next", "a", "c"))
	d := server.on(t)

	got, err := d.List(t.Context(), &driver.ListRequest{Prefix: "p", Delimiter: "/", Limit: 3})
	require.NoError(t, err)
	require.Equal(t, "next", got.Token)
	require.Equal(t, []string{"a", "b/", "c"}, []string{got.Entries[0].Key, got.Entries[1].Key, got.Entries[2].Key}, "prefixes stand among the keys")
	require.True(t, got.Entries[1].IsPrefix)
	require.Equal(t, `"5eb63bbbe01eeed093cb22bb8f5acdc3"`, got.Entries[0].ETag)
	require.Equal(t, "42", got.Entries[0].Revision)
	require.Equal(t, int64(3), got.Entries[0].Size)

	req := server.server.Last(t)
	require.Equal(t, "GET /storage/v1/b/photos/o", req.Call())
	require.Equal(t, "p", req.Query().Get("prefix"))
	require.Equal(t, "/", req.Query().Get("delimiter"))
	require.Equal(t, "3", req.Query().Get("maxResults"))
	require.Equal(t, "noAcl", req.Query().Get("projection"))

	for _, field := range []string{"name", "size", "etag", "md5Hash", "generation", "timeCreated", "prefixes", "nextPageToken"} {
		require.Contains(t, req.Query().Get("fields"), field)
	}

	for _, field := range []string{"metadata", "contentType", "acl"} {
		require.NotContains(t, req.Query().Get("fields"), field)
	}

	_, err = d.List(t.Context(), &driver.ListRequest{Token: "next", StartAfter: "a", Limit: 3})
	require.NoError(t, err)
	require.Equal(t, "next", server.server.Last(t).Query().Get("pageToken"))
	require.Empty(t, server.server.Last(t).Query().Get("startOffset"), "the token is the position")

	server.server.Respond(failing(404, "notFound", "Not Found"))
	_, err = d.List(t.Context(), &driver.ListRequest{Limit: 3})
	require.ErrorIs(t, err, storage.BucketNotFound)
}

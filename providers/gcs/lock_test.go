package gcs

import (
	"net/http"
	"testing"
	"time"

	gcs "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// SetTags reads the tags of the object, which are its contexts, and replaces them all by one conditional patch.
func TestSetTagsReplacesAllByOnePatch(t *testing.T) {
	const tagged = `{"name":"x/a b","generation":"7","metageneration":"3","size":"11",` +
		`"contexts":{"custom":{"old":{"value":"1"},"both":{"value":"2"},"dotted.key":{"value":"3"}}}}`
	untagged := accepted.Body
	const noPatch = ""

	tests := []struct {
		name   string
		object string // as it is before the call
		tags   map[string]string
		want   string // the body of the patch
	}{
		{
			name:   "other tags",
			object: tagged,
			tags:   map[string]string{"both": "x", "new": "a/b"},
			// The value a/b needs an escaped form.
			want: `{"contexts":{"custom":{"old":null,"both":{"value":"x"},"dotted.key":null,` +
				`"new":{"value":"0~a~b"}}}}`,
		},
		{name: "no tags", object: tagged, tags: nil, want: `{"contexts":null}`},
		{name: "no tags, as before", object: untagged, tags: map[string]string{}, want: noPatch},
		{
			name:   "the first tags",
			object: untagged,
			tags:   map[string]string{"k": "v"},
			want:   `{"contexts":{"custom":{"k":{"value":"v"}}}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, reply{Header: storedReply.Header, Body: tt.object})
			err := server.openDriver(t).SetTags(t.Context(), &driver.ChangeRequest{
				Key:     "x/a b",
				Version: "7",
				Tags:    tt.tags,
			})
			require.NoError(t, err)
			if tt.want == noPatch {
				require.Len(t, server.Calls(), 1, "there must be only the read")
				return
			}

			// The patch has the generation and the metageneration of the object as its condition.
			req := server.Last(t)
			require.Equal(t, "PATCH /storage/v1/b/photos/o/x%2Fa%20b", req.Call())
			require.JSONEq(t, tt.want, req.Body)

			if tt.object == tagged {
				require.Equal(t, "7", req.Query().Get("generation"))
				require.Equal(t, "3", req.Query().Get("ifMetagenerationMatch"))
			}
		})
	}
}

// SetRetention and SetLegalHold patch the object, with overrideUnlockedRetention for a bypass.
// https://cloud.google.com/storage/docs/json_api/v1/objects/patch.
func TestLockRequests(t *testing.T) {
	retainUntil := time.Date(2126, 3, 4, 5, 6, 7, 0, time.UTC)
	tests := []struct {
		name string
		run  func(t *testing.T, d *objectDriver) error
		want string
		over string
	}{
		{
			name: "governance",
			run: func(t *testing.T, d *objectDriver) error {
				return d.SetRetention(t.Context(), &driver.ChangeRequest{
					Key:       "a",
					Version:   "7",
					Retention: storage.Retention{Mode: storage.Governance, Until: retainUntil},
				})
			},
			want: `{"bucket":"photos","retention":{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"}}`,
		},
		{
			name: "compliance, bypassed",
			run: func(t *testing.T, d *objectDriver) error {
				return d.SetRetention(t.Context(), &driver.ChangeRequest{
					Key:              "a",
					Version:          "7",
					BypassGovernance: true,
					Retention:        storage.Retention{Mode: storage.Compliance, Until: retainUntil},
				})
			},
			want: `{"bucket":"photos","retention":{"mode":"Locked","retainUntilTime":"2126-03-04T05:06:07Z"}}`,
			over: "true",
		},
		{
			name: "none",
			run: func(t *testing.T, d *objectDriver) error {
				return d.SetRetention(t.Context(), &driver.ChangeRequest{Key: "a", Version: "7"})
			},
			want: `{"bucket":"photos","retention":null}`,
		},
		{
			name: "a hold",
			run: func(t *testing.T, d *objectDriver) error {
				return d.SetLegalHold(t.Context(), &driver.ChangeRequest{
					Key:       "a",
					Version:   "7",
					LegalHold: true,
				})
			},
			want: `{"bucket":"photos","temporaryHold":true}`,
		},
		{
			name: "no hold",
			run: func(t *testing.T, d *objectDriver) error {
				return d.SetLegalHold(t.Context(), &driver.ChangeRequest{Key: "a", Version: "7"})
			},
			want: `{"bucket":"photos","temporaryHold":false}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, accepted)
			require.NoError(t, tt.run(t, server.openDriver(t)))
			require.Equal(t, []string{"PATCH /storage/v1/b/photos/o/a"}, server.Calls())
			req := server.Last(t)
			require.JSONEq(t, tt.want, req.Body)
			require.Equal(t, "7", req.Query().Get("generation"))
			require.Equal(t, tt.over, req.Query().Get("overrideUnlockedRetention"))
		})
	}
}

// A Put with a retention and a legal hold sends both.
func TestPutSendsLock(t *testing.T) {
	server := newCannedServer(t, storedReply)
	req := wiretest.Put("a", "hello world")
	req.Retention = storage.Retention{
		Mode:  storage.Compliance,
		Until: time.Date(2126, 3, 4, 5, 6, 7, 0, time.UTC),
	}
	req.LegalHold = true

	_, err := server.openDriver(t).Put(t.Context(), req)
	require.NoError(t, err)

	object, _, _ := parseRelated(t, server.Last(t))
	require.Equal(t, map[string]any{"mode": "Locked", "retainUntilTime": "2126-03-04T05:06:07Z"},
		object["retention"])
	require.Equal(t, true, object["temporaryHold"])
}

// Each refused change of a retention fails with its Code.
func TestSetRetentionRefused(t *testing.T) {
	locked := reply{
		Header: storedReply.Header,
		Body:   `{"name":"a","generation":"7","retention":{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"}}`,
	}
	expired := reply{
		Header: storedReply.Header,
		Body:   `{"name":"a","generation":"7","retention":{"mode":"Locked","retainUntilTime":"2020-03-04T05:06:07Z"}}`,
	}
	denied := jsonError(403, "forbidden", "x does not have storage.objects.setRetention access")
	tests := []struct {
		name    string
		answers []reply
		bypass  bool
		until   int // year
		code    storage.Code
	}{
		{
			name:    "the retention forbids it",
			answers: []reply{denied, locked},
			until:   2100,
			code:    storage.Locked,
		},
		{
			name:    "it would be bypassed",
			answers: []reply{denied, locked},
			bypass:  true,
			until:   2100,
			code:    storage.PermissionDenied,
		},
		{
			name:    "it would be longer",
			answers: []reply{denied, locked},
			until:   2200,
			code:    storage.PermissionDenied,
		},
		{
			name:    "it is over",
			answers: []reply{denied, expired},
			until:   2100,
			code:    storage.PermissionDenied,
		},
		{
			name:    "there is none",
			answers: []reply{denied, accepted},
			until:   2100,
			code:    storage.PermissionDenied,
		},
		{
			name:    "the attributes may not be read",
			answers: []reply{denied},
			until:   2100,
			code:    storage.PermissionDenied,
		},
		{
			name: "the bucket has no retention",
			answers: []reply{
				jsonError(400, "invalid", "no"),
				{Header: storedReply.Header, Body: `{"kind":"storage#bucket","name":"photos"}`},
			},
			until: 2100,
			code:  storage.Unsupported,
		},
		{
			name: "the bucket has retention",
			answers: []reply{
				jsonError(400, "invalid", "no"),
				{Header: storedReply.Header, Body: `{"kind":"storage#bucket","name":"photos","objectRetention":{"mode":"Enabled"}}`},
			},
			until: 2100,
			code:  storage.InvalidArgument,
		},
		{
			name:    "the bucket may not be read",
			answers: []reply{jsonError(400, "invalid", "no"), jsonError(403, "forbidden", "no")},
			until:   2100,
			code:    storage.InvalidArgument,
		},
		{
			name:    "there is no object",
			answers: []reply{jsonError(404, "notFound", "No such object: photos/a")},
			until:   2100,
			code:    storage.ObjectNotFound,
		},
		{
			name:    "there is no bucket",
			answers: []reply{jsonError(404, "notFound", "The specified bucket does not exist.")},
			until:   2100,
			code:    storage.BucketNotFound,
		},
		{
			name:    "the response is lost: it may be applied",
			answers: []reply{jsonError(503, "backendError", "Backend Error")},
			until:   2100,
			code:    storage.Unavailable,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.answers...)
			err := server.openDriver(t).SetRetention(t.Context(), &driver.ChangeRequest{
				Key:              "a",
				BypassGovernance: tt.bypass,
				Retention: storage.Retention{
					Mode:  storage.Governance,
					Until: time.Date(tt.until, 1, 1, 0, 0, 0, 0, time.UTC),
				},
			})
			require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, tt.code == storage.Unavailable, storageErr.Unknown)
			if tt.code == storage.Unsupported || tt.code == storage.Locked {
				require.NotEmpty(t, storageErr.Hint)
			}
		})
	}
}

// With WithGovernanceBypass, Delete removes the retention before the object.
func TestDeleteBypassRemovesRetention(t *testing.T) {
	const retained = `{"name":"a","generation":"7","metageneration":"3",` +
		`"retention":{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"},` +
		`"retentionExpirationTime":"2126-03-04T05:06:07Z"}`
	refused := jsonError(403, "retentionPolicyNotMet",
		"Object 'photos/a' is subject to bucket's retention policy or object retention")
	attrs := reply{Header: storedReply.Header, Body: retained}
	removed := reply{Status: http.StatusNoContent}
	server := newCannedServer(t, refused, attrs, accepted, removed)

	err := server.openDriver(t).Delete(t.Context(), &driver.DeleteRequest{
		Key:              "a",
		Version:          "7",
		BypassGovernance: true,
	})
	require.NoError(t, err)

	const object = " /storage/v1/b/photos/o/a"
	require.Equal(t, []string{"DELETE" + object, "GET" + object, "PATCH" + object, "DELETE" + object},
		server.Calls())
	patch := server.Requests()[2]
	require.Equal(t, "true", patch.Query().Get("overrideUnlockedRetention"))
	require.Equal(t, "3", patch.Query().Get("ifMetagenerationMatch"))
	require.Equal(t, "7", patch.Query().Get("generation"))
}

// WithGovernanceBypass does not bypass a Compliance retention, a policy of the bucket or a hold.
func TestDeleteBypassRefused(t *testing.T) {
	tests := []struct {
		name string
		lock string // fields of the object
	}{
		{
			name: "compliance",
			lock: `"retention":{"mode":"Locked","retainUntilTime":"2126-03-04T05:06:07Z"}`,
		},
		{
			name: "a policy of the bucket",
			lock: `"retentionExpirationTime":"2126-03-04T05:06:07Z"`,
		},
		{
			name: "a longer policy",
			lock: `"retention":{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"},` +
				`"retentionExpirationTime":"2127-03-04T05:06:07Z"`,
		},
		{
			name: "a hold beside a retention",
			lock: `"temporaryHold":true,` +
				`"retention":{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The server refuses the removal, and then returns the attributes.
			server := newCannedServer(t, jsonError(403, "retentionPolicyNotMet", "kept"), reply{
				Header: storedReply.Header,
				Body:   `{"generation":"7",` + tt.lock + `}`,
			})

			err := server.openDriver(t).Delete(t.Context(), &driver.DeleteRequest{
				Key:              "a",
				BypassGovernance: true,
			})
			require.ErrorIs(t, err, storage.Locked)
			require.Len(t, server.Calls(), 2, "there must be no request that ends the retention")
		})
	}
}

// CreateBucket with WithObjectLock creates a bucket that has object lock and versioning.
func TestCreateBucketWithObjectLock(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, map[string][]string{"POST /b": {bucketAnswer}})
	info, err := service.CreateBucket(t.Context(), wiretest.BucketRequest(storage.WithObjectLock()))
	require.NoError(t, err)
	require.True(t, info.ObjectLock)
	require.True(t, info.Versioning)
	require.Equal(t, "enableObjectRetention=true&project=p", transcript.queries["POST /b"])
	require.Contains(t, transcript.bodies["POST /b"][0], `"versioning":{"enabled":true}`)
}

// UpdateBucket keeps object lock, and refuses to add it.
func TestUpdateBucketWithObjectLock(t *testing.T) {
	tests := []struct {
		name     string
		bucket   string
		opt      storage.BucketOption
		code     storage.Code
		requests []string
	}{
		{
			name: "object lock that is there",
			bucket: `200 {"kind":"storage#bucket","name":"photos","versioning":{"enabled":true},` +
				`"objectRetention":{"mode":"Enabled"},` +
				`"iamConfiguration":{"publicAccessPrevention":"enforced"}}`,
			opt:      storage.WithObjectLock(),
			requests: []string{"GET /b/photos", "GET /b/photos"},
		},
		{
			name: "without versions",
			bucket: `200 {"kind":"storage#bucket","name":"photos",` +
				`"objectRetention":{"mode":"Enabled"},` +
				`"iamConfiguration":{"publicAccessPrevention":"enforced"}}`,
			opt:      storage.WithObjectLock(),
			requests: []string{"GET /b/photos", "PATCH /b/photos"},
		},
		{
			name:     "object lock that is not",
			bucket:   bucketAnswer,
			opt:      storage.WithObjectLock(),
			code:     storage.Unsupported,
			requests: []string{"GET /b/photos"},
		},
		{
			name:   "a default retention",
			bucket: bucketAnswer,
			opt:    storage.WithDefaultRetention(storage.Governance, 1),
			code:   storage.Unsupported,
		},
		{
			name:   "rules by tag",
			bucket: bucketAnswer,
			opt: storage.WithLifecycle(storage.LifecycleRule{
				ID:              "a",
				Tags:            map[string]string{"k": "v"},
				ExpireAfterDays: 1,
			}),
			code: storage.Unsupported,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, transcript := newManagingService(t, Config{}, map[string][]string{
				"GET /b/photos":   {tt.bucket},
				"PATCH /b/photos": {tt.bucket},
			})
			_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(tt.opt))
			require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.requests, transcript.requests)
			if tt.code != "" {
				var storageErr *storage.Error
				require.ErrorAs(t, err, &storageErr)
				require.NotEmpty(t, storageErr.Error())
			}
		})
	}
}

// lostReplies are responses after which a change may be made or not.
var lostReplies = []struct {
	name   string
	answer reply
}{
	{name: "cut", answer: reply{Cut: true}},
	{name: "503", answer: jsonError(503, "backendError", "Backend Error")},
}

// If the response to a change is lost, the call fails with OutcomeUnknown.
func TestChangesWithLostResponse(t *testing.T) {
	calls := []struct {
		name string
		run  func(t *testing.T, d *objectDriver) error
	}{
		{
			name: "SetLegalHold",
			run: func(t *testing.T, d *objectDriver) error {
				return d.SetLegalHold(t.Context(), &driver.ChangeRequest{Key: "a"})
			},
		},
		{
			name: "SetRetention",
			run: func(t *testing.T, d *objectDriver) error {
				return d.SetRetention(t.Context(), &driver.ChangeRequest{Key: "a"})
			},
		},
		{
			name: "replaceContexts",
			run: func(t *testing.T, d *objectDriver) error {
				return d.replaceContexts(t.Context(), &driver.ChangeRequest{Key: "a"}, &gcs.ObjectAttrs{}, nil)
			},
		},
	}
	for _, lost := range lostReplies {
		for _, call := range calls {
			t.Run(call.name+", "+lost.name, func(t *testing.T) {
				server := newCannedServer(t, lost.answer)
				require.ErrorIs(t, call.run(t, server.openDriver(t)), storage.OutcomeUnknown)
				require.Len(t, server.Calls(), 1, "the SDK retries nothing")
			})
		}
	}
}

// Calls that change nothing may be repeated. If the response to such a call is lost, the call fails with Unavailable.
func TestRepeatableCallsWithLostResponse(t *testing.T) {
	for _, lost := range lostReplies {
		t.Run("Tags, "+lost.name, func(t *testing.T) {
			d := newCannedServer(t, lost.answer).openDriver(t)
			_, err := d.Tags(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			require.ErrorIs(t, err, storage.Unavailable)
		})
		t.Run("Restore, "+lost.name, func(t *testing.T) {
			d := newCannedServer(t, lost.answer).openDriver(t)
			err := d.Restore(t.Context(), &driver.ChangeRequest{Key: "a"})
			require.ErrorIs(t, err, storage.Unavailable)
		})
	}
}

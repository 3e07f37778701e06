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

// SetTags reads the tags of the object, which Google calls contexts. It replaces all tags by one
// patch, on the condition that the object has not changed since the read.
func TestSetTagsReplacesAllByOnePatch(t *testing.T) {
	const tagged = `{"name":"x/a b","generation":"7","metageneration":"3","size":"11",` +
		`"contexts":{"custom":{"old":{"value":"1"},"both":{"value":"2"},"dotted.key":{"value":"3"}}}}`
	untagged := accepted.Body
	const noPatch = ""

	tests := []struct {
		name      string
		object    string // as it is before the call
		tags      map[string]string
		wantPatch string // its body
	}{
		{
			name:   "tags replaced by other tags",
			object: tagged,
			tags:   map[string]string{"both": "x", "new": "a/b"},
			// The value a/b needs an escaped form.
			wantPatch: `{"contexts":{"custom":{"old":null,"both":{"value":"x"},"dotted.key":null,` +
				`"new":{"value":"0~a~b"}}}}`,
		},
		{name: "tags removed", object: tagged, tags: nil, wantPatch: `{"contexts":null}`},
		{name: "object without tags stays without tags", object: untagged, tags: map[string]string{}, wantPatch: noPatch},
		{
			name:      "first tags",
			object:    untagged,
			tags:      map[string]string{"k": "v"},
			wantPatch: `{"contexts":{"custom":{"k":{"value":"v"}}}}`,
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
			if tt.wantPatch == noPatch {
				require.Len(t, server.Calls(), 1, "there must be only the read")
				return
			}

			// The patch has the generation and the metageneration of the object as its condition.
			req := server.Last(t)
			require.Equal(t, "PATCH /storage/v1/b/photos/o/x%2Fa%20b", req.Call())
			require.JSONEq(t, tt.wantPatch, req.Body)

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
		name         string
		run          func(t *testing.T, d *objectDriver) error
		wantBody     string
		wantOverride string // the query parameter overrideUnlockedRetention
	}{
		{
			name: "Governance retention",
			run: func(t *testing.T, d *objectDriver) error {
				return d.SetRetention(t.Context(), &driver.ChangeRequest{
					Key:       "a",
					Version:   "7",
					Retention: storage.Retention{Mode: storage.Governance, Until: retainUntil},
				})
			},
			wantBody: `{"bucket":"photos","retention":{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"}}`,
		},
		{
			name: "Compliance retention, with a bypass",
			run: func(t *testing.T, d *objectDriver) error {
				return d.SetRetention(t.Context(), &driver.ChangeRequest{
					Key:              "a",
					Version:          "7",
					BypassGovernance: true,
					Retention:        storage.Retention{Mode: storage.Compliance, Until: retainUntil},
				})
			},
			wantBody:     `{"bucket":"photos","retention":{"mode":"Locked","retainUntilTime":"2126-03-04T05:06:07Z"}}`,
			wantOverride: "true",
		},
		{
			name: "no retention",
			run: func(t *testing.T, d *objectDriver) error {
				return d.SetRetention(t.Context(), &driver.ChangeRequest{Key: "a", Version: "7"})
			},
			wantBody: `{"bucket":"photos","retention":null}`,
		},
		{
			name: "legal hold",
			run: func(t *testing.T, d *objectDriver) error {
				return d.SetLegalHold(t.Context(), &driver.ChangeRequest{
					Key:       "a",
					Version:   "7",
					LegalHold: true,
				})
			},
			wantBody: `{"bucket":"photos","temporaryHold":true}`,
		},
		{
			name: "no legal hold",
			run: func(t *testing.T, d *objectDriver) error {
				return d.SetLegalHold(t.Context(), &driver.ChangeRequest{Key: "a", Version: "7"})
			},
			wantBody: `{"bucket":"photos","temporaryHold":false}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, accepted)
			require.NoError(t, tt.run(t, server.openDriver(t)))
			require.Equal(t, []string{"PATCH /storage/v1/b/photos/o/a"}, server.Calls())
			req := server.Last(t)
			require.JSONEq(t, tt.wantBody, req.Body)
			require.Equal(t, "7", req.Query().Get("generation"))
			require.Equal(t, tt.wantOverride, req.Query().Get("overrideUnlockedRetention"))
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

// If Google refuses to change a retention, SetRetention fails with a Code that says why. To learn the reason, the
// driver then requests the object or the bucket.
func TestSetRetentionRefused(t *testing.T) {
	const shorter, longer = 2100, 2200 // the new year of a retention that ends in 2126
	denied := jsonError(403, "forbidden", "x does not have storage.objects.setRetention access")
	invalid := jsonError(400, "invalid", "no")
	object := func(retention string) reply {
		return reply{Header: storedReply.Header, Body: `{"name":"a","generation":"7","retention":` + retention + `}`}
	}
	locked := object(`{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"}`)
	expired := object(`{"mode":"Locked","retainUntilTime":"2020-03-04T05:06:07Z"}`)

	tests := []struct {
		name    string
		replies []reply // to the change, and to the request for the reason
		bypass  bool
		until   int // the year of the new retention
		want    storage.Code
	}{
		{
			name:    "shorter than the object's retention",
			replies: []reply{denied, locked},
			until:   shorter,
			want:    storage.Locked,
		},
		{
			name:    "shorter, with a bypass, without permission",
			replies: []reply{denied, locked},
			bypass:  true,
			until:   shorter,
			want:    storage.PermissionDenied,
		},
		{
			name:    "longer, without permission",
			replies: []reply{denied, locked},
			until:   longer,
			want:    storage.PermissionDenied,
		},
		{
			name:    "object's retention expired",
			replies: []reply{denied, expired},
			until:   shorter,
			want:    storage.PermissionDenied,
		},
		{
			name:    "object has no retention",
			replies: []reply{denied, accepted},
			until:   shorter,
			want:    storage.PermissionDenied,
		},
		{
			name:    "object cannot be read",
			replies: []reply{denied, denied},
			until:   shorter,
			want:    storage.PermissionDenied,
		},
		{
			name: "bucket without object retention",
			replies: []reply{
				invalid,
				{Header: storedReply.Header, Body: `{"kind":"storage#bucket","name":"photos"}`},
			},
			until: shorter,
			want:  storage.Unsupported,
		},
		{
			name: "bucket with object retention",
			replies: []reply{
				invalid,
				{Header: storedReply.Header, Body: `{"kind":"storage#bucket","name":"photos","objectRetention":{"mode":"Enabled"}}`},
			},
			until: shorter,
			want:  storage.InvalidArgument,
		},
		{
			name:    "bucket cannot be read",
			replies: []reply{invalid, jsonError(403, "forbidden", "no")},
			until:   shorter,
			want:    storage.InvalidArgument,
		},
		{
			name:    "object missing",
			replies: []reply{jsonError(404, "notFound", "No such object: photos/a")},
			until:   shorter,
			want:    storage.ObjectNotFound,
		},
		{
			name:    "bucket missing",
			replies: []reply{jsonError(404, "notFound", "The specified bucket does not exist.")},
			until:   shorter,
			want:    storage.BucketNotFound,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newCannedServer(t, tt.replies...).openDriver(t)

			err := d.SetRetention(t.Context(), &driver.ChangeRequest{
				Key:              "a",
				BypassGovernance: tt.bypass,
				Retention: storage.Retention{
					Mode:  storage.Governance,
					Until: time.Date(tt.until, 1, 1, 0, 0, 0, 0, time.UTC),
				},
			})
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, tt.want, storageErr.Code, "%v", err)
			require.False(t, storageErr.Unknown, "the change was refused")
			if tt.want == storage.Unsupported || tt.want == storage.Locked {
				require.NotEmpty(t, storageErr.Hint)
			}
		})
	}
}

// If the service is busy, SetRetention fails with Unavailable and OutcomeUnknown, because the
// change may have been made.
func TestSetRetentionBusy(t *testing.T) {
	d := newCannedServer(t, jsonError(503, "backendError", "Backend Error")).openDriver(t)

	err := d.SetRetention(t.Context(), &driver.ChangeRequest{
		Key: "a",
		Retention: storage.Retention{
			Mode:  storage.Governance,
			Until: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
		},
	})
	require.ErrorIs(t, err, storage.Unavailable)
	require.ErrorIs(t, err, storage.OutcomeUnknown)
}

// With WithGovernanceBypass, Delete removes the retention before the object.
func TestDeleteBypassRemovesRetention(t *testing.T) {
	const retained = `{"name":"a","generation":"7","metageneration":"3",` +
		`"retention":{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"},` +
		`"retentionExpirationTime":"2126-03-04T05:06:07Z"}`

	// The server refuses the removal and returns the attributes. Then it accepts the end of the
	// retention, and the removal.
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

// With WithGovernanceBypass, Delete fails with Locked, and does not end the retention, if something else than a
// Governance retention also locks the object.
func TestDeleteBypassRefused(t *testing.T) {
	tests := []struct {
		name string
		lock string // fields of the object
	}{
		{
			name: "Compliance retention",
			lock: `"retention":{"mode":"Locked","retainUntilTime":"2126-03-04T05:06:07Z"}`,
		},
		{
			name: "bucket policy",
			lock: `"retentionExpirationTime":"2126-03-04T05:06:07Z"`,
		},
		{
			name: "bucket policy that is longer than the retention",
			lock: `"retention":{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"},` +
				`"retentionExpirationTime":"2127-03-04T05:06:07Z"`,
		},
		{
			name: "hold beside a retention",
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

// UpdateBucket with WithObjectLock succeeds if the bucket has object lock, and turns its versioning on. It cannot add
// object lock.
func TestUpdateBucketWithObjectLock(t *testing.T) {
	const (
		locking = `200 {"kind":"storage#bucket","name":"photos","objectRetention":{"mode":"Enabled"},` +
			`"iamConfiguration":{"publicAccessPrevention":"enforced"}}`
		lockingAndVersioned = `200 {"kind":"storage#bucket","name":"photos","objectRetention":{"mode":"Enabled"},` +
			`"versioning":{"enabled":true},` +
			`"iamConfiguration":{"publicAccessPrevention":"enforced"}}`
	)
	tests := []struct {
		name         string
		bucket       string // the response with the bucket's settings
		wantRequests []string
		want         storage.Code // "": success
	}{
		{
			name:   "bucket has object lock and versioning",
			bucket: lockingAndVersioned,
			// The first request reads the lock. The second one reads the settings that are returned.
			wantRequests: []string{"GET /b/photos", "GET /b/photos"},
		},
		{
			name:   "bucket has object lock without versioning",
			bucket: locking,
			// The patch turns versioning on.
			wantRequests: []string{"GET /b/photos", "PATCH /b/photos"},
		},
		{
			name:         "bucket has no object lock",
			bucket:       bucketAnswer,
			wantRequests: []string{"GET /b/photos"},
			want:         storage.Unsupported,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, transcript := newManagingService(t, Config{}, map[string][]string{
				"GET /b/photos":   {tt.bucket},
				"PATCH /b/photos": {tt.bucket},
			})

			_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(storage.WithObjectLock()))
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.wantRequests, transcript.requests)
		})
	}
}

// UpdateBucket fails with Unsupported, and sends no request, for settings that Google does not have.
func TestUpdateBucketUnsupportedSettings(t *testing.T) {
	tests := []struct {
		name string
		opt  storage.BucketOption
	}{
		{name: "default retention", opt: storage.WithDefaultRetention(storage.Governance, 1)},
		{
			name: "lifecycle rule for a tag",
			opt: storage.WithLifecycle(storage.LifecycleRule{
				ID:              "a",
				Tags:            map[string]string{"k": "v"},
				ExpireAfterDays: 1,
			}),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, transcript := newManagingService(t, Config{}, nil)

			_, err := service.UpdateBucket(t.Context(), wiretest.BucketRequest(tt.opt))
			require.ErrorIs(t, err, storage.Unsupported)
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.NotEmpty(t, storageErr.Hint)
			require.Empty(t, transcript.requests)
		})
	}
}

// lostReplies are responses that leave open whether a change was made.
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

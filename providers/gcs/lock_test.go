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

func TestSetTagsReplacesAllByOnePatch(t *testing.T) {
	const found = `{"name":"x/a b","generation":"7","metageneration":"3","size":"11","contexts":{"custom":{"old":{"value":"1"},"both":{"value":"2"},"dotted.key":{"value":"3"}}}}`
	tests := map[string]struct {
		found string
		tags  map[string]string
		want  string // "": no patch
	}{
		"some":             {found, map[string]string{"both": "x", "new": "a/b"}, `{"contexts":{"custom":{"old":null,"both":{"value":"x"},"dotted.key":null,"new":{"value":"0~a~b"}}}}`},
		"none":             {found, nil, `{"contexts":null}`},
		"none, as before":  {accepted.Body, map[string]string{}, ""},
		"some, where none": {accepted.Body, map[string]string{"k": "v"}, `{"contexts":{"custom":{"k":{"value":"v"}}}}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, reply{Header: stored.Header, Body: tt.found})
			err := server.on(t).SetTags(t.Context(), &driver.ChangeRequest{Key: "x/a b", Version: "7", Tags: tt.tags})
			require.NoError(t, err)
			if tt.want == "" {
				require.Len(t, server.server.Calls(), 1)
				return
			}

			req := server.server.Last(t)
			require.Equal(t, "PATCH /storage/v1/b/photos/o/x%2Fa%20b", req.Call())
			require.JSONEq(t, tt.want, req.Body)

			if tt.found == found {
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
	tests := map[string]struct {
		run  func(t *testing.T, d *objectDriver) error
		want string
		over string
	}{
		"governance": {func(t *testing.T, d *objectDriver) error {
			return d.SetRetention(t.Context(), &driver.ChangeRequest{Key: "a", Version: "7", Retention: storage.Retention{Mode: storage.Governance, Until: retainUntil}})
		}, `{"bucket":"photos","retention":{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"}}`, ""},
		"compliance, bypassed": {func(t *testing.T, d *objectDriver) error {
			return d.SetRetention(t.Context(), &driver.ChangeRequest{Key: "a", Version: "7", BypassGovernance: true, Retention: storage.Retention{Mode: storage.Compliance, Until: retainUntil}})
		}, `{"bucket":"photos","retention":{"mode":"Locked","retainUntilTime":"2126-03-04T05:06:07Z"}}`, "true"},
		"none": {func(t *testing.T, d *objectDriver) error {
			return d.SetRetention(t.Context(), &driver.ChangeRequest{Key: "a", Version: "7"})
		}, `{"bucket":"photos","retention":null}`, ""},
		"a hold": {func(t *testing.T, d *objectDriver) error {
			return d.SetLegalHold(t.Context(), &driver.ChangeRequest{Key: "a", Version: "7", LegalHold: true})
		}, `{"bucket":"photos","temporaryHold":true}`, ""},
		"no hold": {func(t *testing.T, d *objectDriver) error {
			return d.SetLegalHold(t.Context(), &driver.ChangeRequest{Key: "a", Version: "7"})
		}, `{"bucket":"photos","temporaryHold":false}`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, accepted)
			require.NoError(t, tt.run(t, server.on(t)))
			require.Equal(t, []string{"PATCH /storage/v1/b/photos/o/a"}, server.server.Calls())
			req := server.server.Last(t)
			require.JSONEq(t, tt.want, req.Body)
			require.Equal(t, "7", req.Query().Get("generation"))
			require.Equal(t, tt.over, req.Query().Get("overrideUnlockedRetention"))
		})
	}
}

// A locked write sends the lock.
func TestPutSendsLock(t *testing.T) {
	server := newStandIn(t, stored)
	r := wiretest.Put("a", "hello world")
	r.Retention = storage.Retention{Mode: storage.Compliance, Until: time.Date(2126, 3, 4, 5, 6, 7, 0, time.UTC)}
	r.LegalHold = true
	_, err := server.on(t).Put(t.Context(), r)
	require.NoError(t, err)

	object, _, _ := related(t, server.server.Last(t))
	require.Equal(t, map[string]any{"mode": "Locked", "retainUntilTime": "2126-03-04T05:06:07Z"}, object["retention"])
	require.Equal(t, true, object["temporaryHold"])
}

// Each refused change of a retention fails with its Code.
func TestSetRetentionRefused(t *testing.T) {
	locked := reply{Header: stored.Header, Body: `{"name":"a","generation":"7","retention":{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"}}`}
	expired := reply{Header: stored.Header, Body: `{"name":"a","generation":"7","retention":{"mode":"Locked","retainUntilTime":"2020-03-04T05:06:07Z"}}`}
	denied := failing(403, "forbidden", "x does not have storage.objects.setRetention access")
	tests := map[string]struct {
		answers []reply
		bypass  bool
		until   int // year
		code    storage.Code
	}{
		"the retention forbids it":       {answers: []reply{denied, locked}, until: 2100, code: storage.Locked},
		"it would be bypassed":           {answers: []reply{denied, locked}, bypass: true, until: 2100, code: storage.PermissionDenied},
		"it would be longer":             {answers: []reply{denied, locked}, until: 2200, code: storage.PermissionDenied},
		"it is over":                     {answers: []reply{denied, expired}, until: 2100, code: storage.PermissionDenied},
		"there is none":                  {answers: []reply{denied, accepted}, until: 2100, code: storage.PermissionDenied},
		"the attributes may not be read": {answers: []reply{denied}, until: 2100, code: storage.PermissionDenied},
		"the bucket has no retention": {
			answers: []reply{failing(400, "invalid", "no"), {Header: stored.Header, Body: `{"kind":"storage#bucket","name":"photos"}`}},
			until:   2100,
			code:    storage.Unsupported,
		},
		"the bucket has retention": {
			answers: []reply{failing(400, "invalid", "no"), {Header: stored.Header, Body: `{"kind":"storage#bucket","name":"photos","objectRetention":{"mode":"Enabled"}}`}},
			until:   2100,
			code:    storage.InvalidArgument,
		},
		"the bucket may not be read": {
			answers: []reply{failing(400, "invalid", "no"), failing(403, "forbidden", "no")},
			until:   2100,
			code:    storage.InvalidArgument,
		},
		"there is no object": {
			answers: []reply{failing(404, "notFound", "No such object: photos/a")},
			until:   2100,
			code:    storage.ObjectNotFound,
		},
		"there is no bucket": {
			answers: []reply{failing(404, "notFound", "The specified bucket does not exist.")},
			until:   2100,
			code:    storage.BucketNotFound,
		},
		"the response is lost: it may be applied": {
			answers: []reply{failing(503, "backendError", "Backend Error")},
			until:   2100,
			code:    storage.Unavailable,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, tt.answers...)
			err := server.on(t).SetRetention(t.Context(), &driver.ChangeRequest{
				Key:              "a",
				BypassGovernance: tt.bypass,
				Retention:        storage.Retention{Mode: storage.Governance, Until: time.Date(tt.until, 1, 1, 0, 0, 0, 0, time.UTC)},
			})
			require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.code == storage.Unavailable, e.Unknown)
			if tt.code == storage.Unsupported || tt.code == storage.Locked {
				require.NotEmpty(t, e.Hint)
			}
		})
	}
}

// With WithGovernanceBypass, Delete removes the retention before the object.
func TestDeleteBypassRemovesRetention(t *testing.T) {
	server := newStandIn(t,
		failing(403, "retentionPolicyNotMet", "Object 'photos/a' is subject to bucket's retention policy or object retention"),
		reply{
			Header: stored.Header,
			Body:   `{"name":"a","generation":"7","metageneration":"3","retention":{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"},"retentionExpirationTime":"2126-03-04T05:06:07Z"}`,
		},
		accepted, reply{Status: http.StatusNoContent})
	require.NoError(t, server.on(t).Delete(t.Context(), &driver.DeleteRequest{Key: "a", Version: "7", BypassGovernance: true}))

	const object = " /storage/v1/b/photos/o/a"
	require.Equal(t, []string{"DELETE" + object, "GET" + object, "PATCH" + object, "DELETE" + object}, server.server.Calls())
	patch := server.server.Requests()[2]
	require.Equal(t, "true", patch.Query().Get("overrideUnlockedRetention"))
	require.Equal(t, "3", patch.Query().Get("ifMetagenerationMatch"))
	require.Equal(t, "7", patch.Query().Get("generation"))

	for name, body := range map[string]string{
		"compliance":                `{"generation":"7","retention":{"mode":"Locked","retainUntilTime":"2126-03-04T05:06:07Z"}}`,
		"a policy of the bucket":    `{"generation":"7","retentionExpirationTime":"2126-03-04T05:06:07Z"}`,
		"a longer policy":           `{"generation":"7","retention":{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"},"retentionExpirationTime":"2127-03-04T05:06:07Z"}`,
		"a hold beside a retention": `{"generation":"7","temporaryHold":true,"retention":{"mode":"Unlocked","retainUntilTime":"2126-03-04T05:06:07Z"}}`,
	} {
		server := newStandIn(t, failing(403, "retentionPolicyNotMet", "kept"), reply{Header: stored.Header, Body: body})
		err := server.on(t).Delete(t.Context(), &driver.DeleteRequest{Key: "a", BypassGovernance: true})
		require.ErrorIs(t, err, storage.Locked, name)
		require.Len(t, server.server.Calls(), 2, name)
	}
}

// A bucket is created with object lock.
func TestCreateBucketWithObjectLock(t *testing.T) {
	s, w := newManagingService(t, Config{}, map[string][]string{"POST /b": {bucketIsThere}})
	info, err := s.CreateBucket(t.Context(), wiretest.BucketRequest(storage.WithObjectLock()))
	require.NoError(t, err)
	require.True(t, info.ObjectLock)
	require.True(t, info.Versioning)
	require.Equal(t, "enableObjectRetention=true&project=p", w.queries["POST /b"])
	require.Contains(t, w.bodies["POST /b"][0], `"versioning":{"enabled":true}`)

	tests := map[string]struct {
		bucket   string
		opts     []storage.BucketOption
		code     storage.Code
		requests []string
	}{
		"object lock that is there": {
			bucket:   `200 {"kind":"storage#bucket","name":"photos","versioning":{"enabled":true},"objectRetention":{"mode":"Enabled"},"iamConfiguration":{"publicAccessPrevention":"enforced"}}`,
			opts:     []storage.BucketOption{storage.WithObjectLock()},
			requests: []string{"GET /b/photos", "GET /b/photos"},
		},
		"without versions": {
			bucket:   `200 {"kind":"storage#bucket","name":"photos","objectRetention":{"mode":"Enabled"},"iamConfiguration":{"publicAccessPrevention":"enforced"}}`,
			opts:     []storage.BucketOption{storage.WithObjectLock()},
			requests: []string{"GET /b/photos", "PATCH /b/photos"},
		},
		"object lock that is not": {
			bucket:   bucketIsThere,
			opts:     []storage.BucketOption{storage.WithObjectLock()},
			code:     storage.Unsupported,
			requests: []string{"GET /b/photos"},
		},
		"a default retention": {
			bucket: bucketIsThere,
			opts:   []storage.BucketOption{storage.WithDefaultRetention(storage.Governance, 1)},
			code:   storage.Unsupported,
		},
		"rules by tag": {
			bucket: bucketIsThere,
			opts:   []storage.BucketOption{storage.WithLifecycle(storage.LifecycleRule{ID: "a", Tags: map[string]string{"k": "v"}, ExpireAfterDays: 1})},
			code:   storage.Unsupported,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, w := newManagingService(t, Config{}, map[string][]string{"GET /b/photos": {tt.bucket}, "PATCH /b/photos": {tt.bucket}})
			_, err := s.UpdateBucket(t.Context(), wiretest.BucketRequest(tt.opts...))
			require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.requests, w.requests)
			if tt.code != "" {
				var e *storage.Error
				require.ErrorAs(t, err, &e)
				require.NotEmpty(t, e.Error())
			}
		})
	}
}

// If the response to a change is lost, the call fails with OutcomeUnknown.
func TestChangesWithLostResponse(t *testing.T) {
	for name, answer := range map[string]reply{"cut": {Cut: true}, "503": failing(503, "backendError", "Backend Error")} {
		for call, do := range map[string]func(d *objectDriver) error{
			"SetLegalHold": func(d *objectDriver) error { return d.SetLegalHold(t.Context(), &driver.ChangeRequest{Key: "a"}) },
			"SetRetention": func(d *objectDriver) error { return d.SetRetention(t.Context(), &driver.ChangeRequest{Key: "a"}) },
			"replaceContexts": func(d *objectDriver) error {
				return d.replaceContexts(t.Context(), &driver.ChangeRequest{Key: "a"}, &gcs.ObjectAttrs{}, nil)
			},
		} {
			server := newStandIn(t, answer)
			require.ErrorIs(t, do(server.on(t)), storage.OutcomeUnknown, "%s, %s", name, call)
			require.Len(t, server.server.Calls(), 1, "%s, %s: the SDK retries nothing", name, call)
		}

		server := newStandIn(t, answer)
		_, err := server.on(t).Tags(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
		require.ErrorIs(t, err, storage.Unavailable)
		require.ErrorIs(t, server.on(t).Restore(t.Context(), &driver.ChangeRequest{Key: "a"}), storage.Unavailable)
	}
}

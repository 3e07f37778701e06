package gcs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

const (
	listRequest      = "GET /b/photos/o"
	restoreRequest   = "POST /b/photos/o/a/restore"
	readRequest      = "GET /b/photos/o/a"
	removedItem      = `{"kind":"storage#object","name":"a","generation":"7","size":"1","timeCreated":"2026-11-20T12:00:00Z","softDeleteTime":"2026-11-21T12:00:00Z","hardDeleteTime":"2026-11-28T12:00:00Z"}`
	liveObjectAnswer = `200 {"kind":"storage#object","name":"a","generation":"8","size":"1","timeCreated":"2026-11-22T12:00:00Z"}`
)

// ListVersions and Restore of soft-deleted objects send the right requests, which fake-gcs-server cannot check.
func TestSoftDeletedObjectsAreRequested(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, map[string][]string{
		listRequest:    {`200 {"kind":"storage#objects","items":[` + removedItem + `]}`},
		restoreRequest: {liveObjectAnswer},
	})
	d, err := service.Driver("photos")
	require.NoError(t, err)

	// A listing asks only for soft-deleted objects.
	page, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 10, SoftDeleted: true})
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)

	entry := page.Entries[0]
	require.Equal(t, "7", entry.Version)
	require.False(t, entry.Current)
	require.Equal(t, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), entry.NoncurrentSince)
	require.Equal(t, time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), entry.SoftDeletedUntil)

	// Google refuses the parameters softDeleted and versions in one request.
	require.Contains(t, transcript.queries[listRequest], "softDeleted=true")
	require.NotContains(t, transcript.queries[listRequest], "versions=true")
	require.Contains(t, transcript.queries[listRequest], "hardDeleteTime")

	// A restore of one version takes one request.
	transcript.requests = nil
	require.NoError(t, d.Restore(t.Context(), &driver.ChangeRequest{
		Key:         "a",
		Version:     "7",
		SoftDeleted: true,
	}))
	require.Equal(t, []string{restoreRequest}, transcript.requests)
	require.Equal(t, "generation=7&ifGenerationMatch=0", transcript.queries[restoreRequest])

	// A restore of the newest version looks for it in a listing.
	transcript.requests = nil
	require.NoError(t, d.Restore(t.Context(), &driver.ChangeRequest{Key: "a", SoftDeleted: true}))
	require.Equal(t, []string{listRequest, restoreRequest}, transcript.requests)
}

// Restore brings back a removed object that the bucket keeps for some time. It fails with
// ObjectNotFound if no object is kept. If the key has an object, it fails with PreconditionFailed,
// because it would replace that object.
func TestSoftDeletedRestoreFails(t *testing.T) {
	const emptyListing = `200 {"kind":"storage#objects"}`
	missing := errorAnswer(404, "notFound", "No such object: photos/a")
	conditionFailed := errorAnswer(412, "conditionNotMet",
		"At least one of the pre-conditions you specified did not hold.")

	tests := []struct {
		name    string
		version string              // "" for the newest one, which the driver looks for in a listing
		answers map[string][]string // by request
		want    error
	}{
		{
			name:    "nothing is kept",
			answers: map[string][]string{listRequest: {emptyListing}, readRequest: {missing}},
			want:    storage.ObjectNotFound,
		},
		{
			name:    "nothing is kept, and the object is there",
			answers: map[string][]string{listRequest: {emptyListing}, readRequest: {liveObjectAnswer}},
			want:    storage.PreconditionFailed,
		},
		{
			name:    "an object is there",
			version: "7",
			answers: map[string][]string{restoreRequest: {conditionFailed}},
			want:    storage.PreconditionFailed,
		},
		{
			name:    "the generation is gone",
			version: "7",
			answers: map[string][]string{restoreRequest: {missing}, readRequest: {missing}},
			want:    storage.ObjectNotFound,
		},
		{
			name:    "the generation is gone, and an object is there",
			version: "7",
			answers: map[string][]string{restoreRequest: {missing}, readRequest: {liveObjectAnswer}},
			want:    storage.PreconditionFailed,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service, _ := newManagingService(t, Config{}, tt.answers)
			d, err := service.Driver("photos")
			require.NoError(t, err)

			err = d.Restore(t.Context(), &driver.ChangeRequest{Key: "a", Version: tt.version, SoftDeleted: true})
			require.ErrorIs(t, err, tt.want)
		})
	}
}

const softDeleteWeek = 7 * 24 * time.Hour // 604,800 seconds

// CreateBucket sends the soft delete policy of a new bucket in seconds.
func TestSoftDeletePolicyOfNewBucket(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, map[string][]string{"POST /b": {bucketAnswer}})

	r := &driver.BucketRequest{Name: "photos", SoftDelete: new(softDeleteWeek)}
	info, err := service.CreateBucket(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, softDeleteWeek, info.SoftDelete)
	require.Contains(t, transcript.bodies["POST /b"][0],
		`"softDeletePolicy":{"retentionDurationSeconds":"604800"}`)
}

// UpdateBucket turns soft delete off by a policy of zero seconds.
func TestSoftDeletePolicyTurnedOff(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, map[string][]string{
		"PATCH /b/photos":   {bucketAnswer},
		"GET /b/photos/iam": {privatePolicyAnswer},
	})

	off := time.Duration(0)
	_, err := service.UpdateBucket(t.Context(), &driver.BucketRequest{Name: "photos", SoftDelete: &off})
	require.NoError(t, err)
	require.Contains(t, transcript.bodies["PATCH /b/photos"][0],
		`"softDeletePolicy":{"retentionDurationSeconds":"0"}`)
}

// BucketInfo returns the soft delete policy of a bucket.
func TestSoftDeletePolicyRead(t *testing.T) {
	service, _ := newManagingService(t, Config{}, map[string][]string{
		"GET /b/photos": {`200 {"kind":"storage#bucket","name":"photos","softDeletePolicy":` +
			`{"retentionDurationSeconds":"604800","effectiveTime":"2026-11-20T12:00:00Z"}}`},
		"GET /b/photos/iam": {privatePolicyAnswer},
	})

	info, err := service.BucketInfo(t.Context(), "photos")
	require.NoError(t, err)
	require.Equal(t, softDeleteWeek, info.SoftDelete)
}

// CreateBucket refuses a soft delete policy of an hour, which is too short for Google, without a request.
func TestSoftDeletePolicyTooShort(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, nil)

	hour := time.Hour
	_, err := service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "photos", SoftDelete: &hour})
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Empty(t, transcript.requests)
}

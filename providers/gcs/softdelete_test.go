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

// Listing and restoring soft-deleted objects send these requests. fake-gcs-server has no soft delete.
func TestSoftDeletedObjectsAreRequested(t *testing.T) {
	service, transcript := newManagingService(t, Config{}, map[string][]string{
		listRequest:    {`200 {"kind":"storage#objects","items":[` + removedItem + `]}`},
		restoreRequest: {liveObjectAnswer},
	})
	d, err := service.Driver("photos")
	require.NoError(t, err)

	page, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 10, SoftDeleted: true})
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	require.Equal(t, "7", page.Entries[0].Version)
	require.False(t, page.Entries[0].Current)
	require.Equal(t, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), page.Entries[0].NoncurrentSince)
	require.Equal(t, time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC), page.Entries[0].SoftDeletedUntil)
	require.Contains(t, transcript.queries[listRequest], "softDeleted=true")
	require.NotContains(t, transcript.queries[listRequest], "versions=true", "Google refuses both at once")
	require.Contains(t, transcript.queries[listRequest], "hardDeleteTime")

	transcript.requests = nil
	require.NoError(t, d.Restore(t.Context(), &driver.ChangeRequest{
		Key:         "a",
		Version:     "7",
		SoftDeleted: true,
	}))
	require.Equal(t, []string{restoreRequest}, transcript.requests)
	require.Equal(t, "generation=7&ifGenerationMatch=0", transcript.queries[restoreRequest])

	transcript.requests = nil
	require.NoError(t, d.Restore(t.Context(), &driver.ChangeRequest{Key: "a", SoftDeleted: true}))
	require.Equal(t, []string{listRequest, restoreRequest}, transcript.requests)
}

// Restore fails if no removed object is kept, or if an object with the key exists.
func TestSoftDeletedRestoreFails(t *testing.T) {
	none := `200 {"kind":"storage#objects"}`
	absent := errorAnswer(404, "notFound", "No such object: photos/a")
	tests := []struct {
		name, list, restore, read string
		want                      error
	}{
		{name: "nothing is kept", list: none, read: absent, want: storage.ObjectNotFound},
		{
			name: "nothing is kept, and the object is there",
			list: none,
			read: liveObjectAnswer,
			want: storage.PreconditionFailed,
		},
		{
			name: "an object is there",
			restore: errorAnswer(412, "conditionNotMet",
				"At least one of the pre-conditions you specified did not hold."),
			want: storage.PreconditionFailed,
		},
		{name: "the generation is gone", restore: absent, read: absent, want: storage.ObjectNotFound},
		{
			name:    "the generation is gone, and an object is there",
			restore: absent,
			read:    liveObjectAnswer,
			want:    storage.PreconditionFailed,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answers := map[string][]string{}
			for request, answer := range map[string]string{
				listRequest:    tt.list,
				restoreRequest: tt.restore,
				readRequest:    tt.read,
			} {
				if answer != "" {
					answers[request] = []string{answer}
				}
			}
			service, _ := newManagingService(t, Config{}, answers)
			d, err := service.Driver("photos")
			require.NoError(t, err)
			r := &driver.ChangeRequest{Key: "a", SoftDeleted: true}
			if tt.list == "" {
				r.Version = "7"
			}

			require.ErrorIs(t, d.Restore(t.Context(), r), tt.want)
		})
	}
}

// The soft delete policy of a bucket is set and read.
func TestSoftDeletePolicy(t *testing.T) {
	const creates, changes = "POST /b", "PATCH /b/photos"
	service, transcript := newManagingService(t, Config{}, map[string][]string{
		creates:             {bucketAnswer},
		changes:             {bucketAnswer},
		"GET /b/photos":     {`200 {"kind":"storage#bucket","name":"photos","softDeletePolicy":{"retentionDurationSeconds":"604800","effectiveTime":"2026-11-20T12:00:00Z"}}`},
		"GET /b/photos/iam": {privatePolicyAnswer},
	})
	week := 7 * 24 * time.Hour
	none := time.Duration(0)
	short := time.Hour

	info, err := service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "photos", SoftDelete: &week})
	require.NoError(t, err)
	require.Equal(t, week, info.SoftDelete)
	require.Contains(t, transcript.bodies[creates][0],
		`"softDeletePolicy":{"retentionDurationSeconds":"604800"}`)

	_, err = service.UpdateBucket(t.Context(), &driver.BucketRequest{Name: "photos", SoftDelete: &none})
	require.NoError(t, err)
	require.Contains(t, transcript.bodies[changes][0], `"softDeletePolicy":{"retentionDurationSeconds":"0"}`)

	info, err = service.BucketInfo(t.Context(), "photos")
	require.NoError(t, err)
	require.Equal(t, week, info.SoftDelete)

	transcript.requests = nil
	_, err = service.CreateBucket(t.Context(), &driver.BucketRequest{Name: "photos", SoftDelete: &short})
	require.ErrorIs(t, err, storage.InvalidArgument)
	require.Empty(t, transcript.requests)
}

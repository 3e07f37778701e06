package azure

import (
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
)

// Restore of an archived object sets the object's tier with a priority. It does not set the tier if
// the object can be read, or if its restoration is under way with at least this priority.
func TestRestoreRequests(t *testing.T) {
	archived := objectReply("", "X-Ms-Access-Tier", "Archive")
	restoring := objectReply("",
		"X-Ms-Access-Tier", "Archive",
		"X-Ms-Archive-Status", "rehydrate-pending-to-cool",
		"X-Ms-Rehydrate-Priority", "Standard")
	restoringFast := objectReply("",
		"X-Ms-Access-Tier", "Archive",
		"X-Ms-Archive-Status", "rehydrate-pending-to-cold",
		"X-Ms-Rehydrate-Priority", "High")

	tests := []struct {
		name         string
		object       reply // its attributes
		opts         []storage.RestoreOption
		wantTier     string // "": no request sets the tier
		wantPriority string
	}{
		{name: "archived", object: archived, wantTier: "Hot", wantPriority: "Standard"},
		{
			name:         "archived, high priority requested",
			object:       archived,
			opts:         []storage.RestoreOption{storage.WithRestoreTier("High")},
			wantTier:     "Hot",
			wantPriority: "High",
		},
		{
			name:         "archived, another tier requested",
			object:       archived,
			opts:         []storage.RestoreOption{WithAccessTier(blob.AccessTierCool)},
			wantTier:     "Cool",
			wantPriority: "Standard",
		},
		{
			// Azure restores objects for good, so the number of days is ignored.
			name:         "archived, a number of days requested",
			object:       archived,
			opts:         []storage.RestoreOption{storage.WithRestoreDays(3)},
			wantTier:     "Hot",
			wantPriority: "Standard",
		},
		{name: "not archived", object: objectReply("x", "X-Ms-Access-Tier", "Cool")},
		{name: "restoration under way", object: restoring},
		{
			name:         "restoration under way, higher priority requested",
			object:       restoring,
			opts:         []storage.RestoreOption{storage.WithRestoreTier("High")},
			wantTier:     "Cool", // as in the restoration
			wantPriority: "High",
		},
		{
			name:   "restoration under way with the requested priority",
			object: restoringFast,
			opts:   []storage.RestoreOption{storage.WithRestoreTier("High")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.object, reply{Status: http.StatusAccepted})
			bucket := engine.New(server.openDriver(t))

			require.NoError(t, storage.Restore(t.Context(), bucket, "a", tt.opts...))
			if tt.wantTier == "" {
				require.Equal(t, []string{"HEAD /photos/a"}, server.Lines())
				return
			}
			require.Equal(t, []string{"HEAD /photos/a", "PUT /photos/a?comp=tier"}, server.Lines())
			require.Equal(t, tt.wantTier, server.Last(t).Header.Get("X-Ms-Access-Tier"))
			require.Equal(t, tt.wantPriority, server.Last(t).Header.Get("X-Ms-Rehydrate-Priority"))
		})
	}
}

// The emulator restores an archived object at once.
func TestRestoreArchived(t *testing.T) {
	bucket, _ := newSigningBucket(t)
	ctx := t.Context()

	attrs, err := bucket.Upload(ctx, "a", strings.NewReader("text"), WithAccessTier(blob.AccessTierArchive))
	require.NoError(t, err)
	require.Equal(t, "Archive", attrs.StorageClass)

	attrs, err = bucket.Attrs(ctx, "a")
	require.NoError(t, err)
	require.True(t, attrs.Archived)

	_, _, err = storage.ReadAll(ctx, bucket, "a")
	require.ErrorIs(t, err, storage.Archived)

	// A second call finds the object restored, and also succeeds.
	for range 2 {
		require.NoError(t,
			storage.Restore(ctx, bucket, "a", storage.WithRestoreTier("High"), WithAccessTier(blob.AccessTierCool)))
		data, _, err := storage.ReadAll(ctx, bucket, "a")
		require.NoError(t, err)
		require.Equal(t, "text", string(data))

		attrs, err = bucket.Attrs(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, "Cool", attrs.StorageClass)
		require.False(t, attrs.Archived)
	}

	require.ErrorIs(t, storage.Restore(ctx, bucket, "missing"), storage.ObjectNotFound)
}

// Restore refuses an invalid priority, and options that it cannot send, without a request.
func TestRestoreErrors(t *testing.T) {
	server := newCannedServer(t)
	bucket := engine.New(server.openDriver(t))

	err := storage.Restore(t.Context(), bucket, "a", storage.WithRestoreTier("Expedited"))
	require.ErrorIs(t, err, storage.InvalidArgument)

	err = storage.Restore(t.Context(), bucket, "a", WithOptions(Options{}))
	require.ErrorIs(t, err, storage.Unsupported)
	require.Empty(t, server.Requests())
}

// With an old Config.APIVersion, the driver does not restore.
func TestRestoreOldVersion(t *testing.T) {
	old := newCannedServer(t).openDriver(t, func(c *Config) { c.APIVersion = "2018-11-09" })
	require.Zero(t, old.Describe().Features&storage.Restoring)
	require.NotZero(t, newCannedServer(t).openDriver(t).Describe().Features&storage.Restoring)
}

// Restore fails with the Code of the reason if Azure refuses it.
func TestRestoreRefused(t *testing.T) {
	tests := []struct {
		name    string
		answers []reply
		want    storage.Code
	}{
		{
			name:    "no object",
			answers: []reply{errorReply(404, "BlobNotFound")},
			want:    storage.ObjectNotFound,
		},
		{
			name:    "no container",
			answers: []reply{errorReply(404, "ContainerNotFound")},
			want:    storage.BucketNotFound,
		},
		{
			name: "already being restored",
			answers: []reply{
				objectReply("", "X-Ms-Access-Tier", "Archive"),
				errorReply(409, "BlobBeingRehydrated"),
			},
			want: storage.Archived,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newCannedServer(t, tt.answers...).openDriver(t)
			err := d.Restore(t.Context(), &driver.ChangeRequest{Key: "a"})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
		})
	}
}

// The error of a read of an archived object says how to read it.
func TestDownloadArchivedHint(t *testing.T) {
	server := newCannedServer(t, errorReply(409, "BlobArchived"))
	bucket := engine.New(server.openDriver(t))

	_, err := bucket.Download(t.Context(), "a")
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Archived, e.Code)
	require.Contains(t, e.Hint, "Restore")
}

// Restore of a version sends its id with each request.
func TestRestoreOfAVersion(t *testing.T) {
	server := newCannedServer(t, objectReply("", "X-Ms-Access-Tier", "Archive"), reply{Status: http.StatusOK})
	d := server.openDriver(t)

	require.NoError(t, d.Restore(t.Context(), &driver.ChangeRequest{Key: "a", Version: versionAt(1)}))
	for _, line := range server.Lines() {
		require.True(t, strings.HasSuffix(line, "versionid=2026-11-20T12%3A00%3A01.0000000Z"), line)
	}
}

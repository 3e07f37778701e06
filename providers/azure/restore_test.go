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

func TestRestoreRequests(t *testing.T) {
	archived := func(pairs ...string) said { return anObject("", append(pairs, "X-Ms-Access-Tier", "Archive")...) }
	tests := map[string]struct {
		found          said
		opts           []storage.RestoreOption
		tier, priority string // "" means no request
	}{
		"an archived object": {found: archived(), tier: "Hot", priority: "Standard"},
		"with a priority": {
			found:    archived(),
			opts:     []storage.RestoreOption{storage.WithRestoreTier("High")},
			tier:     "Hot",
			priority: "High",
		},
		"to another tier": {
			found:    archived(),
			opts:     []storage.RestoreOption{WithAccessTier(blob.AccessTierCool)},
			tier:     "Cool",
			priority: "Standard",
		},
		"days, which Azure has not": {
			found:    archived(),
			opts:     []storage.RestoreOption{storage.WithRestoreDays(3)},
			tier:     "Hot",
			priority: "Standard",
		},
		"one that can be read": {found: anObject("x", "X-Ms-Access-Tier", "Cool")},
		"one that is being restored": {
			found: archived("X-Ms-Archive-Status", "rehydrate-pending-to-cool", "X-Ms-Rehydrate-Priority", "Standard"),
		},
		"one that is to be restored first": {
			found:    archived("X-Ms-Archive-Status", "rehydrate-pending-to-cool", "X-Ms-Rehydrate-Priority", "Standard"),
			opts:     []storage.RestoreOption{storage.WithRestoreTier("High")},
			tier:     "Cool",
			priority: "High",
		},
		"one that is restored first": {
			found: archived("X-Ms-Archive-Status", "rehydrate-pending-to-cold", "X-Ms-Rehydrate-Priority", "High"),
			opts:  []storage.RestoreOption{storage.WithRestoreTier("High")},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.found, said{Status: http.StatusAccepted})
			require.NoError(t, storage.Restore(t.Context(), engine.New(s.driver(t)), "a", tt.opts...))
			if tt.tier == "" {
				require.Equal(t, []string{"HEAD /photos/a"}, s.server.Lines())
				return
			}
			require.Equal(t, []string{"HEAD /photos/a", "PUT /photos/a?comp=tier"}, s.server.Lines())
			require.Equal(t, tt.tier, s.server.Last(t).Header.Get("X-Ms-Access-Tier"))
			require.Equal(t, tt.priority, s.server.Last(t).Header.Get("X-Ms-Rehydrate-Priority"))
		})
	}
}

// The emulator restores an archived object at once.
func TestRestoreArchived(t *testing.T) {
	b, _ := newSigningBucket(t)
	ctx := t.Context()

	attrs, err := b.Upload(ctx, "a", strings.NewReader("text"), WithAccessTier(blob.AccessTierArchive))
	require.NoError(t, err)
	require.Equal(t, "Archive", attrs.StorageClass)

	attrs, err = b.Attrs(ctx, "a")
	require.NoError(t, err)
	require.True(t, attrs.Archived)

	_, _, err = storage.ReadAll(ctx, b, "a")
	require.ErrorIs(t, err, storage.Archived)
	for range 2 {
		require.NoError(t, storage.Restore(ctx, b, "a", storage.WithRestoreTier("High"), WithAccessTier(blob.AccessTierCool)))
		data, _, err := storage.ReadAll(ctx, b, "a")
		require.NoError(t, err)
		require.Equal(t, "text", string(data))

		attrs, err = b.Attrs(ctx, "a")
		require.NoError(t, err)
		require.Equal(t, "Cool", attrs.StorageClass)
		require.False(t, attrs.Archived)
	}
	require.ErrorIs(t, storage.Restore(ctx, b, "missing"), storage.ObjectNotFound)
}

func TestRestoreErrors(t *testing.T) {
	s := newScript(t)
	err := storage.Restore(t.Context(), engine.New(s.driver(t)), "a", storage.WithRestoreTier("Expedited"))
	require.ErrorIs(t, err, storage.InvalidArgument)

	err = storage.Restore(t.Context(), engine.New(s.driver(t)), "a", WithOptions(Options{}))
	require.ErrorIs(t, err, storage.Unsupported)
	require.Empty(t, s.server.Requests())
	require.Zero(t, newScript(t).driver(t, func(c *Config) {
		c.APIVersion = "2018-11-09"
	}).Describe().Features&storage.Restoring)
	require.NotZero(t, newScript(t).driver(t).Describe().Features&storage.Restoring)

	for want, answers := range map[storage.Code][]said{
		storage.ObjectNotFound: {refusing(404, "BlobNotFound")},
		storage.BucketNotFound: {refusing(404, "ContainerNotFound")},
		storage.Archived:       {anObject("", "X-Ms-Access-Tier", "Archive"), refusing(409, "BlobBeingRehydrated")},
	} {
		err := newScript(t, answers...).driver(t).Restore(t.Context(), &driver.ChangeRequest{Key: "a"})
		require.Equal(t, want, storage.CodeOf(err), "%v", err)
	}
}

// The error of a read of an archived object says how to read it.
func TestDownloadArchivedHint(t *testing.T) {
	_, err := engine.New(newScript(t, refusing(409, "BlobArchived")).driver(t)).Download(t.Context(), "a")
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Archived, e.Code)
	require.Contains(t, e.Hint, "Restore")
}

func TestRestoreOfAVersion(t *testing.T) {
	s := newScript(t, anObject("", "X-Ms-Access-Tier", "Archive"), said{Status: http.StatusOK})
	require.NoError(t, s.driver(t).Restore(t.Context(), &driver.ChangeRequest{Key: "a", Version: versionAt(1)}))
	for _, line := range s.server.Lines() {
		require.True(t, strings.HasSuffix(line, "versionid=2026-11-20T12%3A00%3A01.0000000Z"), line)
	}
}

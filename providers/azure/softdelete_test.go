package azure

import (
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Azurite has no soft delete, so that the requests are pinned. The entry is that of
// https://learn.microsoft.com/rest/api/storageservices/list-blobs
func removedEntry(name string, extra ...string) string {
	entry := `<Blob><Name>` + name + `</Name><Deleted>true</Deleted>`
	for _, m := range extra {
		entry += m
	}
	return entry + `<Properties><Last-Modified>` + aTime + `</Last-Modified><Etag>0x8DE1F3A5B6C7D80</Etag><Content-Length>5</Content-Length>` +
		`<BlobType>BlockBlob</BlobType><DeletedTime>Fri, 20 Nov 2026 12:00:00 GMT</DeletedTime><RemainingRetentionDays>3</RemainingRetentionDays></Properties></Blob>`
}

const (
	listsRemoved = "GET /photos?comp=list&include=deleted%2Cmetadata%2Cversions&maxresults=10&restype=container"
	looksForIt   = "GET /photos?comp=list&include=deleted%2Cversions&maxresults=5000&prefix=a&restype=container"
	undeletes    = "PUT /photos/a?comp=undelete"
)

func TestSoftDeletedBlobsAreListed(t *testing.T) {
	s := newScript(t, listing("", blobEntry("a"), removedEntry("b"), removedEntry("c", `<VersionId>`+versionAt(1)+`</VersionId>`),
		removedEntry("d", `<Snapshot>`+versionAt(2)+`</Snapshot>`)))
	page, err := s.driver(t).ListVersions(t.Context(), &driver.ListRequest{Limit: 10, SoftDeleted: true})
	require.NoError(t, err)
	require.Equal(t, []string{listsRemoved}, s.server.Lines())
	require.Equal(t, []versionOf{{"b", "", false}, {"c", versionAt(1), false}}, versionsOf(page.Entries))

	removedAt := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	require.Equal(t, removedAt, page.Entries[0].NoncurrentSince)
	require.False(t, page.Entries[0].SoftDeletedUntil.Before(removedAt.Add(3*day)))
}

// expiryOfDeleted adds RemainingRetentionDays to the full days that have passed since the blob was deleted.
func TestKeptUntil(t *testing.T) {
	removedAt := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	p := &container.BlobProperties{DeletedTime: &removedAt, RemainingRetentionDays: to.Ptr(int32(3))}
	require.Equal(t, removedAt.Add(3*day), expiryOfDeleted(p, removedAt.Add(time.Hour)))
	require.Equal(t, removedAt.Add(7*day), expiryOfDeleted(p, removedAt.Add(4*day+time.Hour)))
	require.Equal(t, removedAt.Add(3*day), expiryOfDeleted(p, removedAt.Add(-time.Hour)), "a clock behind Azure's")
	p.DeletedTime = nil
	require.Equal(t, removedAt.Add(3*day), expiryOfDeleted(p, removedAt))
}

func TestUndelete(t *testing.T) {
	refusal := refusing(http.StatusNotFound, "BlobNotFound")
	noncurrent := blobEntry("a", `<VersionId>`+versionAt(2)+`</VersionId>`)
	version := func(second int) string { return `<VersionId>` + versionAt(second) + `</VersionId>` }
	tests := []struct {
		name    string
		version string
		answers []said
		want    error
		asked   []string
	}{
		{name: "a blob", answers: []said{listing("", removedEntry("a"), removedEntry("ab")), {}}, want: nil, asked: []string{looksForIt, undeletes}},
		{name: "a blob that is there", answers: []said{listing("", blobEntry("a"))}, want: storage.PreconditionFailed, asked: []string{looksForIt}},
		{
			name:    "a blob that is there, in an account with versions",
			answers: []said{listing("", removedEntry("a", version(1)), blobEntry("a", version(2), `<IsCurrentVersion>true</IsCurrentVersion>`))},
			want:    storage.PreconditionFailed,
			asked:   []string{looksForIt},
		},
		{name: "nothing", answers: []said{listing("", removedEntry("ab"))}, want: storage.ObjectNotFound, asked: []string{looksForIt}},
		{
			name:    "only snapshots",
			answers: []said{listing("", removedEntry("a", `<Snapshot>`+versionAt(2)+`</Snapshot>`))},
			want:    storage.ObjectNotFound,
			asked:   []string{looksForIt},
		},
		{
			name:    "another version",
			version: versionAt(3),
			answers: []said{listing("", removedEntry("a", version(1)))},
			want:    storage.ObjectNotFound,
			asked:   []string{looksForIt},
		},
		{
			name:    "a blob that is dropped at that moment",
			answers: []said{listing("", removedEntry("a")), refusal},
			want:    storage.ObjectNotFound,
			asked:   []string{looksForIt, undeletes},
		},
		{
			name: "the newest version",
			answers: []said{listing("", removedEntry("a", version(1)), removedEntry("a", version(2))), {}, anObject("x", "X-Ms-Version-Id", versionAt(2)), {
				Status: http.StatusAccepted,
				Header: map[string]string{"X-Ms-Copy-Status": "success"},
			}},
			want:  nil,
			asked: []string{looksForIt, undeletes, "HEAD /photos/a?versionid=2026-11-20T12%3A00%3A02.0000000Z", "PUT /photos/a"},
		},
		{
			name:    "a version that an attempt before has restored",
			version: versionAt(2),
			answers: []said{listing("", removedEntry("a", version(1)), noncurrent), anObject("x", "X-Ms-Version-Id", versionAt(2)), {
				Status: http.StatusAccepted,
				Header: map[string]string{"X-Ms-Copy-Status": "success"},
			}},
			want:  nil,
			asked: []string{looksForIt, "HEAD /photos/a?versionid=2026-11-20T12%3A00%3A02.0000000Z", "PUT /photos/a"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(t, tt.answers...)
			err := s.driver(t).Restore(t.Context(), &driver.ChangeRequest{Key: "a", Version: tt.version, SoftDeleted: true})
			require.ErrorIs(t, err, tt.want)
			require.Equal(t, tt.asked, s.server.Lines())
			if len(tt.asked) > 2 {
				all := s.server.Requests()
				require.Equal(t, "*", all[len(all)-1].Header.Get("If-None-Match"), "a blob that was written meanwhile stays")
			}
		})
	}
}

package azure

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// deletedBlobEntry returns the element of a listing for a soft-deleted blob. The further elements
// come first. Azurite has no soft delete, so these tests pin the requests.
// https://learn.microsoft.com/rest/api/storageservices/list-blobs
func deletedBlobEntry(name string, elements ...string) string {
	return `<Blob><Name>` + name + `</Name><Deleted>true</Deleted>` + strings.Join(elements, "") +
		`<Properties><Last-Modified>` + lastModified + `</Last-Modified><Etag>0x8DE1F3A5B6C7D80</Etag>` +
		`<Content-Length>5</Content-Length><BlobType>BlockBlob</BlobType>` +
		`<DeletedTime>Fri, 20 Nov 2026 12:00:00 GMT</DeletedTime>` +
		`<RemainingRetentionDays>3</RemainingRetentionDays></Properties></Blob>`
}

const (
	listRemovedRequest = "GET /photos?comp=list&include=deleted%2Cmetadata%2Cversions&maxresults=10&restype=container"
	findRequest        = "GET /photos?comp=list&include=deleted%2Cversions&maxresults=5000&prefix=a&restype=container"
	undeleteRequest    = "PUT /photos/a?comp=undelete"
)

// ListVersions with SoftDeleted lists blobs and versions that are soft-deleted. It leaves out
// current blobs and snapshots.
func TestSoftDeletedBlobsAreListed(t *testing.T) {
	// The server lists a current blob, a deleted blob, a deleted version and a deleted snapshot.
	server := newCannedServer(t, listing("",
		blobEntry("a"),
		deletedBlobEntry("b"),
		deletedBlobEntry("c", `<VersionId>`+versionAt(1)+`</VersionId>`),
		deletedBlobEntry("d", `<Snapshot>`+versionAt(2)+`</Snapshot>`),
	))

	page, err := server.openDriver(t).ListVersions(t.Context(), &driver.ListRequest{Limit: 10, SoftDeleted: true})
	require.NoError(t, err)
	require.Equal(t, []string{listRemovedRequest}, server.Lines())
	require.Equal(t, []versionSummary{{key: "b"}, {key: "c", version: versionAt(1)}}, summariesOf(page.Entries))

	// The deleted blob has 3 days left.
	removedAt := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	require.Equal(t, removedAt, page.Entries[0].NoncurrentSince)
	require.False(t, page.Entries[0].SoftDeletedUntil.Before(removedAt.Add(3*day)))
}

// expiryOfDeleted adds RemainingRetentionDays to the full days that have passed since the deletion
// of the blob.
func TestExpiryOfDeleted(t *testing.T) {
	// In each case, Azure says that three days remain.
	removedAt := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		name      string
		deletedAt *time.Time // nil if the response has no time
		now       time.Time
		want      time.Time
	}{
		{name: "an hour later", deletedAt: &removedAt, now: removedAt.Add(time.Hour), want: removedAt.Add(3 * day)},
		{
			name:      "four days later",
			deletedAt: &removedAt,
			now:       removedAt.Add(4*day + time.Hour),
			want:      removedAt.Add(7 * day),
		},
		{
			name:      "by a clock behind Azure's",
			deletedAt: &removedAt,
			now:       removedAt.Add(-time.Hour),
			want:      removedAt.Add(3 * day),
		},
		{name: "without a time", now: removedAt, want: removedAt.Add(3 * day)},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &container.BlobProperties{DeletedTime: tt.deletedAt, RemainingRetentionDays: to.Ptr(int32(3))}
			require.Equal(t, tt.want, expiryOfDeleted(p, tt.now))
		})
	}
}

// Restore with SoftDeleted looks for the removed blob in a listing, and undeletes it. On an account with versions, it
// then copies the version that it restores onto the key. It never replaces a current blob.
func TestUndelete(t *testing.T) {
	const (
		readRequest  = "HEAD /photos/a?versionid=2026-11-20T12%3A00%3A02.0000000Z" // of the version of second 2
		writeRequest = "PUT /photos/a"
	)
	refusal := errorReply(http.StatusNotFound, "BlobNotFound")
	version := func(second int) string { return `<VersionId>` + versionAt(second) + `</VersionId>` }
	undeleted := reply{}
	versionProperties := objectReply("x", "X-Ms-Version-Id", versionAt(2))
	copied := reply{Status: http.StatusAccepted, Header: map[string]string{"X-Ms-Copy-Status": "success"}}
	tests := []struct {
		name         string
		version      string  // of the request; "" for the newest one
		replies      []reply // to the listing, and to later requests
		want         error
		wantRequests []string
	}{
		{
			name:         "blob removed",
			replies:      []reply{listing("", deletedBlobEntry("a"), deletedBlobEntry("ab")), undeleted},
			wantRequests: []string{findRequest, undeleteRequest},
		},
		{
			name:         "blob exists",
			replies:      []reply{listing("", blobEntry("a"))},
			want:         storage.PreconditionFailed,
			wantRequests: []string{findRequest},
		},
		{
			name:         "blob exists, account with versions",
			replies:      []reply{listing("", deletedBlobEntry("a", version(1)), currentVersionEntry("a", 2))},
			want:         storage.PreconditionFailed,
			wantRequests: []string{findRequest},
		},
		{
			name:         "no removed blob",
			replies:      []reply{listing("", deletedBlobEntry("ab"))},
			want:         storage.ObjectNotFound,
			wantRequests: []string{findRequest},
		},
		{
			name:         "only a snapshot removed",
			replies:      []reply{listing("", deletedBlobEntry("a", `<Snapshot>`+versionAt(2)+`</Snapshot>`))},
			want:         storage.ObjectNotFound,
			wantRequests: []string{findRequest},
		},
		{
			name:         "only another version removed",
			version:      versionAt(3),
			replies:      []reply{listing("", deletedBlobEntry("a", version(1)))},
			want:         storage.ObjectNotFound,
			wantRequests: []string{findRequest},
		},
		{
			name:         "blob expires meanwhile",
			replies:      []reply{listing("", deletedBlobEntry("a")), refusal},
			want:         storage.ObjectNotFound,
			wantRequests: []string{findRequest, undeleteRequest},
		},
		{
			name: "newest version of two",
			replies: []reply{
				listing("", deletedBlobEntry("a", version(1)), deletedBlobEntry("a", version(2))),
				undeleted,
				versionProperties,
				copied,
			},
			wantRequests: []string{findRequest, undeleteRequest, readRequest, writeRequest},
		},
		{
			name:    "version undeleted by an earlier attempt",
			version: versionAt(2),
			replies: []reply{
				listing("", deletedBlobEntry("a", version(1)), versionEntry("a", 2)),
				versionProperties,
				copied,
			},
			wantRequests: []string{findRequest, readRequest, writeRequest},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.replies...)
			err := server.openDriver(t).Restore(t.Context(), &driver.ChangeRequest{
				Key:         "a",
				Version:     tt.version,
				SoftDeleted: true,
			})
			require.ErrorIs(t, err, tt.want)
			require.Equal(t, tt.wantRequests, server.Lines())

			isCopied := len(tt.wantRequests) > 2
			if isCopied {
				require.Equal(t, "*", server.Last(t).Header.Get("If-None-Match"),
					"a blob that was written meanwhile must stay")
			}
		})
	}
}

package azure

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// versionEntry returns the element of a listing for a noncurrent version of a blob. The version was
// stored at the given second.
func versionEntry(name string, second int) string {
	return blobEntry(name, `<VersionId>`+versionAt(second)+`</VersionId>`)
}

// currentVersionEntry returns the element of a listing for the current version of a blob. The
// version was stored at the given second.
func currentVersionEntry(name string, second int) string {
	return blobEntry(name, `<VersionId>`+versionAt(second)+`</VersionId>`, `<IsCurrentVersion>true</IsCurrentVersion>`)
}

// versionAt returns the id of a version, which is the time of its write.
func versionAt(second int) string { return fmt.Sprintf("2026-11-20T12:00:%02d.0000000Z", second) }

// A versionSummary has what these tests compare in an entry of a listing.
type versionSummary struct {
	key       string
	version   string
	isCurrent bool
}

// summariesOf returns the keys and versions of entries.
func summariesOf(entries []storage.VersionEntry) []versionSummary {
	var all []versionSummary
	for _, e := range entries {
		all = append(all, versionSummary{key: e.Key, version: e.Version, isCurrent: e.Current})
	}
	return all
}

// ListVersions returns the versions of a key with the newest first.
func TestListVersionsNewestFirst(t *testing.T) {
	server := newCannedServer(t,
		listing("",
			versionEntry("a", 1),
			versionEntry("a", 2),
			currentVersionEntry("a", 3),
			versionEntry("b", 1), // of a removed blob, for which Azure has no delete marker
		))

	page, err := server.openDriver(t).ListVersions(t.Context(), &driver.ListRequest{Limit: 10, Prefix: "p"})
	require.NoError(t, err)
	require.Equal(t,
		[]string{"GET /photos?comp=list&include=metadata%2Cversions&maxresults=10&prefix=p&restype=container"},
		server.Lines())
	require.Empty(t, page.Token)
	require.Equal(t, []versionSummary{
		{key: "a", version: versionAt(3), isCurrent: true},
		{key: "a", version: versionAt(2)},
		{key: "a", version: versionAt(1)},
		{key: "b", version: versionAt(1)},
	}, summariesOf(page.Entries))
	require.Equal(t, int64(5), page.Entries[0].Size)
	require.Equal(t, etag, page.Entries[0].Revision)
}

// ListVersions returns all versions of a key on one page, newest first, even if the pages of Azure
// divide them.
func TestListVersionsAcrossPages(t *testing.T) {
	// Azure lists the oldest version of a key first.
	pages := []reply{
		listing("m1", currentVersionEntry("a", 1), versionEntry("b", 1)),
		listing("m2", versionEntry("b", 2), versionEntry("b", 3)),
		listing("", currentVersionEntry("b", 4), currentVersionEntry("c", 1)),
	}

	// Azure's first page ends within the versions of b, so the second call reads that page again.
	server := newCannedServer(t, pages[0], pages[0], pages[1], pages[2])
	d := server.openDriver(t)

	firstPage, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 2})
	require.NoError(t, err)
	require.Equal(t, []versionSummary{{key: "a", version: versionAt(1), isCurrent: true}}, summariesOf(firstPage.Entries))
	require.NotEmpty(t, firstPage.Token)

	secondPage, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 2, Token: firstPage.Token})
	require.NoError(t, err)
	require.Equal(t, []versionSummary{
		{key: "b", version: versionAt(4), isCurrent: true},
		{key: "b", version: versionAt(3)},
		{key: "b", version: versionAt(2)},
		{key: "b", version: versionAt(1)},
		{key: "c", version: versionAt(1), isCurrent: true},
	}, summariesOf(secondPage.Entries))
	require.Empty(t, secondPage.Token)
}

// ListVersions refuses an invalid page token without a request.
func TestListVersionsInvalidTokens(t *testing.T) {
	server := newCannedServer(t, listing(""))
	for _, token := range []string{"x", "!.!", "YQ"} {
		_, err := server.openDriver(t).ListVersions(t.Context(), &driver.ListRequest{Limit: 2, Token: token})
		require.ErrorIs(t, err, storage.InvalidArgument, token)
	}
	require.Empty(t, server.Requests())
}

// Reads of a version send its id.
func TestVersionRequests(t *testing.T) {
	const query = "versionid=2026-11-20T12%3A00%3A01.0000000Z"
	server := newCannedServer(t, objectReply("x", "X-Ms-Version-Id", versionAt(1)))
	d := server.openDriver(t)
	r := &driver.GetRequest{Key: "a", Version: versionAt(1), Length: -1}

	_, body, err := d.Get(t.Context(), r)
	require.NoError(t, err)
	require.NoError(t, body.Close())
	attrs, err := d.Head(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, versionAt(1), attrs.Version)
	require.Equal(t, []string{"GET /photos/a?" + query, "HEAD /photos/a?" + query}, server.Lines())
}

// A removal of a version sends its id. It leaves out the header for snapshots, because Azure
// refuses that header for a version.
func TestVersionRemovalRequest(t *testing.T) {
	const query = "versionid=2026-11-20T12%3A00%3A01.0000000Z"
	server := newCannedServer(t, reply{Status: http.StatusAccepted})
	d := server.openDriver(t)

	require.NoError(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: "a", Version: versionAt(1)}))
	require.Equal(t, []string{"DELETE /photos/a?" + query}, server.Lines())
	require.Empty(t, server.Last(t).Header.Get("X-Ms-Delete-Snapshots"))
}

// Calls with an invalid version fail without a request.
func TestVersionInvalid(t *testing.T) {
	server := newCannedServer(t, objectReply("x"))
	d := server.openDriver(t)
	for _, version := range []string{"x", "null", "2026-11-20", "2026-11-20T12:00:01.0000000", "../a"} {
		read := driver.GetRequest{Key: "a", Version: version, Length: -1}
		_, _, err := d.Get(t.Context(), &read)
		require.ErrorIs(t, err, storage.InvalidArgument, version)
		_, err = d.Head(t.Context(), &read)
		require.ErrorIs(t, err, storage.InvalidArgument, version)

		remove := driver.DeleteRequest{Key: "a", Version: version}
		require.ErrorIs(t, d.Delete(t.Context(), &remove), storage.InvalidArgument, version)
		errs := d.DeleteBatch(t.Context(), []driver.DeleteRequest{remove})
		require.ErrorIs(t, errs[0], storage.InvalidArgument, version)
	}
	require.Empty(t, server.Requests())
}

// A read of a missing version fails with ObjectNotFound. A removal of a missing version succeeds.
func TestVersionMissing(t *testing.T) {
	server := newCannedServer(t, errorReply(404, "BlobNotFound"))
	d := server.openDriver(t)

	_, err := d.Head(t.Context(), &driver.GetRequest{Key: "a", Version: versionAt(1), Length: -1})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.NoError(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: "a", Version: versionAt(1)}))
}

// Listings hide the versions of uploads' parts unless their prefix is the reserved one. With that
// prefix, a caller can find leftover versions of parts, and remove them.
func TestVersionsOfPartsRemovable(t *testing.T) {
	part := reservedPrefix + "parts/0123456789abcdef0123456789abcdef/0-000001"
	server := newCannedServer(t)
	server.Answer = func(r wiretest.Request) reply {
		if r.Method == http.MethodGet {
			return listing("", versionEntry(part, 1))
		}
		return reply{Status: http.StatusAccepted} // the removal
	}
	d := server.openDriver(t)

	// A listing of all keys hides the part.
	page, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Entries)

	// A listing with the reserved prefix has the part.
	bucket := engine.New(d, storage.WithVersioning(true), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	var entries []storage.VersionEntry
	for entry, err := range storage.Versions(t.Context(), bucket, storage.WithPrefix(reservedPrefix)) {
		require.NoError(t, err)
		entries = append(entries, entry)
	}
	require.Equal(t, []versionSummary{{key: part, version: versionAt(1)}}, summariesOf(entries))

	// The version can be removed.
	require.NoError(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: part, Version: versionAt(1)}))
	require.Equal(t, http.MethodDelete, server.Last(t).Method)
	require.Contains(t, server.Last(t).RawQuery, "versionid=")
}

package s3

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
	"github.com/omnibucket/storage/providers/s3/internal/listxml"
)

// ListVersions keeps the order of the response. There, delete markers stand between versions. The
// request for the next page has the NextKeyMarker and NextVersionIdMarker of the page before.
func TestListVersions(t *testing.T) {
	const modified = `<LastModified>2026-01-02T03:04:05.100Z</LastModified>`
	const firstPage = `<ListVersionsResult>
		<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
		<NextKeyMarker>b%2F1</NextKeyMarker><NextVersionIdMarker>v9</NextVersionIdMarker>
		<DeleteMarker>
			<Key>a+b</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest>` + modified + `
		</DeleteMarker>
		<Version>
			<Key>a+b</Key><VersionId>v2</VersionId><ETag>"2"</ETag><Size>2</Size>` + modified + `
		</Version>
		<DeleteMarker><Key>a+b</Key><VersionId>v1</VersionId>` + modified + `</DeleteMarker>
		<Version>
			<Key>a+b</Key><VersionId>null</VersionId><ETag>"0"</ETag><Size>1</Size>` + modified + `
		</Version>
		</ListVersionsResult>`
	server := newStandIn(t, reply{Body: firstPage}, reply{Body: `<ListVersionsResult></ListVersionsResult>`})
	d := server.openDriver(t, "aws")
	modifiedTime := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

	// The entries have the order of the response.
	page, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 4, Prefix: "a"})
	require.NoError(t, err)
	require.Equal(t, []storage.VersionEntry{
		{
			ListEntry:      storage.ListEntry{Key: "a b", Modified: modifiedTime},
			Version:        "v3",
			Current:        true,
			IsDeleteMarker: true,
		},
		{
			ListEntry: storage.ListEntry{Key: "a b", Modified: modifiedTime, Size: 2, ETag: `"2"`, Revision: `"2"`},
			Version:   "v2",
		},
		{ListEntry: storage.ListEntry{Key: "a b", Modified: modifiedTime}, Version: "v1", IsDeleteMarker: true},
		{
			ListEntry: storage.ListEntry{Key: "a b", Modified: modifiedTime, Size: 1, ETag: `"0"`, Revision: `"0"`},
			Version:   "null",
		},
	}, page.Entries)

	// The token has both markers of the server.
	_, err = d.ListVersions(t.Context(), &driver.ListRequest{Limit: 4, Prefix: "a", Token: page.Token})
	require.NoError(t, err)
	require.Equal(t, []string{
		"GET /photos?encoding-type=url&max-keys=4&prefix=a&versions=",
		"GET /photos?encoding-type=url&key-marker=b%2F1&max-keys=4&prefix=a&version-id-marker=v9&versions=",
	}, server.Lines())
}

// Some servers list all delete markers after all versions. ListVersions sorts the markers among the versions by their
// times, and keeps the order of the versions.
func TestListVersionsOnOtherServers(t *testing.T) {
	tests := []struct {
		name  string
		body  string
		token string // of the request
		want  []string
	}{
		{
			name: "versions first and markers after them",
			body: listedVersion("Version", "v3", "2026-01-02T03:04:09Z") +
				listedVersion("Version", "v1", "2026-01-02T03:04:05Z") +
				listedVersion("DeleteMarker", "v2", "2026-01-02T03:04:07Z"),
			want: []string{"v3", "v2", "v1"},
		},
		{
			name:  "a page that repeats the version of its token",
			token: pagetoken.Encode("v2", "a"),
			body: listedVersion("Version", "v2", "2026-01-02T03:04:05Z") +
				listedVersion("Version", "v1", "2026-01-02T03:04:05Z"),
			want: []string{"v1"},
		},
		{
			name: "versions whose times are not in order",
			body: listedVersion("Version", "v3", "2026-01-02T03:04:09Z") +
				listedVersion("Version", "v2", "2026-01-02T03:04:05Z") +
				listedVersion("Version", "v1", "2026-01-02T03:04:07Z"),
			want: []string{"v3", "v2", "v1"},
		},
		{
			name: "markers among versions, whose times are not in order",
			body: listedVersion("Version", "v4", "2026-01-02T03:04:09Z") +
				listedVersion("Version", "v3", "2026-01-02T03:04:05Z") +
				listedVersion("DeleteMarker", "v2", "2026-01-02T03:04:07Z") +
				listedVersion("Version", "v1", "2026-01-02T03:04:04Z"),
			want: []string{"v4", "v3", "v2", "v1"},
		},
		{
			name: "markers after all versions, one of which is current",
			body: listedVersion("Version", "v2", "2026-01-02T03:04:09Z") +
				`<DeleteMarker><Key>a</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest>` +
				`<LastModified>2026-01-02T03:04:05Z</LastModified></DeleteMarker>`,
			want: []string{"v3", "v2"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{Body: `<ListVersionsResult>` + tt.body + `</ListVersionsResult>`})
			page, err := server.openDriver(t, "versitygw").ListVersions(t.Context(), &driver.ListRequest{
				Limit: 3,
				Token: tt.token,
			})
			require.NoError(t, err)
			require.Equal(t, tt.want, versionsOf(page))
			require.Empty(t, page.Token)
		})
	}
}

// ListVersions fails if a page or a token is malformed, or if a truncated page does not lead to
// another one.
func TestListVersionsMalformed(t *testing.T) {
	tests := []struct {
		name     string
		body     string
		token    string // of the request
		wantCode storage.Code
	}{
		{
			name:  "a listing that repeats its last page",
			token: pagetoken.Encode("v2", "a"),
			body: `<IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>` +
				`<NextVersionIdMarker>v2</NextVersionIdMarker>`,
			wantCode: storage.Internal,
		},
		{
			name:     "a truncated listing without a marker",
			body:     `<IsTruncated>true</IsTruncated>`,
			wantCode: storage.Internal,
		},
		{name: "an invalid response", body: listedVersion("Version", "v3", "yesterday"), wantCode: storage.Unavailable},
		{
			name:     "a key that is not escaped as announced",
			body:     `<EncodingType>url</EncodingType><Version><Key>%zz</Key></Version>`,
			wantCode: storage.Internal,
		},
		{
			name:     "a marker that is not escaped as announced",
			body:     `<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>%zz</NextKeyMarker>`,
			wantCode: storage.Internal,
		},
		{
			name:     "too many entries",
			body:     strings.Repeat("<Version/>", listxml.MaxEntries+1),
			wantCode: storage.Internal,
		},
		{name: "an invalid token", token: "nonsense", wantCode: storage.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{Body: `<ListVersionsResult>` + tt.body + `</ListVersionsResult>`})
			_, err := server.openDriver(t, "versitygw").ListVersions(t.Context(), &driver.ListRequest{
				Limit: 3,
				Token: tt.token,
			})
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
		})
	}
}

// listedVersion returns an entry of a listing, with the tag Version or DeleteMarker, for a version of the key a.
func listedVersion(tag, id, modified string) string {
	return `<` + tag + `><Key>a</Key><VersionId>` + id + `</VersionId>` +
		`<LastModified>` + modified + `</LastModified></` + tag + `>`
}

// versionsOf returns the ids of the versions of a page.
func versionsOf(page *driver.VersionPage) []string {
	var ids []string
	for _, entry := range page.Entries {
		ids = append(ids, entry.Version)
	}
	return ids
}

// ListVersions keeps Amazon's order, in which the times may jump: a version from a multipart upload
// has the time at which the upload began.
func TestListVersionsKeepsAmazonsOrder(t *testing.T) {
	// The multipart upload of v2 began before the marker m1 was added, and was completed after it.
	const body = `<ListVersionsResult>
		<IsTruncated>true</IsTruncated>
		<NextKeyMarker>a</NextKeyMarker><NextVersionIdMarker>m1</NextVersionIdMarker>
		<Version>
			<Key>a</Key><VersionId>v3</VersionId><IsLatest>true</IsLatest>
			<LastModified>2026-01-02T03:04:09Z</LastModified>
		</Version>
		<Version>
			<Key>a</Key><VersionId>v2</VersionId><LastModified>2026-01-02T03:04:01Z</LastModified>
		</Version>
		<DeleteMarker>
			<Key>a</Key><VersionId>m1</VersionId><LastModified>2026-01-02T03:04:05Z</LastModified>
		</DeleteMarker>
		</ListVersionsResult>`
	d := newStandIn(t, reply{Body: body}).openDriver(t, "aws")
	d.account.endpoint = nil // as it is at Amazon's

	page, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 3})
	require.NoError(t, err)
	require.Equal(t, []string{"v3", "v2", "m1"}, versionsOf(page))
	require.Equal(t, pagetoken.Encode("m1", "a"), page.Token)
}

// A listing in pages returns each version once, although the times are not in order, and some servers begin a page with
// the version that ended the page before.
func TestListVersionsInPages(t *testing.T) {
	// Each text has the id of a version and the second of its time. The newest version is first.
	stored := []string{"v4 09", "v3 01", "v2 07", "v1 05"}
	tests := []struct {
		name          string
		limit         int
		repeatsMarker bool // the server begins a page with the version that ended the page before
		wantRequests  int
	}{
		{name: "one version a page", limit: 1, wantRequests: 4},
		{name: "two versions a page", limit: 2, wantRequests: 2},
		{name: "all versions on one page", limit: 9, wantRequests: 1},
		// With one version a page, each page after the first one takes two requests, because the response to the first
		// request has only the repeated version.
		{name: "one version a page, and a server that repeats", limit: 1, repeatsMarker: true, wantRequests: 7},
		{name: "two versions a page, and a server that repeats", limit: 2, repeatsMarker: true, wantRequests: 3},
		{name: "three versions a page, and a server that repeats", limit: 3, repeatsMarker: true, wantRequests: 2},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := &versionsServer{stored: stored, repeatsMarker: tt.repeatsMarker}
			d := server.start(t).openDriver(t, "aws")

			var got []string
			req := &driver.ListRequest{Limit: tt.limit}
			for {
				page, err := d.ListVersions(t.Context(), req)
				require.NoError(t, err)
				require.LessOrEqual(t, len(page.Entries), tt.limit)
				got = append(got, versionsOf(page)...)
				if page.Token == "" {
					break
				}
				req.Token = page.Token
			}

			require.Equal(t, []string{"v4", "v3", "v2", "v1"}, got)
			require.Equal(t, tt.wantRequests, int(server.requests.Load()))
		})
	}
}

// A versionsServer lists the versions of one key. Each text in stored has the id of a version and
// the second of its time.
type versionsServer struct {
	stored        []string
	repeatsMarker bool // a page begins with the marker's own version
	requests      atomic.Int64
}

// start starts the server, and stops it after the test.
func (s *versionsServer) start(t *testing.T) *standIn {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &standIn{&wiretest.Server{Server: server}}
}

// ServeHTTP answers with the page of versions that the marker and the limit of the request ask for.
func (s *versionsServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	query := r.URL.Query()
	start := 0
	if marker := query.Get("version-id-marker"); marker != "" {
		start = slices.IndexFunc(s.stored, func(version string) bool { return strings.HasPrefix(version, marker) })
		if !s.repeatsMarker {
			start++
		}
	}
	limit, _ := strconv.Atoi(query.Get("max-keys"))
	end := min(start+limit, len(s.stored))

	_, _ = io.WriteString(w, "<ListVersionsResult>")
	for i, version := range s.stored[start:end] {
		id, second, _ := strings.Cut(version, " ")
		_, _ = fmt.Fprintf(w, "<Version><Key>a</Key><VersionId>%s</VersionId><IsLatest>%v</IsLatest>"+
			"<LastModified>2026-01-02T03:04:%sZ</LastModified></Version>", id, start+i == 0, second)
	}
	if end < len(s.stored) {
		last, _, _ := strings.Cut(s.stored[end-1], " ")
		_, _ = fmt.Fprintf(w, "<IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>"+
			"<NextVersionIdMarker>%s</NextVersionIdMarker>", last)
	}
	_, _ = io.WriteString(w, "</ListVersionsResult>")
}

// With a delimiter, ListVersions returns the common prefixes among the versions, in the order of
// their keys.
func TestListVersionsWithPrefixes(t *testing.T) {
	// The keys are encoded as in a URL. The Key of a common prefix does not count.
	server := newStandIn(t, reply{Body: `<ListVersionsResult>
		<Version>
			<Key>c%2F+</Key><VersionId>1</VersionId><IsLatest>true</IsLatest><Owner><ID>o</ID></Owner>
		</Version>
		<CommonPrefixes><Key>no</Key><Prefix>b%2F</Prefix></CommonPrefixes>
		<EncodingType>url</EncodingType>
		</ListVersionsResult>`})
	d := server.openDriver(t, "aws")

	page, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 4, Delimiter: "/"})
	require.NoError(t, err)
	require.Equal(t, &driver.VersionPage{Entries: []storage.VersionEntry{
		{ListEntry: storage.ListEntry{Key: "b/", IsPrefix: true}},
		{ListEntry: storage.ListEntry{Key: "c/ "}, Version: "1", Current: true},
	}}, page)
}

// versitygw lists an old version with the time at which it was replaced. RestoreAt needs the time
// at which the version was written, which is in its id.
func TestListVersionsTimesOnVersitygw(t *testing.T) {
	// The id is a ULID, which begins with the time of the version in milliseconds, and has no letter U.
	const id, listedTime = "01ARYZ6S41TSV4RRFFQ69G5FAV", "2026-01-02T03:04:05.000Z"
	timeOfID := time.UnixMilli(1469918176385).UTC()
	listed, err := time.Parse(time.RFC3339, listedTime)
	require.NoError(t, err)

	tests := []struct {
		name, profile, id string
		latest            string // "true" for the current version
		want              time.Time
	}{
		{name: "an old version", profile: "versitygw", id: id, latest: "false", want: timeOfID},
		{name: "the current version", profile: "versitygw", id: id, latest: "true", want: listed},
		{name: "a version without an id", profile: "versitygw", id: "null", latest: "false", want: listed},
		{name: "no ULID", profile: "versitygw", id: id[:25] + "U", latest: "false", want: listed},
		{name: "a ULID that is later", profile: "versitygw", id: "7" + id[1:], latest: "false", want: listed},
		{name: "another server", profile: "minio", id: id, latest: "false", want: listed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := "<ListVersionsResult><Version><Key>k</Key><VersionId>" + tt.id + "</VersionId>" +
				"<IsLatest>" + tt.latest + "</IsLatest><LastModified>" + listedTime + "</LastModified>" +
				"<ETag>x</ETag><Size>1</Size></Version></ListVersionsResult>"
			d := newStandIn(t, reply{Body: body}).openDriver(t, tt.profile)

			page, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 10})
			require.NoError(t, err)
			require.Len(t, page.Entries, 1)
			require.Equal(t, tt.want, page.Entries[0].Modified.UTC())
		})
	}
}

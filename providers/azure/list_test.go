package azure

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// listing returns a response to List Blobs.
func listing(marker string, entries ...string) said {
	return said{
		Header: map[string]string{"Content-Type": "application/xml"},
		Body: `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="photos"><Blobs>` +
			strings.Join(entries, "") + `</Blobs><NextMarker>` + marker + `</NextMarker></EnumerationResults>`,
	}
}

func blobEntry(name string, more ...string) string {
	return `<Blob><Name>` + name + `</Name><Properties><Last-Modified>` + aTime + `</Last-Modified><Etag>0x8DE1F3A5B6C7D80</Etag>` +
		`<Content-Length>5</Content-Length><BlobType>BlockBlob</BlobType></Properties>` + strings.Join(more, "") + `</Blob>`
}

func prefixEntry(name string) string {
	return `<BlobPrefix><Name>` + name + `</Name></BlobPrefix>`
}

func keysOf(page *storage.Page) []string {
	var keys []string
	for _, entry := range page.Entries {
		keys = append(keys, entry.Key)
	}
	return keys
}

func TestListRequests(t *testing.T) {
	for name, row := range map[string]struct {
		request storage.ListRequest
		want    string
	}{
		"all":                        {storage.ListRequest{Limit: 10}, "comp=list&include=metadata&maxresults=10&restype=container"},
		"a prefix":                   {storage.ListRequest{Limit: 10, Prefix: "a b/"}, "comp=list&include=metadata&maxresults=10&prefix=a%20b%2F&restype=container"},
		"a delimiter":                {storage.ListRequest{Limit: 10, Delimiter: "/"}, "comp=list&delimiter=%2F&include=metadata&maxresults=10&restype=container"},
		"more than the service has":  {storage.ListRequest{Limit: 9999}, "comp=list&include=metadata&maxresults=5000&restype=container"},
		"a token":                    {storage.ListRequest{Limit: 10, Token: encodePageToken("m/1", "a"), StartAfter: "x"}, "comp=list&include=metadata&marker=m%2F1&maxresults=10&restype=container"},
		"a start":                    {storage.ListRequest{Limit: 10, StartAfter: "b/c"}, "comp=list&include=metadata&maxresults=10&restype=container&startFrom=b%2Fc"},
		"a start, of one level":      {storage.ListRequest{Limit: 10, StartAfter: "p/b/c", Prefix: "p/", Delimiter: "/"}, "comp=list&delimiter=%2F&include=metadata&maxresults=10&prefix=p%2F&restype=container&startFrom=p%2Fb"},
		"a start before the prefix":  {storage.ListRequest{Limit: 10, StartAfter: "a", Prefix: "b"}, "comp=list&include=metadata&maxresults=10&prefix=b&restype=container"},
		"a start that is the prefix": {storage.ListRequest{Limit: 10, StartAfter: "b", Prefix: "b"}, "comp=list&include=metadata&maxresults=10&prefix=b&restype=container"},
		"a start with a late letter": {storage.ListRequest{Limit: 10, StartAfter: "x\uff08y"}, "comp=list&include=metadata&maxresults=10&restype=container&startFrom=x%F0%90%80%80"},
		"a start after the prefix":   {storage.ListRequest{Limit: 10, StartAfter: "c", Prefix: "b"}, "comp=list&include=metadata&maxresults=1&prefix=b&restype=container"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, listing(""))
			page, err := s.driver(t).List(t.Context(), &row.request)
			require.NoError(t, err)
			require.Empty(t, page.Entries)
			require.Equal(t, []string{"GET /photos?" + row.want}, s.Lines())
		})
	}
}

func TestAPageOfAListing(t *testing.T) {
	s := newScript(t, listing("m 2",
		blobEntry("a"), blobEntry("b"),
		`<Blob><Name Encoded="true">c%EF%BF%BEd</Name><Properties><Last-Modified>`+aTime+`</Last-Modified><Etag>"0x1"</Etag><Content-Length>5000000000</Content-Length></Properties></Blob>`,
		blobEntry("z"),
		prefixEntry("b/")))
	page, err := s.driver(t).List(t.Context(), &storage.ListRequest{Limit: 10, Delimiter: "/"})
	require.NoError(t, err)
	require.Equal(t, encodePageToken("m 2", "z"), page.Token)
	require.Equal(t, []string{"a", "b", "b/", "c\uFFFEd", "z"}, keysOf(page), "prefixes stand among the keys")
	require.Equal(t, etag, page.Entries[0].Revision, "as reads have it, with its quotes")
	require.Equal(t, etag, page.Entries[0].ETag)
	require.Equal(t, int64(5), page.Entries[0].Size)
	require.Equal(t, "2026-11-20 12:00:00 +0000 UTC", page.Entries[0].Modified.String())
	require.True(t, page.Entries[2].IsPrefix)
	require.Equal(t, int64(5_000_000_000), page.Entries[3].Size)
	require.Equal(t, `"0x1"`, page.Entries[3].ETag)
}

func TestAnEmptyPageIsNotTheEnd(t *testing.T) {
	s := newScript(t, listing("2"), listing("3"), listing("", blobEntry("a")))
	b := storage.New(s.driver(t))
	var keys []string
	for entry, err := range b.List(t.Context()) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	require.Equal(t, []string{"a"}, keys)
	require.Len(t, s.Requests(), 3)
}

func TestPlaceholdersOfDirectoriesAreNotListed(t *testing.T) {
	empty := func(name, metadata string) string {
		return strings.Replace(blobEntry(name, `<Metadata>`+metadata+`</Metadata>`), `<Content-Length>5<`, `<Content-Length>0<`, 1)
	}
	s := newScript(t, listing("",
		empty("Dir", `<Hdi_isfolder>True</Hdi_isfolder>`),
		empty("dir", `<hdi_isfolder>true</hdi_isfolder>`),
		empty("empty", `<k>v</k>`),
		blobEntry("full", `<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>`),
		empty("no", `<hdi_isfolder>false</hdi_isfolder>`)))
	page, err := s.driver(t).List(t.Context(), &storage.ListRequest{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, []string{"empty", "full", "no"}, keysOf(page), "a blob with bytes is an object, whatever its metadata")
}

// A page in another order is not sorted, because keys of the next page would be
// lost.
func TestHierarchicalAccountsAreRefused(t *testing.T) {
	directory := func(name string) string {
		return `<BlobPrefix><Name>` + name + `</Name><Properties><ResourceType>directory</ResourceType></Properties></BlobPrefix>`
	}
	for name, answers := range map[string][]said{
		"by a directory among the blobs":    {listing("", strings.Replace(blobEntry("a"), `</Properties>`, `<ResourceType>directory</ResourceType></Properties>`, 1))},
		"by a directory among the prefixes": {listing("", directory("a/"))},
		"by its order":                      {listing("", blobEntry("a"), blobEntry("a/b"), blobEntry("a-b"))},
		"by the order of its prefixes":      {listing("", prefixEntry("a/"), prefixEntry("a-b/"))},
		"by the order of its pages":         {listing("2", blobEntry("a/b")), listing("", blobEntry("a-b"))},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, answers...)
			var failed error
			for _, err := range storage.New(s.driver(t)).List(t.Context(), storage.WithDelimiter("/")) {
				failed = err
			}
			var e *storage.Error
			require.ErrorAs(t, failed, &e)
			require.Equal(t, storage.Unsupported, e.Code)
			require.Contains(t, e.Hint, "hierarchical namespace")
		})
	}
	s := newScript(t)
	d := s.driver(t, func(c *Config) { c.HierarchicalNamespace = true })
	_, err := storage.New(d).Attrs(t.Context(), "a")
	require.ErrorIs(t, err, storage.Unsupported)
	require.Empty(t, s.Requests())
}

func TestInvalidPageTokens(t *testing.T) {
	s := newScript(t, listing(""))
	for _, token := range []string{"x", "!.!", "YQ"} {
		_, err := s.driver(t).List(t.Context(), &storage.ListRequest{Limit: 1, Token: token})
		require.ErrorIs(t, err, storage.InvalidArgument, token)
	}
	require.Empty(t, s.Requests())
}

func TestListErrors(t *testing.T) {
	for code, want := range map[string]storage.Code{
		"ContainerNotFound": storage.BucketNotFound, "ResourceNotFound": storage.BucketNotFound, "AuthorizationPermissionMismatch": storage.PermissionDenied,
	} {
		status := 404
		if want == storage.PermissionDenied {
			status = 403
		}
		s := newScript(t, refusing(status, code))
		_, err := s.driver(t).List(t.Context(), &storage.ListRequest{Limit: 10})
		require.ErrorIs(t, err, want)
		_, err = s.driver(t).List(t.Context(), &storage.ListRequest{Limit: 10, Prefix: "a", StartAfter: "b"})
		require.ErrorIs(t, err, want, "of an empty part of nothing, too")
	}
}

func TestListFollowsPages(t *testing.T) {
	var answers []said
	for i := range 20 {
		answers = append(answers, listing(fmt.Sprint(i+1), blobEntry(fmt.Sprintf("k%03d", i))))
	}
	answers = append(answers, listing(""))
	s := newScript(t, answers...)
	n := 0
	for _, err := range storage.New(s.driver(t)).List(t.Context()) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 20, n)
	require.Len(t, s.Requests(), 21, "one request a page")
}

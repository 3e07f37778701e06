package azure

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
)

// listing returns a response to List Blobs.
func listing(marker string, entries ...string) said {
	return said{
		Header: map[string]string{"Content-Type": "application/xml"},
		Body: `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="photos"><Blobs>` +
			strings.Join(entries, "") + `</Blobs><NextMarker>` + marker + `</NextMarker></EnumerationResults>`,
	}
}

func blobEntry(name string, extra ...string) string {
	return `<Blob><Name>` + name + `</Name><Properties><Last-Modified>` + aTime + `</Last-Modified><Etag>0x8DE1F3A5B6C7D80</Etag>` +
		`<Content-Length>5</Content-Length><BlobType>BlockBlob</BlobType></Properties>` + strings.Join(extra, "") + `</Blob>`
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

// Attrs, Download and Copy of a directory of a hierarchical namespace fail with ObjectNotFound. Azure shows it as
// an empty blob (recordings in Azure/azure-sdk-for-js, sdk/storage/storage-file-datalake).
func TestHeadDirectory(t *testing.T) {
	ctx := t.Context()
	for name, call := range map[string]func(d *objectDriver) error{
		"Attrs": func(d *objectDriver) error {
			_, err := d.Head(ctx, &driver.GetRequest{Key: "k", Length: -1})
			return err
		},
		"Download": func(d *objectDriver) error {
			_, _, err := d.Get(ctx, &driver.GetRequest{Key: "k", Length: -1})
			return err
		},
		"Copy": func(d *objectDriver) error {
			_, err := storage.Copy(ctx, engine.New(d), "to", engine.New(d), "k")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, anObject("", "X-Ms-Resource-Type", "directory", "X-Ms-Meta-Hdi_isfolder", "true"))
			err := call(s.driver(t, func(c *Config) {
				c.HierarchicalNamespace = true
			}))
			require.Equal(t, storage.ObjectNotFound, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "directory")
			require.Len(t, s.server.Lines(), 1, "no request asks for the container")
		})
	}
}

// A directory stays after its last blob. Only the listing above it and its own properties show it.
func TestFileSystemEmptyDirectories(t *testing.T) {
	s := newScript(t)
	s.server.Answer = func(r wiretest.Request) said {
		if r.Query().Get("comp") != "list" {
			return anObject("", "X-Ms-Resource-Type", "directory", "X-Ms-Meta-Hdi_isfolder", "true")
		}
		if r.Query().Get("prefix") == "" {
			return listing("", prefixEntry("empty/"))
		}
		return listing("")
	}
	view := storage.FS(t.Context(), engine.New(s.driver(t, func(c *Config) {
		c.HierarchicalNamespace = true
	})))

	var walked []string
	require.NoError(t, fs.WalkDir(view, ".", func(name string, d fs.DirEntry, err error) error {
		require.True(t, d.IsDir())
		walked = append(walked, name)
		return err
	}))
	require.Equal(t, []string{".", "empty"}, walked)

	info, err := fs.Stat(view, "empty")
	require.NoError(t, err)
	require.True(t, info.IsDir())

	f, err := view.Open("empty")
	require.NoError(t, err)
	entries, err := f.(fs.ReadDirFile).ReadDir(-1)
	require.NoError(t, err)
	require.Empty(t, entries)
	require.NoError(t, f.Close())
}

func TestDeleteBucketEndsIfTheListingDoesNot(t *testing.T) {
	s := newScript(t)
	s.server.Answer = func(wiretest.Request) said { return listing("the same") }
	err := (&serviceDriver{account: s.driver(t).account}).DeleteBucket(t.Context(), "photos")
	require.ErrorIs(t, err, storage.Unavailable)
	require.Less(t, len(s.server.Lines()), 10)
}

func TestListRequests(t *testing.T) {
	tests := map[string]struct {
		request driver.ListRequest
		want    string
	}{
		"all":                        {driver.ListRequest{Limit: 10}, "comp=list&include=metadata&maxresults=10&restype=container"},
		"a prefix":                   {driver.ListRequest{Limit: 10, Prefix: "a b/"}, "comp=list&include=metadata&maxresults=10&prefix=a%20b%2F&restype=container"},
		"a delimiter":                {driver.ListRequest{Limit: 10, Delimiter: "/"}, "comp=list&delimiter=%2F&include=metadata&maxresults=10&restype=container"},
		"more than the service has":  {driver.ListRequest{Limit: 9999}, "comp=list&include=metadata&maxresults=5000&restype=container"},
		"a token":                    {driver.ListRequest{Limit: 10, Token: pagetoken.Encode("m/1", "a"), StartAfter: "x"}, "comp=list&include=metadata&marker=m%2F1&maxresults=10&restype=container"},
		"a start":                    {driver.ListRequest{Limit: 10, StartAfter: "b/c"}, "comp=list&include=metadata&maxresults=10&restype=container&startFrom=b%2Fc"},
		"a start, of one level":      {driver.ListRequest{Limit: 10, StartAfter: "p/b/c", Prefix: "p/", Delimiter: "/"}, "comp=list&delimiter=%2F&include=metadata&maxresults=10&prefix=p%2F&restype=container&startFrom=p%2Fb"},
		"a start before the prefix":  {driver.ListRequest{Limit: 10, StartAfter: "a", Prefix: "b"}, "comp=list&include=metadata&maxresults=10&prefix=b&restype=container"},
		"a start that is the prefix": {driver.ListRequest{Limit: 10, StartAfter: "b", Prefix: "b"}, "comp=list&include=metadata&maxresults=10&prefix=b&restype=container"},
		"a start with a late letter": {driver.ListRequest{Limit: 10, StartAfter: "x\uff08y"}, "comp=list&include=metadata&maxresults=10&restype=container&startFrom=x%F0%90%80%80"},
		"a start after the prefix":   {driver.ListRequest{Limit: 10, StartAfter: "c", Prefix: "b"}, "comp=list&include=metadata&maxresults=1&prefix=b&restype=container"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, listing(""))
			page, err := s.driver(t).List(t.Context(), &tt.request)
			require.NoError(t, err)
			require.Empty(t, page.Entries)
			require.Equal(t, []string{"GET /photos?" + tt.want}, s.server.Lines())
		})
	}
}

// A page of a listing has its objects and prefixes in the order of their bytes.
func TestListResponse(t *testing.T) {
	s := newScript(t, listing("m 2",
		blobEntry("a"), blobEntry("b"),
		`<Blob><Name Encoded="true">c%EF%BF%BEd</Name><Properties><Last-Modified>`+aTime+`</Last-Modified><Etag>"0x1"</Etag><Content-Length>5000000000</Content-Length></Properties></Blob>`,
		blobEntry("z"),
		prefixEntry("b/")))
	page, err := s.driver(t).List(t.Context(), &driver.ListRequest{Limit: 10, Delimiter: "/"})
	require.NoError(t, err)
	require.Equal(t, pagetoken.Encode("m 2", "z"), page.Token)
	require.Equal(t, []string{"a", "b", "b/", "c\uFFFEd", "z"}, keysOf(page), "prefixes stand among the keys")
	require.Equal(t, etag, page.Entries[0].Revision, "as reads have it, with its quotes")
	require.Equal(t, etag, page.Entries[0].ETag)
	require.Equal(t, int64(5), page.Entries[0].Size)
	require.Equal(t, "2026-11-20 12:00:00 +0000 UTC", page.Entries[0].Modified.String())
	require.True(t, page.Entries[2].IsPrefix)
	require.Equal(t, int64(5_000_000_000), page.Entries[3].Size)
	require.Equal(t, `"0x1"`, page.Entries[3].ETag)
}

// List continues after an empty page that has a marker.
func TestListEmptyPage(t *testing.T) {
	s := newScript(t, listing("2"), listing("3"), listing("", blobEntry("a")))
	b := engine.New(s.driver(t))
	var keys []string
	for entry, err := range b.List(t.Context()) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	require.Equal(t, []string{"a"}, keys)
	require.Len(t, s.server.Requests(), 3)
}

// Placeholders of directories are not listed.
func TestListDirectoryPlaceholders(t *testing.T) {
	empty := func(name, metadata string) string {
		return strings.Replace(blobEntry(name, `<Metadata>`+metadata+`</Metadata>`), `<Content-Length>5<`, `<Content-Length>0<`, 1)
	}
	s := newScript(t, listing("",
		empty("Dir", `<Hdi_isfolder>True</Hdi_isfolder>`),
		empty("dir", `<hdi_isfolder>true</hdi_isfolder>`),
		empty("empty", `<k>v</k>`),
		blobEntry("full", `<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>`),
		empty("no", `<hdi_isfolder>false</hdi_isfolder>`)))
	page, err := s.driver(t).List(t.Context(), &driver.ListRequest{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, []string{"empty", "full", "no"}, keysOf(page), "a blob with bytes is an object, whatever its metadata")
}

// If a listing has a directory or is out of byte order, as on an account with a hierarchical namespace, List fails
// with Unsupported. Sorting each page would lose keys of the next one.
func TestListHierarchicalRefused(t *testing.T) {
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
			var failure error
			for _, err := range engine.New(s.driver(t)).List(t.Context(), storage.WithDelimiter("/")) {
				failure = err
			}
			var e *storage.Error
			require.ErrorAs(t, failure, &e)
			require.Equal(t, storage.Unsupported, e.Code)
			require.Contains(t, e.Hint, "hierarchical namespace")
		})
	}
}

// If the account is known to have a hierarchical namespace, it lists with WithAnyOrder and leaves out directories.
func TestListHierarchicalAnyOrder(t *testing.T) {
	directory := strings.Replace(blobEntry("b"), `</Properties>`, `<ResourceType>directory</ResourceType></Properties>`, 1)
	s := newScript(t, listing("2", blobEntry("b/1"), directory, blobEntry("a")), listing("", blobEntry("a-b")))
	b := engine.New(s.driver(t, func(c *Config) {
		c.HierarchicalNamespace = true
	}))

	for _, err := range b.List(t.Context()) {
		require.ErrorIs(t, err, storage.Unsupported)
		require.ErrorContains(t, err, "WithAnyOrder")
	}
	require.Empty(t, s.server.Requests())

	var keys []string
	for e, err := range b.List(t.Context(), storage.WithAnyOrder()) {
		require.NoError(t, err)
		keys = append(keys, e.Key)
	}
	require.Equal(t, []string{"b/1", "a", "a-b"}, keys)
}

// An invalid page token fails without a request.
func TestListInvalidTokens(t *testing.T) {
	s := newScript(t, listing(""))
	for _, token := range []string{"x", "!.!", "YQ"} {
		_, err := s.driver(t).List(t.Context(), &driver.ListRequest{Limit: 1, Token: token})
		require.ErrorIs(t, err, storage.InvalidArgument, token)
	}
	require.Empty(t, s.server.Requests())
}

func TestListErrors(t *testing.T) {
	for code, want := range map[string]storage.Code{
		"ContainerNotFound":               storage.BucketNotFound,
		"ResourceNotFound":                storage.BucketNotFound,
		"AuthorizationPermissionMismatch": storage.PermissionDenied,
	} {
		status := 404
		if want == storage.PermissionDenied {
			status = 403
		}
		s := newScript(t, refusing(status, code))
		_, err := s.driver(t).List(t.Context(), &driver.ListRequest{Limit: 10})
		require.ErrorIs(t, err, want)
		_, err = s.driver(t).List(t.Context(), &driver.ListRequest{Limit: 10, Prefix: "a", StartAfter: "b"})
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
	for _, err := range engine.New(s.driver(t)).List(t.Context()) {
		require.NoError(t, err)
		n++
	}

	require.Equal(t, 20, n)
	require.Len(t, s.server.Requests(), 21, "one request a page")
}

// List reads a page of 1,000 blobs that have the longest names and metadata.
func TestListLongestNames(t *testing.T) {
	var sizes []int
	value := strings.Repeat("&amp;", 8_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit, _ := strconv.Atoi(r.URL.Query().Get("maxresults"))
		first, _ := strconv.Atoi(r.URL.Query().Get("marker"))
		sizes = append(sizes, limit)
		w.Header().Set(requestIDHeader, "R1")
		next := ""
		if first+limit < 1000 {
			next = strconv.Itoa(first + limit)
		}
		start, end, _ := strings.Cut(listing(next, "|").Body, "|")
		_, _ = fmt.Fprint(w, start)
		for i := first; i < min(first+limit, 1000); i++ {
			_, _ = fmt.Fprint(w, blobEntry(fmt.Sprintf("%04d", i)+strings.Repeat("&amp;", 1020), `<Metadata><a>`+value+`</a></Metadata>`))
		}
		_, _ = fmt.Fprint(w, end)
	}))
	defer server.Close()
	b, err := Open(t.Context(), Config{Bucket: "photos", Endpoint: server.URL + "/" + emulatorAccount}, once)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	n := 0

	for entry, err := range b.List(t.Context()) {
		require.NoError(t, err)
		require.Len(t, entry.Key, 1024)
		n++
	}
	require.Equal(t, 1000, n)
	require.Subset(t, []int{1000, 250}, sizes)
}

// If a server repeats page markers, the listing fails with Unavailable instead of running forever.
func TestListMarkersRepeated(t *testing.T) {
	version := func(id string) string {
		return strings.Replace(blobEntry("k"), "<Properties>", "<VersionId>"+id+"</VersionId><Properties>", 1)
	}
	tests := map[string]struct {
		entries [2]string
		list    func(b storage.Bucket) error
	}{
		"reserved keys": {[2]string{prefixEntry(".omnibucket/"), blobEntry(reservedPrefix + "x")}, func(b storage.Bucket) error {
			for _, err := range b.List(t.Context(), storage.WithDelimiter("/")) {
				return err
			}
			return nil
		}},
		"versions of one key": {[2]string{version("2026-11-20T00:00:00.0000000Z"), version("2026-11-20T00:00:00.0000000Z")}, func(b storage.Bucket) error {
			for _, err := range storage.Versions(t.Context(), b) {
				return err
			}
			return nil
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				if requests > 200 {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				w.Header().Set(requestIDHeader, "R1")
				entry := tt.entries[1]
				if r.URL.Query().Has("delimiter") {
					entry = tt.entries[0]
				}
				marker := "A"
				if r.URL.Query().Get("marker") == "A" {
					marker = "B"
				}
				_, _ = fmt.Fprint(w, listing(marker, entry).Body)
			}))
			defer server.Close()

			b, err := Open(t.Context(), Config{Bucket: "photos", Endpoint: server.URL + "/" + emulatorAccount}, once, storage.WithVersioning(true))
			require.NoError(t, err)
			defer func() {
				require.NoError(t, storage.Close(b))
			}()
			require.ErrorIs(t, tt.list(b), storage.Unavailable)
			require.Less(t, requests, 20)
		})
	}
}

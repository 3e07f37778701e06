package azure

import (
	"fmt"
	"io"
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
	"github.com/omnibucket/storage/internal/testing/foldermarker"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/internal/pagetoken"
)

// listing returns a response to List Blobs.
func listing(marker string, entries ...string) reply {
	return reply{
		Header: map[string]string{"Content-Type": "application/xml"},
		Body: `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="photos"><Blobs>` +
			strings.Join(entries, "") + `</Blobs><NextMarker>` + marker + `</NextMarker></EnumerationResults>`,
	}
}

// blobEntry returns the element of a listing for a blob of 5 bytes. The further elements come last.
func blobEntry(name string, extra ...string) string {
	return `<Blob><Name>` + name + `</Name><Properties><Last-Modified>` + lastModified + `</Last-Modified><Etag>0x8DE1F3A5B6C7D80</Etag>` +
		`<Content-Length>5</Content-Length><BlobType>BlockBlob</BlobType></Properties>` + strings.Join(extra, "") + `</Blob>`
}

// prefixEntry returns the element of a listing for a common prefix.
func prefixEntry(name string) string {
	return `<BlobPrefix><Name>` + name + `</Name></BlobPrefix>`
}

// keysOf returns the keys and prefixes of a page.
func keysOf(page *storage.Page) []string {
	var keys []string
	for _, entry := range page.Entries {
		keys = append(keys, entry.Key)
	}
	return keys
}

// Attrs, Download and Copy of a directory of a hierarchical namespace fail with ObjectNotFound.
// Azure shows such a directory as an empty blob (recordings in Azure/azure-sdk-for-js,
// sdk/storage/storage-file-datalake).
func TestHeadDirectory(t *testing.T) {
	tests := []struct {
		name string
		call func(t *testing.T, d *objectDriver) error
	}{
		{
			name: "Attrs",
			call: func(t *testing.T, d *objectDriver) error {
				_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
				return err
			},
		},
		{
			name: "Download",
			call: func(t *testing.T, d *objectDriver) error {
				_, _, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
				return err
			},
		},
		{
			name: "Copy",
			call: func(t *testing.T, d *objectDriver) error {
				bucket := engine.New(d)
				_, err := storage.Copy(t.Context(), bucket, "to", bucket, "k")
				return err
			},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t,
				objectReply("", "X-Ms-Resource-Type", "directory", "X-Ms-Meta-Hdi_isfolder", "true"))
			d := server.openDriver(t, func(c *Config) { c.HierarchicalNamespace = true })

			err := tt.call(t, d)
			require.Equal(t, storage.ObjectNotFound, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "directory")
			require.Len(t, server.Lines(), 1, "no request may ask for the container")
		})
	}
}

// FS shows a directory of a hierarchical namespace after its last blob was removed. Such a directory appears only in
// the listing of its parent and in its own properties.
func TestFileSystemEmptyDirectories(t *testing.T) {
	server := newCannedServer(t)
	server.Answer = func(r wiretest.Request) reply {
		if r.Query().Get("comp") != "list" {
			return objectReply("", "X-Ms-Resource-Type", "directory", "X-Ms-Meta-Hdi_isfolder", "true")
		}
		if r.Query().Get("prefix") == "" {
			return listing("", prefixEntry("empty/"))
		}
		return listing("")
	}
	view := storage.FS(t.Context(), engine.New(server.openDriver(t, func(c *Config) {
		c.HierarchicalNamespace = true
	})))

	// Walking shows the directory.
	var walked []string
	require.NoError(t, fs.WalkDir(view, ".", func(name string, d fs.DirEntry, err error) error {
		require.True(t, d.IsDir())
		walked = append(walked, name)
		return err
	}))
	require.Equal(t, []string{".", "empty"}, walked)

	// The properties and the listing of the directory show that it is empty.
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

// DeleteBucket fails with Unavailable instead of running forever if the server repeats the marker
// of the listing.
func TestDeleteBucketEndsIfTheListingDoesNot(t *testing.T) {
	server := newCannedServer(t)
	server.Answer = func(wiretest.Request) reply { return listing("the same") }
	service := &serviceDriver{account: server.openDriver(t).account}

	err := service.DeleteBucket(t.Context(), "photos")
	require.ErrorIs(t, err, storage.Unavailable)
	require.Less(t, len(server.Lines()), 10)
}

// List sends its options as query parameters. If the start is after all keys with the prefix, List asks only whether
// the container exists.
func TestListRequests(t *testing.T) {
	tests := []struct {
		name    string
		request driver.ListRequest
		want    string
	}{
		{
			name:    "all",
			request: driver.ListRequest{Limit: 10},
			want:    "comp=list&include=metadata&maxresults=10&restype=container",
		},
		{
			name:    "a prefix",
			request: driver.ListRequest{Limit: 10, Prefix: "a b/"},
			want:    "comp=list&include=metadata&maxresults=10&prefix=a%20b%2F&restype=container",
		},
		{
			name:    "a delimiter",
			request: driver.ListRequest{Limit: 10, Delimiter: "/"},
			want:    "comp=list&delimiter=%2F&include=metadata&maxresults=10&restype=container",
		},
		{
			name:    "more than the service has",
			request: driver.ListRequest{Limit: 9999},
			want:    "comp=list&include=metadata&maxresults=5000&restype=container",
		},
		{
			name:    "a token",
			request: driver.ListRequest{Limit: 10, Token: pagetoken.Encode("m/1", "a"), StartAfter: "x"},
			want:    "comp=list&include=metadata&marker=m%2F1&maxresults=10&restype=container",
		},
		{
			name:    "a start",
			request: driver.ListRequest{Limit: 10, StartAfter: "b/c"},
			want:    "comp=list&include=metadata&maxresults=10&restype=container&startFrom=b%2Fc",
		},
		{
			name:    "a start, of one level",
			request: driver.ListRequest{Limit: 10, StartAfter: "p/b/c", Prefix: "p/", Delimiter: "/"},
			want:    "comp=list&delimiter=%2F&include=metadata&maxresults=10&prefix=p%2F&restype=container&startFrom=p%2Fb",
		},
		{
			name:    "a start before the prefix",
			request: driver.ListRequest{Limit: 10, StartAfter: "a", Prefix: "b"},
			want:    "comp=list&include=metadata&maxresults=10&prefix=b&restype=container",
		},
		{
			name:    "a start that is the prefix",
			request: driver.ListRequest{Limit: 10, StartAfter: "b", Prefix: "b"},
			want:    "comp=list&include=metadata&maxresults=10&prefix=b&restype=container",
		},
		{
			name:    "a start with a late letter",
			request: driver.ListRequest{Limit: 10, StartAfter: "x\uff08y"},
			want:    "comp=list&include=metadata&maxresults=10&restype=container&startFrom=x%F0%90%80%80",
		},
		{
			name:    "a start after the prefix",
			request: driver.ListRequest{Limit: 10, StartAfter: "c", Prefix: "b"},
			want:    "comp=list&include=metadata&maxresults=1&prefix=b&restype=container",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, listing(""))
			page, err := server.openDriver(t).List(t.Context(), &tt.request)
			require.NoError(t, err)
			require.Empty(t, page.Entries)
			require.Equal(t, []string{"GET /photos?" + tt.want}, server.Lines())
		})
	}
}

// List returns the objects and prefixes of a page in the order of their bytes.
func TestListResponse(t *testing.T) {
	// Azure encodes a name that XML cannot contain. The marker of the next page is "m 2".
	server := newCannedServer(t, listing("m 2",
		blobEntry("a"), blobEntry("b"),
		`<Blob><Name Encoded="true">c%EF%BF%BEd</Name><Properties><Last-Modified>`+lastModified+`</Last-Modified><Etag>"0x1"</Etag><Content-Length>5000000000</Content-Length></Properties></Blob>`,
		blobEntry("z"),
		prefixEntry("b/")))
	page, err := server.openDriver(t).List(t.Context(), &driver.ListRequest{Limit: 10, Delimiter: "/"})
	require.NoError(t, err)

	require.Equal(t, pagetoken.Encode("m 2", "z"), page.Token, "the token must have the marker and the last key")
	require.Equal(t, []string{"a", "b", "b/", "c\uFFFEd", "z"}, keysOf(page), "prefixes must stand among the keys")

	require.Equal(t, etag, page.Entries[0].Revision, "the revision must have quotes, as in reads")
	require.Equal(t, etag, page.Entries[0].ETag)
	require.Equal(t, int64(5), page.Entries[0].Size)
	require.Equal(t, "2026-11-20 12:00:00 +0000 UTC", page.Entries[0].Modified.String())

	require.True(t, page.Entries[2].IsPrefix)
	require.Equal(t, int64(5_000_000_000), page.Entries[3].Size)
	require.Equal(t, `"0x1"`, page.Entries[3].ETag)
}

// List continues after an empty page that has a marker.
func TestListEmptyPage(t *testing.T) {
	server := newCannedServer(t, listing("2"), listing("3"), listing("", blobEntry("a")))
	bucket := engine.New(server.openDriver(t))

	require.Equal(t, []string{"a"}, foldermarker.Keys(t, bucket))
	require.Len(t, server.Requests(), 3)
}

// List leaves out the placeholders of directories. A placeholder is an empty blob whose metadata says that it is a
// directory.
func TestListDirectoryPlaceholders(t *testing.T) {
	// emptyEntry returns the element of a listing for a blob without bytes.
	emptyEntry := func(name, metadata string) string {
		fiveBytes := blobEntry(name, `<Metadata>`+metadata+`</Metadata>`)
		return strings.Replace(fiveBytes, `<Content-Length>5<`, `<Content-Length>0<`, 1)
	}
	server := newCannedServer(t, listing("",
		// Only the first two are placeholders.
		emptyEntry("Dir", `<Hdi_isfolder>True</Hdi_isfolder>`),
		emptyEntry("dir", `<hdi_isfolder>true</hdi_isfolder>`),

		emptyEntry("empty", `<k>v</k>`),
		blobEntry("full", `<Metadata><hdi_isfolder>true</hdi_isfolder></Metadata>`),
		emptyEntry("no", `<hdi_isfolder>false</hdi_isfolder>`)))
	page, err := server.openDriver(t).List(t.Context(), &driver.ListRequest{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, []string{"empty", "full", "no"}, keysOf(page),
		"a blob with bytes must be listed, whatever its metadata")
}

// List fails with Unsupported if a listing has a directory or is out of byte order, as on an
// account with a hierarchical namespace. Sorting each page would lose keys of the next one.
func TestListHierarchicalRefused(t *testing.T) {
	// Only a hierarchical namespace has a resource type.
	const isDirectory = `<ResourceType>directory</ResourceType></Properties>`
	directory := strings.Replace(blobEntry("a"), `</Properties>`, isDirectory, 1)
	directoryPrefix := `<BlobPrefix><Name>a/</Name><Properties>` + isDirectory + `</BlobPrefix>`
	tests := []struct {
		name  string
		pages []reply
	}{
		{name: "by a directory among the blobs", pages: []reply{listing("", directory)}},
		{name: "by a directory among the prefixes", pages: []reply{listing("", directoryPrefix)}},
		{
			name:  "by its order",
			pages: []reply{listing("", blobEntry("a"), blobEntry("a/b"), blobEntry("a-b"))},
		},
		{
			name:  "by the order of its prefixes",
			pages: []reply{listing("", prefixEntry("a/"), prefixEntry("a-b/"))},
		},
		{
			name:  "by the order of its pages",
			pages: []reply{listing("2", blobEntry("a/b")), listing("", blobEntry("a-b"))},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.pages...)
			var failure error
			for _, err := range engine.New(server.openDriver(t)).List(t.Context(), storage.WithDelimiter("/")) {
				failure = err
			}
			var e *storage.Error
			require.ErrorAs(t, failure, &e)
			require.Equal(t, storage.Unsupported, e.Code)
			require.Contains(t, e.Hint, "hierarchical namespace")
		})
	}
}

// An account with a hierarchical namespace does not list keys in byte order. List refuses such an
// account unless WithAnyOrder is given. With this option, it leaves out directories, which the
// server lists like blobs.
func TestListHierarchicalAnyOrder(t *testing.T) {
	directory := `<Blob><Name>b</Name><Properties><ResourceType>directory</ResourceType></Properties></Blob>`
	server := newCannedServer(t,
		listing("2", blobEntry("b/1"), directory, blobEntry("a")),
		listing("", blobEntry("a-b")))
	bucket := engine.New(server.openDriver(t, func(c *Config) {
		c.HierarchicalNamespace = true
	}))

	// Without WithAnyOrder, List fails before it sends a request.
	var listErr error
	for _, err := range bucket.List(t.Context()) {
		listErr = err
	}
	require.ErrorIs(t, listErr, storage.Unsupported)
	require.ErrorContains(t, listErr, "WithAnyOrder")
	require.Empty(t, server.Requests())

	// With WithAnyOrder, the keys have the order of the server.
	require.Equal(t, []string{"b/1", "a", "a-b"}, foldermarker.Keys(t, bucket, storage.WithAnyOrder()))
}

// List refuses an invalid page token without a request.
func TestListInvalidTokens(t *testing.T) {
	server := newCannedServer(t, listing(""))
	for _, token := range []string{"x", "!.!", "YQ"} {
		_, err := server.openDriver(t).List(t.Context(), &driver.ListRequest{Limit: 1, Token: token})
		require.ErrorIs(t, err, storage.InvalidArgument, token)
	}
	require.Empty(t, server.Requests())
}

// List fails with the Code of Azure's error. It also asks Azure if the start is after all keys with the prefix, so that
// a missing container is an error and not an empty page.
func TestListErrors(t *testing.T) {
	tests := []struct {
		azureCode string
		status    int
		want      storage.Code
	}{
		{azureCode: "ContainerNotFound", status: 404, want: storage.BucketNotFound},
		{azureCode: "ResourceNotFound", status: 404, want: storage.BucketNotFound},
		{azureCode: "AuthorizationPermissionMismatch", status: 403, want: storage.PermissionDenied},
	}
	for _, tt := range tests {
		t.Run(tt.azureCode, func(t *testing.T) {
			d := newCannedServer(t, errorReply(tt.status, tt.azureCode)).openDriver(t)

			_, err := d.List(t.Context(), &driver.ListRequest{Limit: 10})
			require.ErrorIs(t, err, tt.want)

			emptyPage := &driver.ListRequest{Limit: 10, Prefix: "a", StartAfter: "b"}
			_, err = d.List(t.Context(), emptyPage)
			require.ErrorIs(t, err, tt.want)
		})
	}
}

// List takes one request for each page.
func TestListFollowsPages(t *testing.T) {
	const pages = 20 // with an entry each, before a last page without any
	var replies []reply
	for i := range pages {
		marker := fmt.Sprint(i + 1)
		replies = append(replies, listing(marker, blobEntry(fmt.Sprintf("k%03d", i))))
	}
	replies = append(replies, listing(""))
	server := newCannedServer(t, replies...)

	keys := foldermarker.Keys(t, engine.New(server.openDriver(t)))
	require.Len(t, keys, pages)
	require.Len(t, server.Requests(), pages+1)
}

// List requests smaller pages if a page of 1,000 blobs is too long a response, because the blobs
// have the longest names and metadata.
func TestListLongestNames(t *testing.T) {
	const blobs = 1000
	var limits []int // of the requests

	// The server's marker is the number of the next blob.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit, _ := strconv.Atoi(r.URL.Query().Get("maxresults"))
		first, _ := strconv.Atoi(r.URL.Query().Get("marker"))
		end := min(first+limit, blobs)
		limits = append(limits, limit)
		next := ""
		if end < blobs {
			next = strconv.Itoa(end)
		}
		w.Header().Set(requestIDHeader, "R1")
		writeLongestBlobs(w, first, end, next)
	}))
	defer server.Close()

	bucket, err := Open(t.Context(), Config{
		Bucket:   "photos",
		Endpoint: server.URL + "/" + emulatorAccount,
	}, oneAttempt)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(bucket))
	}()

	count := 0
	for entry, err := range bucket.List(t.Context()) {
		require.NoError(t, err)
		require.Len(t, entry.Key, maxNameLength)
		count++
	}
	require.Equal(t, blobs, count)

	// A response with 1,000 blobs is too large, and one with 250 is not.
	require.Subset(t, []int{1000, 250}, limits)
	require.Contains(t, limits, 250)
}

// maxNameLength is the number of characters that Azure permits for the name of a blob.
const maxNameLength = 1024

// writeLongestBlobs writes a page of a listing, with the blobs from number first up to, but
// without, number end. Each blob has the longest name and metadata.
func writeLongestBlobs(w io.Writer, first, end int, marker string) {
	const encoded = "&amp;" // the longest form of a character
	metadata := `<Metadata><a>` + strings.Repeat(encoded, 8_000) + `</a></Metadata>`

	// Write the entries one by one, because the whole page is large.
	head, tail, _ := strings.Cut(listing(marker, "|").Body, "|")
	_, _ = fmt.Fprint(w, head)
	for i := first; i < end; i++ {
		number := fmt.Sprintf("%04d", i)
		name := number + strings.Repeat(encoded, maxNameLength-len(number))
		_, _ = fmt.Fprint(w, blobEntry(name, metadata))
	}
	_, _ = fmt.Fprint(w, tail)
}

// If a server repeats the markers A and B for its pages forever, a listing fails with Unavailable instead of running
// forever.
func TestListMarkersRepeated(t *testing.T) {
	oldVersion := strings.Replace(blobEntry("k"), "<Properties>",
		"<VersionId>2026-11-20T00:00:00.0000000Z</VersionId><Properties>", 1)
	tests := []struct {
		name          string
		entry         string // on each page of a listing without a delimiter
		prefixOfEntry string // on each page of a listing with a delimiter
		list          func(bucket storage.Bucket) error
	}{
		{
			name:          "List, a page of reserved keys",
			entry:         blobEntry(reservedPrefix + "x"),
			prefixOfEntry: prefixEntry(".omnibucket/"),
			list: func(bucket storage.Bucket) error {
				for _, err := range bucket.List(t.Context(), storage.WithDelimiter("/")) {
					return err
				}
				return nil
			},
		},
		{
			name:  "Versions, a page of versions of one key",
			entry: oldVersion,
			list: func(bucket storage.Bucket) error {
				for _, err := range storage.Versions(t.Context(), bucket) {
					return err
				}
				return nil
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const (
				manyRequests    = 20  // more than the driver needs to see a marker again
				tooManyRequests = 200 // ends a listing that would run forever
			)
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				if requests > tooManyRequests {
					w.WriteHeader(http.StatusBadRequest)
					return
				}
				entry := tt.entry
				if r.URL.Query().Has("delimiter") {
					entry = tt.prefixOfEntry
				}
				nextMarker := "A"
				if r.URL.Query().Get("marker") == "A" {
					nextMarker = "B"
				}
				w.Header().Set(requestIDHeader, "R1")
				_, _ = fmt.Fprint(w, listing(nextMarker, entry).Body)
			}))
			t.Cleanup(server.Close)
			bucket, err := Open(t.Context(), Config{
				Bucket:   "photos",
				Endpoint: server.URL + "/" + emulatorAccount,
			}, oneAttempt, storage.WithVersioning(true))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })

			require.ErrorIs(t, tt.list(bucket), storage.Unavailable)
			require.Less(t, requests, manyRequests)
		})
	}
}

package caddy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server"
)

// A site is a Caddy whose file_server serves a bucket.
type site struct {
	*instance
	store  *testStore
	bucket storage.Bucket
	url    string
	admin  string // URL of the admin endpoint
}

// newSite serves a new bucket of one of the storeKinds.
func newSite(t *testing.T, kind string) *site {
	t.Helper()
	s := &site{store: newStore(t, kind)}
	s.bucket = s.store.open(t)
	port := freePort(t)
	admin := freePort(t)
	s.url = "http://127.0.0.1:" + port
	s.admin = "http://127.0.0.1:" + admin
	s.instance = startCaddy(t, fmt.Sprintf(`{
	admin 127.0.0.1:%s
	filesystem photos omnibucket {env.BUCKET} {
		timeout 2s
	}
}
http://127.0.0.1:%s {
	file_server browse {
		fs photos
	}
}`, admin, port), append(s.store.env, "BUCKET="+s.store.address)...)
	return s
}

func (s *site) put(t *testing.T, key, content string) {
	t.Helper()
	_, err := s.bucket.Upload(t.Context(), key, strings.NewReader(content))
	require.NoError(t, err)
}

// get requests a path with headers, which are pairs of a name and a value. It returns the response
// and the body.
func (s *site) get(t *testing.T, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{
		Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp, ""
	}
	return resp, string(body)
}

// Caddy's file_server serves files of a bucket, with ranges and conditions.
func TestFileSystemServesFiles(t *testing.T) {
	for _, kind := range storeKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, kind)
			s.put(t, "a/cat.txt", "0123456789")
			s.put(t, "a/index.html", "<h1>index</h1>")
			s.put(t, "dir/ä ö.txt", "umlauts")
			s.put(t, "dir/b", "b")
			resp, _ := s.get(t, "/a/cat.txt")
			etag := resp.Header.Get("Etag")
			modified := resp.Header.Get("Last-Modified")
			require.NotEmpty(t, etag)
			require.NotEmpty(t, modified)

			tests := []struct {
				name       string
				path       string
				headers    []string
				wantStatus int
				wantBody   string
			}{
				{name: "file", path: "/a/cat.txt", wantStatus: 200, wantBody: "0123456789"},
				{
					name:       "range",
					path:       "/a/cat.txt",
					headers:    []string{"Range", "bytes=2-4"},
					wantStatus: 206,
					wantBody:   "234",
				},
				{
					name:       "end",
					path:       "/a/cat.txt",
					headers:    []string{"Range", "bytes=-3"},
					wantStatus: 206,
					wantBody:   "789",
				},
				{
					name:       "range past the end",
					path:       "/a/cat.txt",
					headers:    []string{"Range", "bytes=20-"},
					wantStatus: 416,
				},
				{
					name:       "range of this revision",
					path:       "/a/cat.txt",
					headers:    []string{"Range", "bytes=2-4", "If-Range", etag},
					wantStatus: 206,
					wantBody:   "234",
				},
				{
					name:       "range of another revision",
					path:       "/a/cat.txt",
					headers:    []string{"Range", "bytes=2-4", "If-Range", `"x"`},
					wantStatus: 200,
					wantBody:   "0123456789",
				},
				{
					name:       "same ETag",
					path:       "/a/cat.txt",
					headers:    []string{"If-None-Match", etag},
					wantStatus: 304,
				},
				{
					name:       "another ETag",
					path:       "/a/cat.txt",
					headers:    []string{"If-None-Match", `"x"`},
					wantStatus: 200,
					wantBody:   "0123456789",
				},
				{
					name:       "unmodified",
					path:       "/a/cat.txt",
					headers:    []string{"If-Modified-Since", modified},
					wantStatus: 304,
				},
				{name: "precondition", path: "/a/cat.txt", headers: []string{"If-Match", `"x"`}, wantStatus: 412},
				{name: "index", path: "/a/", wantStatus: 200, wantBody: "<h1>index</h1>"},
				{name: "index without a slash", path: "/a", wantStatus: 308},
				{name: "escaped name", path: "/dir/%C3%A4%20%C3%B6.txt", wantStatus: 200, wantBody: "umlauts"},
				{name: "missing", path: "/missing", wantStatus: 404},
				{name: "missing in a directory", path: "/a/missing", wantStatus: 404},
				{name: "file as a directory", path: "/a/cat.txt/b", wantStatus: 404},
			}
			for _, tt := range tests {
				resp, body := s.get(t, tt.path, tt.headers...)
				require.Equal(t, tt.wantStatus, resp.StatusCode, tt.name)
				if tt.wantBody != "" {
					require.Equal(t, tt.wantBody, body, tt.name)
				}
			}
		})
	}
}

// Revisions of the same size have different ETags, even within one second.
func TestFileSystemETagDiffersForEachRevision(t *testing.T) {
	for _, kind := range storeKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, kind)
			contents := []string{"one", "two", "six", "ten"}
			etags := map[string]bool{}
			for _, content := range contents {
				s.put(t, "a", content)
				resp, body := s.get(t, "/a")
				require.Equal(t, content, body)
				etags[resp.Header.Get("Etag")] = true
			}
			require.Len(t, etags, len(contents))
		})
	}
}

// browse returns the names that the page of a directory has.
func (s *site) browse(t *testing.T, path string, headers ...string) (names []string, status int) {
	t.Helper()
	resp, body := s.get(t, path, append(headers, "Accept", "application/json")...)
	if resp.StatusCode != http.StatusOK {
		return nil, resp.StatusCode
	}
	var items []struct{ Name string }
	require.NoError(t, json.Unmarshal([]byte(body), &items), body)
	for _, item := range items {
		names = append(names, item.Name)
	}
	return names, resp.StatusCode
}

// If a file was removed, the page of its directory does not show it any more. A client that has the old page gets the
// new one.
func TestFileSystemBrowseShowsRemoval(t *testing.T) {
	for _, kind := range storeKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, kind)
			s.put(t, "dir/a", "a")
			s.put(t, "dir/b", "b")
			s.put(t, "dir/sub/c", "c")
			names, _ := s.browse(t, "/dir/")
			require.Equal(t, []string{"sub/", "a", "b"}, names)
			resp, _ := s.get(t, "/dir/")

			require.NoError(t, s.bucket.Remove(t.Context(), "dir/b"))
			require.Eventually(t, func() bool {
				names, status := s.browse(t, "/dir/", "If-Modified-Since", resp.Header.Get("Last-Modified"))
				return status == http.StatusOK && len(names) == 2
			}, 5*time.Second, 100*time.Millisecond)
			names, _ = s.browse(t, "/")
			require.Equal(t, []string{"dir/"}, names)
		})
	}
}

// memory returns the bytes of live objects in the process of Caddy, and the number of its goroutines. It asks the
// profiler of Caddy's admin API.
func (s *site) memory(t *testing.T) (bytes uint64, goroutines int) {
	t.Helper()
	resp, err := http.Get(s.admin + "/debug/pprof/heap?gc=1") // collects garbage
	closed(t, resp, err)

	resp, err = http.Get(s.admin + "/debug/vars")
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	var vars struct {
		Memstats struct{ HeapAlloc uint64 }
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&vars))

	profile, err := http.Get(s.admin + "/debug/pprof/goroutine?debug=1")
	require.NoError(t, err)
	defer func() { _ = profile.Body.Close() }()
	_, err = fmt.Fscanf(profile.Body, "goroutine profile: total %d", &goroutines)
	require.NoError(t, err)
	return vars.Memstats.HeapAlloc, goroutines
}

// If a folder has more files than file_server shows, its page takes at most two listings, and the
// memory for it is freed.
func TestFileSystemBrowseManyFiles(t *testing.T) {
	const maxShown = 10_000 // number of files that file_server shows
	const pageSize = 1000   // number of objects in a page of ListObjectsV2
	const memoryTolerance = 4 << 20
	for _, kind := range storeKinds {
		t.Run(kind, func(t *testing.T) {
			s := newSite(t, kind)
			for i := range maxShown + 10 {
				s.put(t, fmt.Sprintf("many/%05d", i), "")
			}
			names, _ := s.browse(t, "/many/")
			require.Len(t, names, maxShown)

			// Further pages do not increase the memory.
			before, _ := s.memory(t)
			for range 5 {
				s.browse(t, "/many/")
			}
			after, _ := s.memory(t)
			require.Less(t, after, before+memoryTolerance)

			// Only the server of S3 counts requests.
			if s.store.server != nil {
				s.store.server.Reset()
				s.browse(t, "/many/")
				// Each of the two listings takes this number of pages.
				require.LessOrEqual(t, s.store.server.Count("ListObjectsV2"), 2*maxShown/pageSize)
			}
		})
	}
}

// While several clients read a large file slowly, Caddy keeps only a part of it in memory.
func TestFileSystemLargeFileInBoundedMemory(t *testing.T) {
	const fileSize = 64 << 20
	const readSize = 1 << 20
	const clients = 8
	const maxMemory = fileSize / 2
	t.Parallel()
	s := newSite(t, "s3")
	s.put(t, "large", strings.Repeat("x", fileSize))

	// Each client reads the beginning of the file, and leaves the body open.
	before, _ := s.memory(t)
	var bodies []io.ReadCloser
	for range clients {
		resp, err := http.Get(s.url + "/large")
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, resp.Body, readSize)
		require.NoError(t, err)
		bodies = append(bodies, resp.Body)
	}

	during, _ := s.memory(t)
	require.Less(t, during, before+maxMemory)

	for _, body := range bodies {
		require.NoError(t, body.Close())
	}
}

// If the store fails or does not answer, a client soon gets a status of 5xx.
func TestFileSystemStoreFails(t *testing.T) {
	tests := []struct {
		name       string
		fault      s3server.Fault
		path       string
		wantStatus int
	}{
		{
			name:       "an error",
			fault:      s3server.Fail("", "InternalError"),
			path:       "/a",
			wantStatus: http.StatusServiceUnavailable,
		},
		{
			name:       "an error in a folder",
			fault:      s3server.Fail("", "InternalError"),
			path:       "/x/y/z",
			wantStatus: http.StatusServiceUnavailable,
		},
		{
			name:       "throttled",
			fault:      s3server.Fail("", "SlowDown"),
			path:       "/a",
			wantStatus: http.StatusGatewayTimeout,
		},
		{
			name:       "silent",
			fault:      s3server.Delay("", time.Hour),
			path:       "/a",
			wantStatus: http.StatusGatewayTimeout,
		},
		{
			name:       "silent in a folder",
			fault:      s3server.Delay("", time.Hour),
			path:       "/x/y/z",
			wantStatus: http.StatusGatewayTimeout,
		},
		{
			name:       "silent at a listing",
			fault:      s3server.Delay("ListObjectsV2", time.Hour),
			path:       "/",
			wantStatus: http.StatusGatewayTimeout,
		},
		{
			name:       "a lost connection",
			fault:      s3server.Drop(""),
			path:       "/a",
			wantStatus: http.StatusServiceUnavailable,
		},
		{
			name:       "a missing bucket",
			fault:      s3server.Fail("", "NoSuchBucket"),
			path:       "/",
			wantStatus: http.StatusInternalServerError,
		},
		{
			name:       "invalid credentials",
			fault:      s3server.Fail("", "InvalidAccessKeyId"),
			path:       "/a",
			wantStatus: http.StatusInternalServerError,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, "s3")
			s.put(t, "a", "content")
			removeFault := s.store.server.Inject(tt.fault)

			start := time.Now()
			resp, _ := s.get(t, tt.path)
			require.Equal(t, tt.wantStatus, resp.StatusCode)
			require.Less(t, time.Since(start), 10*time.Second)

			removeFault()
			resp, _ = s.get(t, "/a")
			require.Equal(t, http.StatusOK, resp.StatusCode)
		})
	}
}

// If the store stops in the middle of a file, the client gets an error.
func TestFileSystemStoreStopsInTheMiddle(t *testing.T) {
	t.Parallel()
	s := newSite(t, "s3")
	s.put(t, "a", strings.Repeat("x", 4<<20))
	s.store.server.Inject(s3server.StallAfter("GetObject", 1<<20))

	resp, err := http.Get(s.url + "/a")
	require.NoError(t, err)
	defer resp.Body.Close()
	start := time.Now()
	_, err = io.Copy(io.Discard, resp.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Less(t, time.Since(start), 20*time.Second)
	s.waitFor(t, "reading a file")
}

// A reload closes the buckets of the old configuration, so that the number of goroutines does not grow.
func TestReloadLeavesNoGoroutines(t *testing.T) {
	t.Parallel()
	// The number of goroutines changes a little even without reloads.
	const tolerance = 5
	s := newSite(t, "s3")
	s.put(t, "a", "content")
	s.reload(t)
	_, before := s.memory(t)

	for range 10 {
		s.reload(t)
	}

	require.Eventually(t, func() bool {
		_, after := s.memory(t)
		return after <= before+tolerance
	}, 10*time.Second, 100*time.Millisecond)
}

// reload loads the current configuration of Caddy again, and checks that it still serves the file "a".
func (s *site) reload(t *testing.T) {
	t.Helper()
	resp, err := http.Get(s.admin + "/config/")
	require.NoError(t, err)
	config, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())

	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.admin+"/load", bytes.NewReader(config))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Cache-Control", "must-revalidate") // loads even an unchanged configuration
	resp, err = http.DefaultClient.Do(req)
	require.Equal(t, 200, closed(t, resp, err).StatusCode)

	_, body := s.get(t, "/a")
	require.Equal(t, "content", body)
}

// A hostile path, such as one with "..", finds no file outside of the bucket.
func TestFileSystemHostilePaths(t *testing.T) {
	for _, kind := range storeKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, kind)
			s.put(t, "a/b", "content")

			tests := []struct {
				path       string
				wantStatus int
			}{
				// These paths name no object of the bucket, although some name a file of the
				// machine.
				{path: "/../../../../etc/passwd", wantStatus: http.StatusNotFound},
				{path: "/a/../../../etc/passwd", wantStatus: http.StatusNotFound},
				{path: "/..%2f..%2fetc%2fpasswd", wantStatus: http.StatusNotFound},
				{path: "/%2e%2e/%2e%2e/etc/passwd", wantStatus: http.StatusNotFound},
				{path: "/a/..%5c..%5cetc", wantStatus: http.StatusNotFound},
				{path: "/a/b%00", wantStatus: http.StatusNotFound},
				{path: "/%00", wantStatus: http.StatusNotFound},
				{path: "/.omnibucket/", wantStatus: http.StatusNotFound},
				{path: "/a/%0d%0aSet-Cookie:x", wantStatus: http.StatusNotFound},
				{path: "/a/" + strings.Repeat("y/", 500) + "z", wantStatus: http.StatusNotFound},

				// These paths are other forms of /a/b, or of the top folder.
				{path: "/a%2fb", wantStatus: http.StatusOK},
				{path: "/a//b", wantStatus: http.StatusOK},
				{path: "//a/b", wantStatus: http.StatusOK},
				{path: "/a/./b", wantStatus: http.StatusOK},
				{path: "/" + strings.Repeat("../", 2000), wantStatus: http.StatusOK},

				// These paths are not valid keys: one is not UTF-8, and the other is too long.
				{path: "/a/%ff%fe", wantStatus: http.StatusBadRequest},
				{path: "/" + strings.Repeat("x", 1100), wantStatus: http.StatusBadRequest},
			}
			for _, tt := range tests {
				resp, body := s.get(t, tt.path)
				require.Equal(t, tt.wantStatus, resp.StatusCode, tt.path)
				require.NotContains(t, body, "root:", tt.path) // the beginning of /etc/passwd
			}
		})
	}
}

// file_server stores nothing.
func TestFileSystemRefusesWrites(t *testing.T) {
	for _, kind := range storeKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, kind)
			s.put(t, "a/b", "content")
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.url+"/a/b",
				strings.NewReader("new"))
			require.NoError(t, err)
			resp, err := http.DefaultClient.Do(req)
			require.Equal(t, http.StatusMethodNotAllowed, closed(t, resp, err).StatusCode)
		})
	}
}

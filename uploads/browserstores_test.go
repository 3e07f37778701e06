package uploads_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/signingkey"
	"github.com/omnibucket/storage/internal/testing/testserver"
	_ "github.com/omnibucket/storage/memstore"
	_ "github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// A browserStore is a store that a page uploads to.
type browserStore struct {
	name         string
	account      func(t *testing.T) string   // the address of the account
	bucket       func(a *url.URL, as string) // makes it the address of a bucket
	proxied      string                      // the variable with the endpoint; "": package serve serves it
	needsHeaders bool                        // of signed parts, which Uppy does not send
}

var browserStores = []browserStore{
	{name: "memory", account: func(*testing.T) string { return "mem://" }, bucket: setHost},
	{
		name:    "local",
		account: localAccount,
		bucket: func(a *url.URL, as string) {
			a.Path += "/" + as
		},
	},
	{name: "minio", account: minioAccount, bucket: setHost, proxied: "OMNIBUCKET_TEST_MINIO"},
	{name: "gcs", account: gcsAccount, bucket: setHost, proxied: "OMNIBUCKET_TEST_GCS"},
	{name: "azurite", account: azuriteAccount, bucket: setHost, proxied: "OMNIBUCKET_TEST_AZURITE_BROWSER", needsHeaders: true},
}

func setHost(a *url.URL, host string) { a.Host = host }

func localAccount(t *testing.T) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(t.TempDir()), RawQuery: "create=true"}).String()
}

// minioAccount returns the address of MinIO, and puts the credentials of MinIO into the
// environment.
func minioAccount(t *testing.T) string {
	t.Setenv("AWS_ACCESS_KEY_ID", testserver.Need(t, "OMNIBUCKET_TEST_MINIO_KEY"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", testserver.Need(t, "OMNIBUCKET_TEST_MINIO_SECRET"))
	t.Setenv("AWS_SESSION_TOKEN", "")
	return "s3://?region=us-east-1&profile=minio&endpoint=" + testserver.Need(t, "OMNIBUCKET_TEST_MINIO")
}

func gcsAccount(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(path, signingkey.File(), 0o600))
	return "gs://?project=project&signing_key=" + url.QueryEscape(path) + "&endpoint=" + testserver.Need(t, "OMNIBUCKET_TEST_GCS")
}

// azuriteAccount is an account for these tests only, because all containers of an account share its
// CORS rules.
func azuriteAccount(t *testing.T) string {
	t.Setenv("AZURE_STORAGE_CONNECTION_STRING", "")
	t.Setenv("AZURE_STORAGE_ACCOUNT", "devstoreaccount3")
	t.Setenv("AZURE_STORAGE_KEY", testserver.Need(t, "OMNIBUCKET_TEST_AZURITE_KEY"))
	return "azblob://?endpoint=" + testserver.Need(t, "OMNIBUCKET_TEST_AZURITE_BROWSER")
}

// A browserSite is a page, the handler, and a store of another origin.
type browserSite struct {
	url      string
	stored   string // the origin of the store, if package serve serves it
	bucket   storage.Bucket
	toServer *wire
	toStore  *wire

	mu   sync.Mutex
	made map[string][]string // the keys of the completed uploads, by the name of the file
}

func (s *browserSite) completed(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made[name]
}

// newBrowserSite serves a page with the clients and the handler, over a new bucket of the store. Wires stand before the
// server of the page and before the store.
func newBrowserSite(t *testing.T, store browserStore, config uploads.Config) *browserSite {
	t.Helper()
	s := &browserSite{toServer: &wire{}, toStore: &wire{}, made: map[string][]string{}}
	page := serveWire(t, s.toServer)
	s.url = page + "/"
	s.stored = serveWire(t, s.toStore)
	s.bucket = openForPage(t, store, page, s.stored, s.toStore)

	config.Rules = rules.Any(0)
	config.Authorize = func(*http.Request) (uploads.User, error) { return uploads.User{ID: "somebody"}, nil }
	config.Begin = func(_ *http.Request, _ uploads.User, req uploads.Request) (*uploads.Target, error) {
		return &uploads.Target{
			Key:         "files/" + rand.Text(),
			ContentType: "application/octet-stream",
			Metadata:    map[string]string{"name": req.Name},
		}, nil
	}
	config.Stored = func(_ context.Context, u *uploads.File) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.made[u.Name] = append(s.made[u.Name], u.Key)
		return nil
	}
	config.OnError = func(r *http.Request, err error) {
		t.Logf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	handler, err := uploads.New(s.bucket, config)
	require.NoError(t, err)

	clients := http.FileServer(http.Dir(testserver.Need(t, "OMNIBUCKET_TEST_UPLOADCLIENTS")))
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata/browser")))
	mux.Handle("/upload.js", uploads.Script())
	mux.Handle("/clients/", http.StripPrefix("/clients/", clients))
	mux.Handle("/uploads/", http.StripPrefix("/uploads", handler))
	s.toServer.next = mux
	return s
}

// serveWire serves a wire until the test ends, and returns its address.
func serveWire(t *testing.T, w *wire) string {
	t.Helper()
	server := httptest.NewServer(w)
	t.Cleanup(server.Close)
	return server.URL
}

var siteNumber atomic.Int64

// partHeaders are the headers of signed parts on all stores.
var partHeaders = []string{"content-type", "x-amz-checksum-crc32c", "x-ms-blob-type", "x-ms-blob-content-type"}

// openForPage creates a bucket to which scripts of the page may send parts, and removes it after
// the test. The signed URLs of the bucket begin with storeURL. The wire w serves this URL.
func openForPage(t *testing.T, store browserStore, page, storeURL string, w *wire) storage.Bucket {
	t.Helper()

	// Create a bucket with a name of its own.
	account := store.account(t)
	service, err := storage.OpenService(t.Context(), account)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	name := fmt.Sprintf("resumable-%d-%d", os.Getpid(), siteNumber.Add(1))
	_, err = service.CreateBucket(t.Context(), name)
	require.NoError(t, err)

	// Add a CORS rule for the page. On Azure, the rules are those of the account.
	info, err := service.BucketInfo(t.Context(), name)
	require.NoError(t, err)
	rule := storage.CORSRule{
		Origins:        []string{page},
		Methods:        []string{"PUT"},
		MaxAge:         time.Hour,
		AllowedHeaders: partHeaders,
		ExposedHeaders: []string{"etag"},
	}
	_, err = service.UpdateBucket(t.Context(), name, storage.WithCORS(append(info.CORS, rule)...))
	if store.name != "minio" && store.name != "gcs" { // these servers let every page in, and have no rules
		require.NoError(t, err)
	}

	// Open the bucket. If the store is another process, the signed URLs have the path of its
	// endpoint.
	address, err := url.Parse(account)
	require.NoError(t, err)
	store.bucket(address, name)
	signingBase := storeURL
	var endpoint *url.URL // of a store that is another process
	if store.proxied != "" {
		endpoint, err = url.Parse(testserver.Need(t, store.proxied))
		require.NoError(t, err)
		signingBase += endpoint.Path
	}
	b, err := storage.Open(t.Context(), address.String(), storage.WithSigningBaseURL(signingBase))
	require.NoError(t, err)

	// The wire leads to the store.
	switch {
	case endpoint == nil:
		w.next = serve.NewHandler(b)
	case store.name == "gcs":
		w.next = proxyToGoogle(endpoint)
	default:
		w.next = proxyTo(endpoint)
	}

	// After the test, remove the bucket and everything in it.
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		_, err := storage.RemoveMatching(ctx, b, nil)
		require.NoError(t, err)
		if storage.Supports(b, storage.ListedUploads) { // a case that fails leaves some
			for entry, err := range storage.ListUploads(ctx, b) {
				require.NoError(t, err)
				require.NoError(t, storage.AbortUpload(ctx, b, entry))
			}
		}
		require.NoError(t, storage.Close(b))
		require.NoError(t, service.DeleteBucket(ctx, name))
	})
	return b
}

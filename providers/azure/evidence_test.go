package azure

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// pages are responses of proxies, captive portals and wrong endpoints.
var pages = map[string]reply{
	"a login page": {
		Header: map[string]string{"Content-Type": "text/html", "ETag": `"page"`, requestIDHeader: ""},
		Body:   "<html><body>Log in</body></html>",
	},
	"an empty JSON": {
		Header: map[string]string{"Content-Type": "application/json", "ETag": `"page"`, requestIDHeader: ""},
		Body:   "{}",
	},
	"nothing": {Header: map[string]string{"ETag": "", requestIDHeader: ""}},
}

// pagesOfAllStatuses returns each of the pages with each status of a success. A page has no body if its status is 204.
func pagesOfAllStatuses() map[string]reply {
	all := map[string]reply{}
	for kind, page := range pages {
		for _, status := range []int{200, 201, 202, 204} {
			page.Status = status
			if status == http.StatusNoContent {
				page.Body = ""
			}
			all[kind+" "+http.StatusText(status)] = page
		}
	}
	return all
}

// oneAttempt turns off retries.
var oneAttempt = storage.WithRetry(storage.RetryPolicy{Attempts: 1})

// openBucketAndService opens the container "photos" and its account. Both make one attempt at each request.
func (s *cannedServer) openBucketAndService(t *testing.T) (storage.Bucket, storage.Service) {
	t.Helper()
	config := Config{Endpoint: s.URL + "/" + emulatorAccount}
	service, err := NewService(t.Context(), config, oneAttempt)
	require.NoError(t, err)

	config.Bucket = "photos"
	bucket, err := Open(t.Context(), config, oneAttempt, storage.WithVersioning(true), storage.WithObjectLock())
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, errors.Join(storage.Close(bucket), service.Close()))
	})
	return bucket, service
}

// If a proxy answers with a web page, each call fails with Unavailable and a hint. Its outcome is unknown if the first
// request of the call is a change.
func TestResponseIsWebPage(t *testing.T) {
	end := time.Now().Add(time.Hour)
	tests := []struct {
		name   string
		call   wiretest.Call
		writes bool // in the first request
	}{
		{name: "Upload", call: wiretest.Upload(), writes: true},
		{name: "Download", call: wiretest.Download()},
		{name: "Attrs", call: wiretest.Attrs()},
		{name: "Remove", call: wiretest.Remove(), writes: true},
		{name: "List", call: wiretest.List},
		{name: "CreateBucket", call: wiretest.CreateBucket, writes: true},
		{name: "DeleteBucket", call: wiretest.DeleteBucket}, // first checks whether the bucket is empty
		{name: "BucketInfo", call: wiretest.ReadBucket},
		{name: "SetTags", call: wiretest.SetTags, writes: true},
		{name: "Copy", call: wiretest.Copy}, // first reads the attributes of the source
		{
			name: "SetLegalHold",
			call: func(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
				return storage.SetLegalHold(ctx, bucket, "k", true)
			},
			writes: true,
		},
		{
			name: "SetRetention",
			call: func(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
				return storage.SetRetention(ctx, bucket, "k", storage.Retention{
					Mode:  storage.Governance,
					Until: end,
				})
			},
		},
		{
			name: "Restore",
			call: func(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
				return storage.Restore(ctx, bucket, "k")
			},
		},
		{
			name: "Tags",
			call: func(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
				_, err := storage.Tags(ctx, bucket, "k")
				return err
			},
		},
		{
			name: "ListBuckets",
			call: func(ctx context.Context, _ storage.Bucket, s storage.Service) error {
				for _, err := range s.Buckets(ctx) {
					return err
				}
				return nil
			},
		},
		{
			name: "ListVersions",
			call: func(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
				for _, err := range storage.Versions(ctx, bucket) {
					return err
				}
				return nil
			},
		},
		{
			name: "RemoveAll",
			call: func(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
				_, err := storage.RemoveAll(ctx, bucket, slices.Values([]string{"a", "b"}))
				return err
			},
			writes: true,
		},
		{
			name: "Upload in parts", // first sends a block, which is not the object
			call: func(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
				_, err := bucket.Upload(ctx, "k", strings.NewReader(strings.Repeat("x", 3<<20)),
					storage.WithPartSize(1<<20))
				return err
			},
		},
		{
			name: "ListUploads",
			call: func(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
				for _, err := range storage.ListUploads(ctx, bucket) {
					return err
				}
				return nil
			},
		},
	}
	for _, tt := range tests {
		for name, page := range pagesOfAllStatuses() {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				bucket, service := newCannedServer(t, page).openBucketAndService(t)

				err := tt.call(t.Context(), bucket, service)
				require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
				require.Equal(t, tt.writes, errors.Is(err, storage.OutcomeUnknown), "%v", err)

				var e *storage.Error
				require.ErrorAs(t, err, &e)
				require.Contains(t, e.Hint, "check endpoint=")
			})
		}
	}
}

// Signing fails with Unavailable if a proxy answers the request for a user delegation key with a
// web page.
func TestUserKeyIsWebPage(t *testing.T) {
	for kind, page := range pages {
		t.Run(kind, func(t *testing.T) {
			server := newKeyServer(t)
			server.answer = func(w http.ResponseWriter, _ service.KeyInfo) {
				_, _ = w.Write([]byte(page.Body))
			}
			_, err := server.open(t).Sign(t.Context(), signedDownload(nil))
			require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
		})
	}
}

// List fails with Unavailable at a page that is not a listing, even with Azure's headers, because a
// caching proxy may have replaced the body.
func TestListPageIsDocument(t *testing.T) {
	tests := []struct {
		name string
		body string
	}{
		{name: "a login page", body: "<html><body>Log in</body></html>"},
		{name: "a page that is no XML", body: "<html><br>Log in"},
		{name: "nothing"},
		{name: "JSON", body: "{}"},
		{name: "another document", body: `<?xml version="1.0"?><Blobs/>`},
		{name: "text before the root", body: "EnumerationResults"},
	}
	for _, tt := range tests {
		for _, delimiter := range []string{"", "/"} {
			t.Run(tt.name+delimiter, func(t *testing.T) {
				// Only the first page is a listing.
				server := newCannedServer(t, listing("next", blobEntry("a")), reply{
					Header: map[string]string{"Content-Type": "application/xml"},
					Body:   tt.body,
				})
				bucket, _ := server.openBucketAndService(t)

				var keys []string
				var listErr error
				for entry, err := range bucket.List(t.Context(), storage.WithDelimiter(delimiter)) {
					if err != nil {
						listErr = err
						break
					}
					keys = append(keys, entry.Key)
				}
				require.Equal(t, []string{"a"}, keys)
				require.Equal(t, storage.Unavailable, storage.CodeOf(listErr), "%v", listErr)
			})
		}
	}
}

// Download and Attrs fail with Internal if the response has no Content-Length. A range succeeds,
// because Content-Range has the size.
func TestGetWithoutLength(t *testing.T) {
	object := objectReply("content")
	delete(object.Header, "Content-Length")
	object.Header["Transfer-Encoding"] = "chunked"

	for name, call := range map[string]wiretest.Call{
		"Download": wiretest.Download(),
		"Attrs":    wiretest.Attrs(),
	} {
		t.Run(name, func(t *testing.T) {
			server := newCannedServer(t, object)
			bucket, service := server.openBucketAndService(t)
			err := call(t.Context(), bucket, service)
			require.Equal(t, storage.Internal, storage.CodeOf(err), "%v", err)
		})
	}

	t.Run("a range has the length in its header", func(t *testing.T) {
		server := newCannedServer(t, reply{Status: http.StatusPartialContent, Body: "on", Header: map[string]string{
			"ETag":              etag,
			"Last-Modified":     lastModified,
			"Content-Range":     "bytes 1-2/7",
			"Transfer-Encoding": "chunked",
		}})
		bucket, _ := server.openBucketAndService(t)
		content, attrs, err := storage.ReadAll(t.Context(), bucket, "k", storage.WithRange(1, 2))
		require.NoError(t, err)
		require.Equal(t, "on", string(content))
		require.Equal(t, int64(7), attrs.Size)
	})
}

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
var pages = map[string]said{
	"a login page":  {Header: map[string]string{"Content-Type": "text/html", "ETag": `"page"`, requestIDHeader: ""}, Body: "<html><body>Log in</body></html>"},
	"an empty JSON": {Header: map[string]string{"Content-Type": "application/json", "ETag": `"page"`, requestIDHeader: ""}, Body: "{}"},
	"nothing":       {Header: map[string]string{"ETag": "", requestIDHeader: ""}},
}

func with(a said, status int) said {
	a.Status = status
	if status == http.StatusNoContent {
		a.Body = ""
	}
	return a
}

var once = storage.WithRetry(storage.RetryPolicy{Attempts: 1})

func (s *script) open(t *testing.T) (storage.Bucket, storage.Service) {
	t.Helper()
	c := Config{Endpoint: s.server.URL + "/" + emulatorAccount}
	service, err := NewService(t.Context(), c, once)
	require.NoError(t, err)
	c.Bucket = "photos"
	b, err := Open(t.Context(), c, once, storage.WithVersioning(true), storage.WithObjectLock())
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, errors.Join(storage.Close(b), service.Close()))
	})
	return b, service
}

// If a proxy answers with a web page, each call fails.
func TestResponseIsWebPage(t *testing.T) {
	const reads, changes = false, true
	end := time.Now().Add(time.Hour)
	tests := map[string]struct {
		call   wiretest.Call
		writes bool
	}{
		"Upload":       {wiretest.Upload(), changes},
		"Download":     {wiretest.Download(), reads},
		"Attrs":        {wiretest.Attrs(), reads},
		"Remove":       {wiretest.Remove(), changes},
		"List":         {wiretest.List, reads},
		"CreateBucket": {wiretest.CreateBucket, changes},
		"DeleteBucket": {wiretest.DeleteBucket, reads}, // the check whether it is empty comes first
		"BucketInfo":   {wiretest.ReadBucket, reads},
		"SetTags":      {wiretest.SetTags, changes},
		"Copy":         {wiretest.Copy, reads}, // the attributes of the source come first
		"an update": {func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			return storage.SetLegalHold(ctx, b, "k", true)
		}, changes},
		"SetRetention": {func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			return storage.SetRetention(ctx, b, "k", storage.Retention{Mode: storage.Governance, Until: end})
		}, reads},
		"Restore": {func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			return storage.Restore(ctx, b, "k")
		}, reads},
		"Tags": {func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, err := storage.Tags(ctx, b, "k")
			return err
		}, reads},
		"ListBuckets": {func(ctx context.Context, _ storage.Bucket, s storage.Service) error {
			for _, err := range s.Buckets(ctx) {
				return err
			}
			return nil
		}, reads},
		"ListVersions": {func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			for _, err := range storage.Versions(ctx, b) {
				return err
			}
			return nil
		}, reads},
		"RemoveAll": {func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, err := storage.RemoveAll(ctx, b, slices.Values([]string{"a", "b"}))
			return err
		}, changes},
		"parts": {func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, err := b.Upload(ctx, "k", strings.NewReader(strings.Repeat("x", 3<<20)), storage.WithPartSize(1<<20))
			return err
		}, reads}, // a block is not the object
		"ListUploads": {func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			for _, err := range storage.ListUploads(ctx, b) {
				return err
			}
			return nil
		}, reads},
	}
	for name, tt := range tests {
		for kind, page := range pages {
			for _, status := range []int{200, 201, 202, 204} {
				t.Run(name+", "+kind+" "+http.StatusText(status), func(t *testing.T) {
					s := newScript(t, with(page, status))
					b, service := s.open(t)

					err := tt.call(t.Context(), b, service)
					require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
					require.Equal(t, tt.writes, errors.Is(err, storage.OutcomeUnknown), "%v", err)

					var e *storage.Error
					require.ErrorAs(t, err, &e)
					require.Contains(t, e.Hint, "check endpoint=")
				})
			}
		}
	}
}

// If a proxy answers the request for a user delegation key with a web page, signing fails with Unavailable.
func TestUserKeyIsWebPage(t *testing.T) {
	s := newKeyServer(t)
	for kind, page := range pages {
		s.answer = func(w http.ResponseWriter, _ service.KeyInfo) {
			_, _ = w.Write([]byte(page.Body))
		}
		_, err := s.open(t).Sign(t.Context(), download(nil))
		require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%s: %v", kind, err)
	}
}

// List refuses a page that is not a listing, even with Azure's headers: a caching proxy may have replaced the
// body.
func TestListPageIsDocument(t *testing.T) {
	for name, body := range map[string]string{
		"a login page":          "<html><body>Log in</body></html>",
		"a page that is no XML": "<html><br>Log in",
		"nothing":               "",
		"JSON":                  "{}",
		"another document":      `<?xml version="1.0"?><Blobs/>`,
		"text before the root":  "EnumerationResults",
	} {
		for _, delimiter := range []string{"", "/"} {
			t.Run(name+delimiter, func(t *testing.T) {
				s := newScript(t, listing("next", blobEntry("a")), said{Header: map[string]string{"Content-Type": "application/xml"}, Body: body})
				b, _ := s.open(t)
				var keys []string
				var err error
				for entry, failure := range b.List(t.Context(), storage.WithDelimiter(delimiter)) {
					if err = failure; err == nil {
						keys = append(keys, entry.Key)
					}
				}
				require.Equal(t, []string{"a"}, keys)
				require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
			})
		}
	}
}

// If the response has no Content-Length, Download and Attrs fail with Internal. A range succeeds, because
// Content-Range has the size.
func TestGetWithoutLength(t *testing.T) {
	object := anObject("content")
	delete(object.Header, "Content-Length")
	object.Header["Transfer-Encoding"] = "chunked"

	for name, call := range map[string]wiretest.Call{"Download": wiretest.Download(), "Attrs": wiretest.Attrs()} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, object)
			b, service := s.open(t)
			err := call(t.Context(), b, service)
			require.Equal(t, storage.Internal, storage.CodeOf(err), "%v", err)
		})
	}

	t.Run("a range has the length in its header", func(t *testing.T) {
		s := newScript(t, said{Status: http.StatusPartialContent, Body: "on", Header: map[string]string{
			"ETag":              etag,
			"Last-Modified":     aTime,
			"Content-Range":     "bytes 1-2/7",
			"Transfer-Encoding": "chunked",
		}})
		b, _ := s.open(t)
		content, attrs, err := storage.ReadAll(t.Context(), b, "k", storage.WithRange(1, 2))
		require.NoError(t, err)
		require.Equal(t, "on", string(content))
		require.Equal(t, int64(7), attrs.Size)
	})
}

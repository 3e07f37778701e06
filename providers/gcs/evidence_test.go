package gcs

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// pages are responses of proxies, captive portals and wrong endpoints.
var pages = map[string]reply{
	"a login page":  {Header: map[string]string{"Content-Type": "text/html", "ETag": `"page"`}, Body: "<html><body>Log in</body></html>"},
	"a long page":   {Header: map[string]string{"Content-Type": "text/html"}, Body: "<html>" + strings.Repeat("Log in. ", 1<<10)},
	"a long JSON":   {Header: map[string]string{"Content-Type": "application/json"}, Body: `{"login":"` + strings.Repeat("Log in. ", 1<<10) + `"}`},
	"an empty JSON": {Header: map[string]string{"Content-Type": "application/json"}, Body: "{}"},
	"nothing":       {},
	"another kind":  {Header: map[string]string{"Content-Type": "application/json"}, Body: `{"kind":"storage#objectAccessControls"}`},
	"a long list of another kind": {
		Header: map[string]string{"Content-Type": "application/json"},
		Body:   `{"kind":"storage#objectAccessControls","items":["` + strings.Repeat("x", 1<<13) + `"]}`,
	},
}

// If a proxy answers with a web page, each call fails.
func TestResponseIsWebPage(t *testing.T) {
	end := time.Now().Add(time.Hour)
	tests := map[string]struct {
		call   wiretest.Call
		writes bool // in the first request
	}{
		"Upload":       {wiretest.Upload(), true},
		"Download":     {wiretest.Download(), false},
		"Attrs":        {wiretest.Attrs(), false},
		"Remove":       {wiretest.Remove(), true},
		"List":         {wiretest.List, false},
		"CreateBucket": {wiretest.CreateBucket, true},
		"DeleteBucket": {wiretest.DeleteBucket, false}, // the check whether it is empty comes first
		"BucketInfo":   {wiretest.ReadBucket, false},
		"SetTags":      {wiretest.SetTags, false}, // the attributes come first
		"Copy":         {wiretest.Copy, false},    // the attributes of the source come first
		"SetLegalHold": {func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			return storage.SetLegalHold(ctx, b, "k", true)
		}, true},
		"SetRetention": {func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			return storage.SetRetention(ctx, b, "k", storage.Retention{Mode: storage.Governance, Until: end})
		}, true},
		"RemoveAll": {func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, err := storage.RemoveAll(ctx, b, slices.Values([]string{"a", "b"}))
			return err
		}, true},
		"parts": {func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, err := b.Upload(ctx, "k", strings.NewReader(strings.Repeat("x", 3<<20)), storage.WithPartSize(1<<20))
			return err
		}, false}, // a session is not the object
		"Versions": {func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			for _, err := range storage.Versions(ctx, b) {
				return err
			}
			return nil
		}, false},
	}
	for name, tt := range tests {
		for kind, page := range pages {
			for _, status := range []int{200, 201, 202, 204} {
				if status == http.StatusNoContent && strings.HasPrefix(strings.ToLower(name), "remove") {
					continue // that is the answer
				}
				t.Run(name+", "+kind+" "+http.StatusText(status), func(t *testing.T) {
					page.Status = status
					if status == http.StatusNoContent {
						page.Body = ""
					}
					s := newStandIn(t, page)
					noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
					service, err := NewService(t.Context(), Config{Endpoint: s.server.URL, Project: "p"}, noRetry)
					require.NoError(t, err)
					b := engine.New(s.on(t), noRetry, storage.WithVersioning(true), storage.WithObjectLock())

					err = errors.Join(tt.call(t.Context(), b, service), service.Close())
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

// Delete accepts the responses of emulators: an empty 200 from storage-testbench, and null from fake-gcs-server.
func TestDeleteByEmulator(t *testing.T) {
	s := newStandIn(t, reply{})
	t.Setenv("STORAGE_EMULATOR_HOST", s.server.URL)
	require.NoError(t, s.on(t, func(c *Config) {
		c.Endpoint = ""
	}).Delete(t.Context(), &driver.DeleteRequest{Key: "a"}))
	s = newStandIn(t, reply{Header: stored.Header, Body: "null\n"})
	require.NoError(t, s.on(t).Delete(t.Context(), &driver.DeleteRequest{Key: "a"}))
}

// List accepts an empty page that has the kind of a listing.
func TestListEmptyHasKind(t *testing.T) {
	s := newStandIn(t, reply{Header: stored.Header, Body: `{"kind":"storage#objects"}`})
	page, err := s.on(t).List(t.Context(), &driver.ListRequest{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Entries)
	require.Contains(t, s.server.Last(t).Query().Get("fields"), "kind,nextPageToken")
}

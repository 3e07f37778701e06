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

// If a proxy answers with a page of its own, each call fails with Unavailable and a hint. The error is OutcomeUnknown
// if the first request of the call writes.
func TestResponseIsWebPage(t *testing.T) {
	end := time.Now().Add(time.Hour)
	tests := []struct {
		name       string
		call       wiretest.Call
		writes     bool // in the first request
		accepts204 bool // a response without content is a success
	}{
		{name: "Upload", call: wiretest.Upload(), writes: true},
		{name: "Download", call: wiretest.Download()},
		{name: "Attrs", call: wiretest.Attrs()},
		{name: "Remove", call: wiretest.Remove(), writes: true, accepts204: true},
		{name: "List", call: wiretest.List},
		{name: "CreateBucket", call: wiretest.CreateBucket, writes: true},
		{name: "DeleteBucket", call: wiretest.DeleteBucket}, // first checks whether the bucket is empty
		{name: "BucketInfo", call: wiretest.ReadBucket},
		{name: "SetTags", call: wiretest.SetTags}, // first reads the attributes
		{name: "Copy", call: wiretest.Copy},       // first reads the attributes of the source
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
			writes: true,
		},
		{
			name: "RemoveAll",
			call: func(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
				_, err := storage.RemoveAll(ctx, bucket, slices.Values([]string{"a", "b"}))
				return err
			},
			writes:     true,
			accepts204: true,
		},
		{
			name: "Upload in parts", // first begins an upload session, which is not the object
			call: func(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
				_, err := bucket.Upload(ctx, "k", strings.NewReader(strings.Repeat("x", 3<<20)),
					storage.WithPartSize(1<<20))
				return err
			},
		},
		{
			name: "Versions",
			call: func(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
				for _, err := range storage.Versions(ctx, bucket) {
					return err
				}
				return nil
			},
		},
	}
	for _, tt := range tests {
		for name, page := range pagesOfAllStatuses() {
			if tt.accepts204 && page.Status == http.StatusNoContent {
				continue
			}
			t.Run(tt.name+", "+name, func(t *testing.T) {
				bucket, service := openWithoutRetries(t, newCannedServer(t, page))

				err := tt.call(t.Context(), bucket, service)
				require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
				require.Equal(t, tt.writes, errors.Is(err, storage.OutcomeUnknown), "%v", err)

				var storageErr *storage.Error
				require.ErrorAs(t, err, &storageErr)
				require.Contains(t, storageErr.Hint, "check endpoint=")
			})
		}
	}
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

// openWithoutRetries opens the bucket "photos" at the server and its project. Both make one attempt at each request.
func openWithoutRetries(t *testing.T, s *cannedServer) (storage.Bucket, storage.Service) {
	t.Helper()
	noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	service, err := NewService(t.Context(), Config{Endpoint: s.URL, Project: "p"}, noRetry)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, service.Close()) })
	bucket := engine.New(s.openDriver(t), noRetry, storage.WithVersioning(true), storage.WithObjectLock())
	return bucket, service
}

// Delete accepts the responses of emulators.
func TestDeleteByEmulator(t *testing.T) {
	t.Run("an empty 200 from storage-testbench", func(t *testing.T) {
		server := newCannedServer(t, reply{})
		t.Setenv("STORAGE_EMULATOR_HOST", server.URL)
		d := server.openDriver(t, func(c *Config) {
			c.Endpoint = ""
		})
		require.NoError(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: "a"}))
	})
	t.Run("null from fake-gcs-server", func(t *testing.T) {
		server := newCannedServer(t, reply{Header: storedReply.Header, Body: "null\n"})
		d := server.openDriver(t)
		require.NoError(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: "a"}))
	})
}

// List accepts an empty page if the response has the field "kind" of a listing.
func TestListEmptyHasKind(t *testing.T) {
	server := newCannedServer(t, reply{Header: storedReply.Header, Body: `{"kind":"storage#objects"}`})
	page, err := server.openDriver(t).List(t.Context(), &driver.ListRequest{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Entries)
	require.Contains(t, server.Last(t).Query().Get("fields"), "kind,nextPageToken")
}

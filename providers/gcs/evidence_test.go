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
		// the check whether it is empty comes first
		{name: "DeleteBucket", call: wiretest.DeleteBucket},
		{name: "BucketInfo", call: wiretest.ReadBucket},
		// the driver reads the attributes first
		{name: "SetTags", call: wiretest.SetTags},
		// the attributes of the source come first
		{name: "Copy", call: wiretest.Copy},
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
			writes: true,
		},
		// the request begins an upload session, and does not write the object
		{
			name: "parts",
			call: func(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
				_, err := bucket.Upload(ctx, "k", strings.NewReader(strings.Repeat("x", 3<<20)),
					storage.WithPartSize(1<<20))
				return err
			},
			writes: false,
		},
		{
			name: "Versions",
			call: func(ctx context.Context, bucket storage.Bucket, _ storage.Service) error {
				for _, err := range storage.Versions(ctx, bucket) {
					return err
				}
				return nil
			},
			writes: false,
		},
	}
	for _, tt := range tests {
		for kind, page := range pages {
			for _, status := range []int{200, 201, 202, 204} {
				if status == http.StatusNoContent && strings.HasPrefix(strings.ToLower(tt.name), "remove") {
					continue // that is the answer
				}
				t.Run(tt.name+", "+kind+" "+http.StatusText(status), func(t *testing.T) {
					page.Status = status
					if status == http.StatusNoContent {
						page.Body = ""
					}
					server := newCannedServer(t, page)
					noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
					service, err := NewService(t.Context(), Config{
						Endpoint: server.URL,
						Project:  "p",
					}, noRetry)
					require.NoError(t, err)
					bucket := engine.New(server.openDriver(t), noRetry, storage.WithVersioning(true),
						storage.WithObjectLock())

					err = errors.Join(tt.call(t.Context(), bucket, service), service.Close())
					require.Equal(t, storage.Unavailable, storage.CodeOf(err), "%v", err)
					require.Equal(t, tt.writes, errors.Is(err, storage.OutcomeUnknown), "%v", err)

					var storageErr *storage.Error
					require.ErrorAs(t, err, &storageErr)
					require.Contains(t, storageErr.Hint, "check endpoint=")
				})
			}
		}
	}
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

// List accepts an empty page that has the kind of a listing.
func TestListEmptyHasKind(t *testing.T) {
	server := newCannedServer(t, reply{Header: storedReply.Header, Body: `{"kind":"storage#objects"}`})
	page, err := server.openDriver(t).List(t.Context(), &driver.ListRequest{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, page.Entries)
	require.Contains(t, server.Last(t).Query().Get("fields"), "kind,nextPageToken")
}

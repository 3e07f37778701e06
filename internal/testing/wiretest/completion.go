package wiretest

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A failingRemover is an HTTP transport on which every request to remove something fails. So the parts
// of an open upload stay.
type failingRemover struct {
	base   http.RoundTripper
	breaks bool // true if the connection breaks; false if the response is 403
}

// RoundTrip makes each DELETE fail, with a refusal or a broken connection, and sends all other
// requests.
func (f *failingRemover) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodDelete {
		return f.base.RoundTrip(r)
	}
	if f.breaks {
		return nil, errors.New("the connection broke")
	}
	return &http.Response{
		StatusCode: http.StatusForbidden,
		Status:     "403 Forbidden",
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     http.Header{},
		Body:       io.NopCloser(strings.NewReader("")),
		Request:    r,
	}, nil
}

// CompletedOnce checks that an upload is completed only once, even if its parts cannot be removed
// afterwards. A further Complete returns the object while it exists, and fails with ObjectNotFound
// once it was removed or replaced. open opens a bucket with an HTTP client, or with the driver's
// own if client is nil.
func CompletedOnce(t *testing.T, open func(client *http.Client) storage.Bucket) {
	bucket := open(nil)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	for _, row := range []completionRow{
		{name: "refused, and the object is removed"},
		{name: "refused, and the object is replaced", newer: "newer"},
		{
			name: "refused after a create, and the object is removed",
			opts: []storage.MultipartOption{storage.IfAbsent()},
		},
		{name: "the connection breaks, and the object is removed", breaks: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			transport := http.DefaultTransport.(*http.Transport).Clone()
			t.Cleanup(transport.CloseIdleConnections)

			// Removals through this bucket fail, so the parts of an upload remain after Complete.
			client := &http.Client{Transport: &failingRemover{base: transport, breaks: row.breaks}}
			failing := open(client)
			t.Cleanup(func() { require.NoError(t, storage.Close(failing)) })
			row.requireOnce(t, failing, bucket)
		})
	}
}

// A completionRow is one way in which the parts of a completed upload remain.
type completionRow struct {
	name   string
	breaks bool // true if the connection breaks when the parts are removed
	opts   []storage.MultipartOption
	newer  string // what another writer stores, or "" if the object is removed
}

// requireOnce requires that an upload is completed only once, although its parts remain. The buckets failing
// and bucket are the same, but removals through failing fail.
func (row completionRow) requireOnce(t *testing.T, failing, bucket storage.Bucket) {
	key := strings.ReplaceAll(t.Name(), " ", "-")
	upload, err := storage.BeginUpload(t.Context(), failing, key, row.opts...)
	require.NoError(t, err)
	_, err = upload.PutPart(t.Context(), 1, strings.NewReader("upload"))
	require.NoError(t, err)

	// While the object exists, Complete returns it.
	attrs, err := upload.Complete(t.Context())
	require.NoError(t, err)
	again, err := upload.Complete(t.Context())
	require.NoError(t, err)
	require.Equal(t, attrs.Revision, again.Revision)

	// Another writer removes or replaces the object.
	require.NoError(t, bucket.Remove(t.Context(), key))
	if row.newer != "" {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader(row.newer))
		require.NoError(t, err)
	}

	// The upload has ended for all processes, so its remaining parts make no object again.
	for _, b := range []storage.Bucket{failing, bucket} {
		continued, err := storage.ContinueUpload(t.Context(), b, upload.Token())
		require.NoError(t, err)
		_, err = continued.Complete(t.Context())
		require.ErrorIs(t, err, storage.ObjectNotFound)
		_, err = continued.PutPart(t.Context(), 2, strings.NewReader("late"))
		require.ErrorIs(t, err, storage.ObjectNotFound)
		row.requireContent(t, bucket, key)
	}
	requireListed(t, bucket, key)
}

// requireContent requires that the object is what the other writer has left.
func (row completionRow) requireContent(t *testing.T, b storage.Bucket, key string) {
	t.Helper()
	data, _, err := storage.ReadAll(t.Context(), b, key)
	if row.newer == "" {
		require.ErrorIs(t, err, storage.ObjectNotFound, "the object must not come back: %q", data)
		return
	}
	require.NoError(t, err)
	require.Equal(t, row.newer, string(data))
}

// requireListed requires that a listing shows exactly one upload, whose parts remain, and that it
// can be aborted.
func requireListed(t *testing.T, b storage.Bucket, key string) {
	t.Helper()
	listed := 0
	for entry, err := range storage.ListUploads(t.Context(), b, storage.WithPrefix(key)) {
		require.NoError(t, err)
		require.NoError(t, storage.AbortUpload(t.Context(), b, entry))
		listed++
	}
	require.Equal(t, 1, listed)
}

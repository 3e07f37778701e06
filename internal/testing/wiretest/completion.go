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

// A keeper is an HTTP transport on which every request to remove something fails. So the parts of
// an open upload stay.
type keeper struct {
	base http.RoundTripper
	lost bool // true if the connection breaks; false if the response is 403
}

func (k *keeper) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodDelete {
		return k.base.RoundTrip(r)
	}
	if k.lost {
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
// afterwards. While the object exists, a further call of Complete returns it. When the object was
// removed or replaced, Complete fails with ObjectNotFound. open opens a bucket with an HTTP client,
// or with the driver's own client if client is nil.
func CompletedOnce(t *testing.T, open func(client *http.Client) storage.Bucket) {
	bucket := open(nil)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	for _, row := range []struct {
		name string
		lost bool
		opts []storage.MultipartOption
		then string // what another writer stores, or "" if the object is removed
	}{
		{"refused, and the object is removed", false, nil, ""},
		{"refused, and the object is replaced", false, nil, "newer"},
		{"refused after a create, and the object is removed", false, []storage.MultipartOption{storage.IfAbsent()}, ""},
		{"the connection breaks, and the object is removed", true, nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			transport := http.DefaultTransport.(*http.Transport).Clone()
			t.Cleanup(transport.CloseIdleConnections)
			b := open(&http.Client{Transport: &keeper{transport, row.lost}})
			t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
			key := strings.ReplaceAll(t.Name(), " ", "-")
			u, err := storage.BeginUpload(t.Context(), b, key, row.opts...)
			require.NoError(t, err)
			_, err = u.PutPart(t.Context(), 1, strings.NewReader("upload"))
			require.NoError(t, err)
			attrs, err := u.Complete(t.Context())
			require.NoError(t, err)
			second, err := u.Complete(t.Context())
			require.NoError(t, err)
			require.Equal(t, attrs.Revision, second.Revision)

			require.NoError(t, bucket.Remove(t.Context(), key))
			if row.then != "" {
				_, err := bucket.Upload(t.Context(), key, strings.NewReader(row.then))
				require.NoError(t, err)
			}
			for _, opened := range []storage.Bucket{b, bucket} {
				same, err := storage.ContinueUpload(t.Context(), opened, u.Token())
				require.NoError(t, err)
				_, err = same.Complete(t.Context())
				require.ErrorIs(t, err, storage.ObjectNotFound)
				_, err = same.PutPart(t.Context(), 2, strings.NewReader("late"))
				require.ErrorIs(t, err, storage.ObjectNotFound)
				data, _, err := storage.ReadAll(t.Context(), bucket, key)
				if row.then == "" {
					require.ErrorIs(t, err, storage.ObjectNotFound, "it is back: %q", data)
				} else {
					require.NoError(t, err)
					require.Equal(t, row.then, string(data))
				}
			}
			requireListed(t, bucket, key)
		})
	}
}

// requireListed requires that a listing shows the upload whose parts remain, and that it can be
// aborted.
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

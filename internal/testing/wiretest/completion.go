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

// A keeper is an HTTP transport through which nothing of an open upload can be removed.
type keeper struct {
	base http.RoundTripper
	lost bool // the connection breaks, in place of a refusal
}

func (k *keeper) RoundTrip(r *http.Request) (*http.Response, error) {
	switch {
	case r.Method != http.MethodDelete:
		return k.base.RoundTrip(r)
	case k.lost:
		return nil, errors.New("the connection broke")
	}
	return &http.Response{
		StatusCode: http.StatusForbidden, Status: "403 Forbidden", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r,
	}, nil
}

// CompletedOnce checks that an open upload whose parts cannot be removed is completed once: another
// call of Complete returns the object while it is there, and then ObjectNotFound. open opens one
// bucket of a server, with an HTTP client of the test's or, if it is nil, the driver's own.
func CompletedOnce(t *testing.T, open func(client *http.Client) storage.Bucket) {
	plain := open(nil)
	t.Cleanup(func() { require.NoError(t, storage.Close(plain)) })
	for _, row := range []struct {
		name string
		lost bool
		opts []storage.MultipartOption
		then string // another writer's object; "" means the key is removed
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
			made, err := u.Complete(t.Context())
			require.NoError(t, err)
			again, err := u.Complete(t.Context())
			require.NoError(t, err)
			require.Equal(t, made.Revision, again.Revision)

			require.NoError(t, plain.Remove(t.Context(), key))
			if row.then != "" {
				_, err := plain.Upload(t.Context(), key, strings.NewReader(row.then))
				require.NoError(t, err)
			}
			for _, on := range []storage.Bucket{b, plain} {
				same, err := storage.ContinueUpload(t.Context(), on, u.Token())
				require.NoError(t, err)
				_, err = same.Complete(t.Context())
				require.ErrorIs(t, err, storage.ObjectNotFound)
				_, err = same.PutPart(t.Context(), 2, strings.NewReader("late"))
				require.ErrorIs(t, err, storage.ObjectNotFound)
				data, _, err := storage.ReadAll(t.Context(), plain, key)
				if row.then == "" {
					require.ErrorIs(t, err, storage.ObjectNotFound, "it is back: %q", data)
				} else {
					require.NoError(t, err)
					require.Equal(t, row.then, string(data))
				}
			}
			requireListed(t, plain, key)
		})
	}
}

// requireListed requires that the parts that stay are listed, and can be dropped.
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

package wiretest

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// An OpenAt opens a bucket. It sends its requests to the given URL, which is the URL of the server
// or of a proxy in front of the server.
type OpenAt func(root string, opts ...storage.OpenOption) storage.Bucket

// openThroughProxy opens a bucket directly, and the same bucket through a proxy that can cut its
// connections.
func openThroughProxy(
	t *testing.T, server string, open OpenAt,
) (direct storage.Bucket, proxy *Proxy, cut storage.Bucket) {
	t.Helper()
	proxy = StartProxy(t, server)
	direct = open(server)
	cut = open(proxy.URL(), storage.WithRetry(storage.RetryPolicy{MaxDelay: time.Millisecond}))
	t.Cleanup(func() {
		require.NoError(t, storage.Close(direct))
		require.NoError(t, storage.Close(cut))
	})
	return direct, proxy, cut
}

// DownloadResumes checks that a download continues at the byte at which its connection was cut.
func DownloadResumes(t *testing.T, server string, open OpenAt) {
	rows := []struct {
		name  string
		cuts  int
		reset bool
	}{
		{name: "ended repeatedly", cuts: 8, reset: false},
		// A reset may lose all progress, so that more of them could use up the attempts of the
		// download.
		{name: "reset", cuts: 2, reset: true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			direct, proxy, cut := openThroughProxy(t, server, open)
			want := Content(8<<20, 1)
			existing, err := direct.Upload(t.Context(), "a", bytes.NewReader(want))
			require.NoError(t, err)

			proxy.Cut(Cut{Down: 1 << 20, Reset: row.reset}, row.cuts)
			got, attrs, err := storage.ReadAll(t.Context(), cut, "a")
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got), "%d bytes", len(got))
			require.Equal(t, existing.Revision, attrs.Revision)
			require.Equal(t, row.cuts, proxy.Cuts())
		})
	}
}

// DownloadPinsRevision checks that a download fails with Changed if its connection is cut, and the
// object is replaced before the download resumes.
func DownloadPinsRevision(t *testing.T, server string, open OpenAt) {
	direct, proxy, cut := openThroughProxy(t, server, open)
	old := Content(8<<20, 1)
	_, err := direct.Upload(t.Context(), "a", bytes.NewReader(old))
	require.NoError(t, err)

	// Read the beginning.
	proxy.Cut(Cut{Down: 1 << 20}, 1)
	r, err := cut.Download(t.Context(), "a")
	require.NoError(t, err)
	defer r.Close()
	first := make([]byte, 1000)
	_, err = io.ReadFull(r, first)
	require.NoError(t, err)

	// Replace the object.
	_, err = direct.Upload(t.Context(), "a", bytes.NewReader(Content(8<<20, 2)))
	require.NoError(t, err)

	rest, err := io.ReadAll(r)
	require.Equal(t, storage.Changed, storage.CodeOf(err), "%v", err)
	received := append(first, rest...)
	require.True(t, bytes.HasPrefix(old, received), "all bytes must be of the first revision")
}

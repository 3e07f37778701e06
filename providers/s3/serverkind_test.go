package s3

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/providers/s3/internal/evidence"
)

// If a server names itself in its first response, the hint of a later error names the profile for
// this server.
func TestServerKindHint(t *testing.T) {
	tests := []struct {
		name     string
		header   string
		value    string
		wantHint string
	}{
		{
			name:     "MinIO",
			header:   "Server",
			value:    "MinIO",
			wantHint: "this endpoint answers as MinIO: open it with profile=minio ",
		},
		{
			name:     "an old MinIO",
			header:   "Server",
			value:    "Minio/RELEASE.2018-01-02T23-07-00Z (linux; amd64)",
			wantHint: "this endpoint answers as MinIO: open it with profile=minio ",
		},
		{name: "silo", header: "Server", value: "Silo", wantHint: "profile=minio "},
		{name: "versitygw", header: "Server", value: "VERSITYGW", wantHint: "profile=versitygw "},
		{name: "SeaweedFS", header: "Server", value: "SeaweedFS S3 30GB 2.68", wantHint: "profile=seaweedfs "},
		{
			name:     "Ceph",
			header:   "Server",
			value:    "Ceph Object Gateway (reef)",
			wantHint: "this endpoint answers as Ceph: open it with profile=ceph ",
		},
		{name: "Ceph behind a proxy", header: "X-Rgw-Object-Type", value: "Normal", wantHint: "profile=ceph "},
		{name: "a proxy", header: "Server", value: "nginx", wantHint: "name the server with profile="},
		{
			name:     "a name that only contains another",
			header:   "Server",
			value:    "not MinIO",
			wantHint: "name the server with profile=",
		},
		{
			name:     "our own server",
			header:   "Server",
			value:    "AmazonS3 (omnibucket)",
			wantHint: "profile=omnibucket ",
		},
		{name: "an emulator", header: "Server", value: "AmazonS3", wantHint: "name the server with profile="},
		{name: "none", header: "X-Other", value: "MinIO", wantHint: "name the server with profile="},
	}
	// The driver's first request may be one of the raw client or one of the SDK.
	calls := map[string]func(b storage.Bucket) error{
		"the raw client": func(b storage.Bucket) error {
			_, err := b.Attrs(t.Context(), "k")
			return err
		},
		"the SDK": func(b storage.Bucket) error {
			_, err := storage.ListPage(t.Context(), b, "")
			return err
		},
	}
	for _, tt := range tests {
		for client, call := range calls {
			t.Run(tt.name+", by "+client, func(t *testing.T) {
				server := newStandIn(t, reply{
					Header: map[string]string{tt.header: tt.value, "ETag": etag},
					Body:   "<ListBucketResult></ListBucketResult>",
				})
				b := engine.New(server.openDriver(t, "unknown"))

				// Before the first response, the hint names no profile.
				require.Contains(t, hintOfCreate(t, b), "name the server with profile=")

				// After the first response, the hint names the profile. The driver still declares
				// no feature, because the name of the server does not prove one.
				require.NoError(t, call(b))
				require.Contains(t, hintOfCreate(t, b), tt.wantHint)
				require.Len(t, server.Requests(), 1, "no request may be sent to find the kind out")
			})
		}
	}
}

// hintOfCreate requires that an upload with IfAbsent is Unsupported, and returns the hint of its error.
func hintOfCreate(t *testing.T, b storage.Bucket) string {
	t.Helper()
	_, err := b.Upload(t.Context(), "k", http.NoBody, storage.IfAbsent())
	e := &storage.Error{}
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unsupported, e.Code)
	return e.Hint
}

// The first response with a known Server header decides the profile of the server.
func TestServerKindFirstResponse(t *testing.T) {
	server := &evidence.Server{}
	server.Observe(http.Header{"Server": {"nginx"}})
	require.Empty(t, server.Profile())

	server.Observe(http.Header{"Server": {"MinIO"}})
	server.Observe(http.Header{"Server": {"VERSITYGW"}})
	require.Equal(t, "minio", server.Profile())
}

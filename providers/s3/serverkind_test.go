package s3

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/providers/s3/internal/evidence"
)

// The hint names the profile of a server that names itself.
func TestServerKindHint(t *testing.T) {
	tests := []struct{ name, header, value, hint string }{
		{
			name:   "MinIO",
			header: "Server",
			value:  "MinIO",
			hint:   "this endpoint answers as MinIO: open it with profile=minio ",
		},
		{
			name:   "an old MinIO",
			header: "Server",
			value:  "Minio/RELEASE.2018-01-02T23-07-00Z (linux; amd64)",
			hint:   "this endpoint answers as MinIO: open it with profile=minio ",
		},
		{name: "silo", header: "Server", value: "Silo", hint: "profile=minio "},
		{name: "versitygw", header: "Server", value: "VERSITYGW", hint: "profile=versitygw "},
		{name: "SeaweedFS", header: "Server", value: "SeaweedFS S3 30GB 2.68", hint: "profile=seaweedfs "},
		{
			name:   "Ceph",
			header: "Server",
			value:  "Ceph Object Gateway (reef)",
			hint:   "this endpoint answers as Ceph: open it with profile=ceph ",
		},
		{name: "Ceph behind a proxy", header: "X-Rgw-Object-Type", value: "Normal", hint: "profile=ceph "},
		{name: "a proxy", header: "Server", value: "nginx", hint: "name the server with profile="},
		{
			name:   "a name that only contains another",
			header: "Server",
			value:  "not MinIO",
			hint:   "name the server with profile=",
		},
		{
			name:   "our own server",
			header: "Server",
			value:  "AmazonS3 (omnibucket)",
			hint:   "profile=omnibucket ",
		},
		{name: "an emulator", header: "Server", value: "AmazonS3", hint: "name the server with profile="},
		{name: "none", header: "X-Other", value: "MinIO", hint: "name the server with profile="},
	}
	for _, tt := range tests {
		for client, use := range map[string]func(b storage.Bucket) error{
			"the raw client": func(b storage.Bucket) error {
				_, err := b.Attrs(t.Context(), "k")
				return err
			},
			"the SDK": func(b storage.Bucket) error {
				_, err := storage.ListPage(t.Context(), b, "")
				return err
			},
		} {
			t.Run(tt.name+", by "+client, func(t *testing.T) {
				server := newStandIn(t, reply{
					Header: map[string]string{tt.header: tt.value, "ETag": etag},
					Body:   "<ListBucketResult></ListBucketResult>",
				})
				b := engine.New(server.openDriver(t, "unknown"))
				refuse := func() *storage.Error {
					_, err := b.Upload(t.Context(), "k", http.NoBody, storage.IfAbsent())
					e := &storage.Error{}
					require.ErrorAs(t, err, &e)
					require.Equal(t, storage.Unsupported, e.Code, "the name of a server declares nothing")
					return e
				}
				require.Contains(t, refuse().Hint, "name the server with profile=",
					"no response has come yet")
				require.NoError(t, use(b))
				require.Contains(t, refuse().Hint, tt.hint)
				require.Len(t, server.Requests(), 1, "no request is sent to find it out")
			})
		}
	}
}

// The first response with a known Server header decides which server it is.
func TestServerKindFirstResponse(t *testing.T) {
	k := &evidence.Server{}
	k.Observe(http.Header{"Server": {"nginx"}})
	require.Empty(t, k.Profile())
	k.Observe(http.Header{"Server": {"MinIO"}})
	k.Observe(http.Header{"Server": {"VERSITYGW"}})
	require.Equal(t, "minio", k.Profile())
}

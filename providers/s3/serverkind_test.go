package s3

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
)

// The hint names the profile of a server that names itself.
func TestServerKindHint(t *testing.T) {
	for _, row := range []struct{ name, header, value, hint string }{
		{"MinIO", "Server", "MinIO", "this endpoint answers as MinIO: open it with profile=minio "},
		{"an old MinIO", "Server", "Minio/RELEASE.2018-01-02T23-07-00Z (linux; amd64)", "this endpoint answers as MinIO: open it with profile=minio "},
		{"silo", "Server", "Silo", "profile=minio "},
		{"versitygw", "Server", "VERSITYGW", "profile=versitygw "},
		{"SeaweedFS", "Server", "SeaweedFS S3 30GB 2.68", "profile=seaweedfs "},
		{"Ceph", "Server", "Ceph Object Gateway (reef)", "this endpoint answers as Ceph: open it with profile=ceph "},
		{"Ceph behind a proxy", "X-Rgw-Object-Type", "Normal", "profile=ceph "},
		{"a proxy", "Server", "nginx", "name the server with profile="},
		{"a name that only contains another", "Server", "not MinIO", "name the server with profile="},
		{"our own server", "Server", "AmazonS3 (omnibucket)", "profile=omnibucket "},
		{"an emulator", "Server", "AmazonS3", "name the server with profile="},
		{"none", "X-Other", "MinIO", "name the server with profile="},
	} {
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
			t.Run(row.name+", by "+client, func(t *testing.T) {
				w := newStandIn(t, reply{Header: map[string]string{row.header: row.value, "ETag": etag}, Body: "<ListBucketResult></ListBucketResult>"})
				b := engine.New(w.on(t, "unknown"))
				refused := func() *storage.Error {
					_, err := b.Upload(t.Context(), "k", http.NoBody, storage.IfAbsent())
					e := &storage.Error{}
					require.ErrorAs(t, err, &e)
					require.Equal(t, storage.Unsupported, e.Code, "the name of a server declares nothing")
					return e
				}
				require.Contains(t, refused().Hint, "name the server with profile=", "no response has come yet")
				require.NoError(t, use(b))
				require.Contains(t, refused().Hint, row.hint)
				require.Len(t, w.server.Requests(), 1, "no request is sent to find it out")
			})
		}
	}
}

// The first response with a known Server header decides which server it is.
func TestServerKindFirstResponse(t *testing.T) {
	k := &serverKind{}
	k.see(http.Header{"Server": {"nginx"}})
	require.Nil(t, k.seen.Load())
	k.see(http.Header{"Server": {"MinIO"}})
	k.see(http.Header{"Server": {"VERSITYGW"}})
	require.Equal(t, "minio", k.seen.Load().profile)
}

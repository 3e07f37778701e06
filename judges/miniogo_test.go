package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// TestMinioGo writes over HTTP with the version of minio-go that restic 0.18 and kopia 0.21 have. It
// does not sign Content-Type, and signs each chunk of a body.
func TestMinioGo(t *testing.T) {
	strict := func(bool) (running, error) {
		s, err := s3server.Start(s3server.Config{Strict: true})
		if err != nil {
			return running{}, err
		}
		return running{url: s.URL, main: account{s3server.DefaultAccessKeyID, s3server.DefaultSecretKey}, stop: s.Close}, nil
	}
	for name, start := range map[string]func(bool) (running, error){"memory": startOurs, "directory": startDirectory, "strict": strict} {
		t.Run(name, func(t *testing.T) {
			on, err := start(false)
			require.NoError(t, err)
			t.Cleanup(on.stop)
			client, err := minio.New(on.host(), &minio.Options{Creds: credentials.NewStaticV4(on.main.key, on.main.secret, ""), Region: "us-east-1"})
			require.NoError(t, err)
			require.NoError(t, client.MakeBucket(t.Context(), "photos", minio.MakeBucketOptions{}))
			for key, content := range map[string]string{"empty": "", "short": "content", "long": strings.Repeat("0123456789", 1<<20)} {
				options := minio.PutObjectOptions{ContentType: "text/x-test", UserMetadata: map[string]string{"color": "blue"}, PartSize: 5 << 20}
				_, err := client.PutObject(t.Context(), "photos", key, strings.NewReader(content), int64(len(content)), options)
				require.NoError(t, err, key)
				object, err := client.GetObject(t.Context(), "photos", key, minio.GetObjectOptions{})
				require.NoError(t, err, key)
				got, err := io.ReadAll(object)
				require.NoError(t, err, key)
				require.True(t, bytes.Equal([]byte(content), got), key)
				info, err := object.Stat()
				require.NoError(t, err, key)
				require.Equal(t, "text/x-test", info.ContentType)
				require.Equal(t, "blue", info.UserMetadata["Color"])
				require.NoError(t, object.Close())
			}
			removed := 0
			for result := range client.RemoveObjectsWithResult(t.Context(), "photos", client.ListObjects(t.Context(), "photos", minio.ListObjectsOptions{Recursive: true}), minio.RemoveObjectsOptions{}) {
				require.NoError(t, result.Err, result.ObjectName)
				removed++
			}
			require.Equal(t, 3, removed)
			require.NoError(t, client.RemoveBucket(t.Context(), "photos"))
		})
	}
}

package transfer_test

import (
	"context"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/folderorder"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/transfer"
)

// newServerBucket opens the bucket "photos" of a new server with a profile.
func newServerBucket(t *testing.T, c s3server.Config, profile string) storage.Bucket {
	t.Helper()
	c.Buckets = []string{"photos"}
	server, err := s3server.Start(c)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	p, ok := s3.NamedProfile(profile)
	require.True(t, ok)
	b, err := s3.Open(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    server.URL,
		Profile:     &p,
		PathStyle:   new(true),
		Region:      s3server.DefaultRegion,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	return b
}

// A server that lists like a directory tree returns photos-2025/ after all of photos/. If a listing omits keys for
// that reason, WithDelete must not delete their copies.
func TestSyncDeletesNothingIfAServerListsInTreeOrder(t *testing.T) {
	keys := []string{"photos-2025/a.jpg", "photos.json", "photos/1.jpg", "photos/2.jpg", "photos/3.jpg", "z"}
	tests := []struct {
		name, profile string
		code          storage.Code
	}{
		{name: "listed folder by folder", profile: "seaweedfs", code: ""},
		{name: "with a profile that lists in order", profile: "unknown", code: storage.Unsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newServerBucket(t, folderorder.With(s3server.Config{Strict: true, Limits: s3server.Limits{MaxPage: 2}}), tt.profile)
			backup := t.TempDir()
			for _, key := range keys {
				_, err := b.Upload(t.Context(), key, strings.NewReader("x"))
				require.NoError(t, err)
				path := filepath.Join(backup, filepath.FromSlash(key))
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
			}

			_, err := transfer.Sync(t.Context(), transfer.Dir(backup), transfer.Bucket(b),
				transfer.WithDelete())
			require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)
			for _, key := range keys {
				require.FileExists(t, filepath.Join(backup, filepath.FromSlash(key)))
			}
		})
	}
}

// The consoles of S3 and Google create a folder as an empty object "mark/". Jobs with the prefix "mark/" still
// work.
func TestJobFolderMarkerDoesNotStop(t *testing.T) {
	b := newServerBucket(t, s3server.Config{Strict: true}, "aws")
	client, ok := storage.As[*awss3.Client](b)
	require.True(t, ok)
	_, err := client.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: new("photos"), Key: new("mark/")})
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "mark/x", strings.NewReader("x"))
	require.NoError(t, err)
	bucket := storage.Prefixed(b, "mark/")

	dir := t.TempDir()
	result, err := transfer.Download(t.Context(), bucket, dir)
	require.NoError(t, err)
	require.Equal(t, 1, int(result.Transferred))
	require.FileExists(t, filepath.Join(dir, "x"))

	_, err = transfer.Copy(t.Context(), storage.Prefixed(b, "copy/"), bucket)
	require.NoError(t, err)
	_, err = transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Bucket(bucket), transfer.WithDelete())
	require.NoError(t, err)
}

// A restarting bucket lists from its first key, whatever the start.
type restarting struct{ storage.Core }

func (r restarting) List(ctx context.Context, _ *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	return r.Core.List(ctx, &storage.ListOptions{})
}

// If a bucket ignores StartAfter, the job fails instead of listing it forever.
func TestJobBucketIgnoresStartAfter(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	b := wrapped.Bucket(t, newFilledBucket(t, keysN(5000)), func(c storage.Core) storage.Core {
		return restarting{c}
	})
	_, err := transfer.Copy(ctx, b, newFilledBucket(t, []string{"z/z"}))
	require.ErrorContains(t, err, "order of keys")
}

// If a server lists in tree order, each run with WithJournal fails with Unsupported. Otherwise keys that come late
// in the tree would never be copied.
func TestWithJournalInTreeOrder(t *testing.T) {
	for _, profile := range []string{"unknown", "minio"} {
		t.Run(profile, func(t *testing.T) {
			b := newServerBucket(t,
				folderorder.With(s3server.Config{Strict: true, Limits: s3server.Limits{MaxPage: 2}}), profile)
			for _, key := range []string{
				"photos-2025/a.jpg", "photos.json", "photos/1.jpg", "photos/2.jpg", "photos/3.jpg", "z",
			} {
				_, err := b.Upload(t.Context(), key, strings.NewReader("x"))
				require.NoError(t, err)
			}
			state := memstore.New()
			dir := t.TempDir()
			for range 3 {
				_, err := transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Bucket(b),
					transfer.WithJournal(state, "j"))
				require.ErrorIs(t, err, storage.Unsupported)
				require.ErrorContains(t, err, "byte order")
			}
		})
	}
}

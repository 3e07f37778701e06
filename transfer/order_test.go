package transfer_test

import (
	"context"
	"iter"
	"path/filepath"
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

// If a server lists folder by folder, a listing may omit keys of files that exist. Sync still
// deletes none of these files from a backup. Such a server returns photos-2025/ after all of
// photos/, which is not the order of keys.
func TestSyncDeletesNothingIfAServerListsInTreeOrder(t *testing.T) {
	files := map[string]string{
		"photos-2025/a.jpg": "x",
		"photos.json":       "x",
		"photos/1.jpg":      "x",
		"photos/2.jpg":      "x",
		"photos/3.jpg":      "x",
		"z":                 "x",
	}
	tests := []struct {
		name    string
		profile string       // says what the library knows about the server
		want    storage.Code // empty: the job succeeds
	}{
		{name: "the profile says that the order is another", profile: "seaweedfs"},
		{name: "the profile says that the keys are sorted", profile: "unknown", want: storage.Unsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The server lists folder by folder, two keys at a time.
			config := folderorder.With(s3server.Config{Strict: true, Limits: s3server.Limits{MaxPage: 2}})
			b := newServerBucket(t, config, tt.profile)
			for key, text := range files {
				put(t, b, key, text)
			}

			// The directory already has all files. So a correct job deletes none of them.
			backup := newTree(t, files)
			_, err := transfer.Sync(t.Context(), transfer.Dir(backup), transfer.Bucket(b), transfer.WithDelete())
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)

			// Whether the job fails or not, the backup keeps all files.
			for key := range files {
				require.FileExists(t, filepath.Join(backup, filepath.FromSlash(key)))
			}
		})
	}
}

// The consoles of S3 and Google create a folder by an object such as "mark/". Jobs with the prefix
// "mark/" work although the bucket has this object.
func TestJobFolderMarkerDoesNotStop(t *testing.T) {
	b := newServerBucket(t, s3server.Config{Strict: true}, "aws")
	client, ok := storage.As[*awss3.Client](b)
	require.True(t, ok)
	_, err := client.PutObject(t.Context(), &awss3.PutObjectInput{Bucket: new("photos"), Key: new("mark/")})
	require.NoError(t, err)

	put(t, b, "mark/x", "x")
	folder := storage.Prefixed(b, "mark/")
	dir := t.TempDir()

	report, err := transfer.Download(t.Context(), folder, dir)
	require.NoError(t, err)
	require.EqualValues(t, 1, report.Transferred)
	require.FileExists(t, filepath.Join(dir, "x"))

	_, err = transfer.Copy(t.Context(), storage.Prefixed(b, "copy/"), folder)
	require.NoError(t, err)

	_, err = transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Bucket(folder), transfer.WithDelete())
	require.NoError(t, err)
}

// A restarting bucket lists from its first key, even if the options name a later start.
type restarting struct{ storage.Core }

func (r restarting) List(ctx context.Context, _ *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	return r.Core.List(ctx, &storage.ListOptions{})
}

// If a bucket ignores StartAfter, a job fails. Otherwise it would list the bucket forever.
func TestJobBucketIgnoresStartAfter(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	b := wrapped.Bucket(t, newFilledBucket(t, numberedKeys(5000)), func(c storage.Core) storage.Core {
		return restarting{c}
	})

	_, err := transfer.Copy(ctx, b, newFilledBucket(t, []string{"z/z"}))
	require.ErrorContains(t, err, "order of keys")
}

// If the server lists folder by folder, every run with WithJournal fails with Unsupported. If it
// ran, it would never copy some keys, because they come late in this order.
func TestWithJournalInTreeOrder(t *testing.T) {
	keys := []string{"photos-2025/a.jpg", "photos.json", "photos/1.jpg", "photos/2.jpg", "photos/3.jpg", "z"}
	for _, profile := range []string{"unknown", "minio"} {
		t.Run(profile, func(t *testing.T) {
			// The server lists folder by folder, two keys at a time. Its profile does not say so.
			config := folderorder.With(s3server.Config{Strict: true, Limits: s3server.Limits{MaxPage: 2}})
			b := newServerBucket(t, config, profile)
			for _, key := range keys {
				put(t, b, key, "x")
			}
			journals := memstore.New()
			dir := t.TempDir()

			// Neither the first run nor those that continue it succeed.
			for range 3 {
				_, err := transfer.Sync(t.Context(), transfer.Dir(dir), transfer.Bucket(b),
					transfer.WithJournal(journals, "j"))
				require.ErrorIs(t, err, storage.Unsupported)
				require.ErrorContains(t, err, "byte order")
			}
		})
	}
}

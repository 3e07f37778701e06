package s3server_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
)

// A brokenDisk damages the directory of a server: the directory then refuses what the next requests
// need.
type brokenDisk func(t *testing.T, path string)

// fillDisk fills the disk of a server with two files, f and ff. The second takes the space that the first left in its
// last block.
func fillDisk(t *testing.T, path string) {
	for _, name := range []string{"f", "ff"} {
		f, err := os.Create(filepath.Join(path, "photos", name))
		require.NoError(t, err)
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.NoError(t, f.Close())
	}
}

// replaceBucketByFile puts files in place of the bucket and of a bucket that is created later.
func replaceBucketByFile(t *testing.T, path string) {
	require.NoError(t, os.RemoveAll(filepath.Join(path, "photos")))
	require.NoError(t, os.WriteFile(filepath.Join(path, "photos"), nil, 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(path, "second"), nil, 0o666))
}

// newSmallDisk mounts a disk of 1 MiB.
func newSmallDisk(t *testing.T) string {
	path := t.TempDir()
	err := syscall.Mount("none", path, "tmpfs", 0, "size=1m")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("only root may mount a small disk")
	}
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, syscall.Unmount(path, syscall.MNT_DETACH))
	})
	return path
}

// The error responses of a server whose disk fails do not show the path of its directory.
func TestFullDiskHidesPath(t *testing.T) {
	if os.Getenv(storeVariable) != "" {
		t.Skip("it starts its own directory")
	}
	tests := []struct {
		name    string
		newDisk func(t *testing.T) (path string)
		damage  brokenDisk
	}{
		{name: "disk full", newDisk: newSmallDisk, damage: fillDisk},
		{name: "file in place of a bucket", newDisk: (*testing.T).TempDir, damage: replaceBucketByFile},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The server has an object and an upload when its disk is damaged.
			path := tt.newDisk(t)
			service, err := local.NewServiceDriver(path, local.Config{})
			require.NoError(t, err)
			s := startServer(t, s3server.Config{Service: service})
			t.Cleanup(func() { _ = service.Close() })
			s.put(t, "k", "content")
			upload := s.beginUpload(t, "k")
			tt.damage(t, path)

			// The client sends a request of each kind. Some succeed, because they need no space.
			const size = 8192 // of a body that does not fit on a full disk
			body := strings.Repeat("x", size)
			var errs []error
			addError := func(err error) {
				if err != nil {
					errs = append(errs, err)
				}
			}

			_, err = s.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("second")})
			addError(err)

			_, err = s.PutObject(t.Context(), putInput("new", body))
			addError(err)

			_, err = s.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("k"),
			})
			addError(err)

			_, err = s.UploadPart(t.Context(), &s3.UploadPartInput{
				Bucket:     aws.String(bucket),
				Key:        aws.String("k"),
				UploadId:   &upload,
				PartNumber: aws.Int32(1),
				Body:       strings.NewReader(body),
			})
			addError(err)

			_, err = s.CopyObject(t.Context(), copyInput("k", "copy"))
			addError(err)

			_, err = s.PutBucketTagging(t.Context(), &s3.PutBucketTaggingInput{
				Bucket:  aws.String(bucket),
				Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}},
			})
			addError(err)

			_, err = s.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
			addError(err)

			_, err = s.ListBuckets(t.Context(), &s3.ListBucketsInput{})
			addError(err)

			// No error names the directory.
			require.NotEmpty(t, errs)
			for _, err := range errs {
				require.NotContains(t, err.Error(), path)
				require.NotContains(t, err.Error(), filepath.Base(path))
			}
		})
	}
}

// On a full disk, CreateBucket fails and leaves no bucket. The same request succeeds after there is
// space again.
func TestFullDiskCreateBucket(t *testing.T) {
	if os.Getenv(storeVariable) != "" {
		t.Skip("it starts its own directory")
	}
	path := newSmallDisk(t)
	service, err := local.NewServiceDriver(path, local.Config{})
	require.NoError(t, err)
	s := startServer(t, s3server.Config{Service: service})
	t.Cleanup(func() { _ = service.Close() })

	// Use up the space of the disk.
	fillDisk(t, path)

	// Object lock is a setting that must be stored.
	input := &s3.CreateBucketInput{Bucket: aws.String("locked"), ObjectLockEnabledForBucket: aws.Bool(true)}
	_, err = s.CreateBucket(t.Context(), input)
	requireFailure(t, err, 507, "XMinioStorageFull")
	_, err = s.GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: aws.String("locked")})
	requireFailure(t, err, 404, "NoSuchBucket")

	// After one of the files that fill the disk was removed, the same request succeeds.
	require.NoError(t, os.Remove(filepath.Join(path, "photos", "f")))
	_, err = s.CreateBucket(t.Context(), input)
	require.NoError(t, err)
	output, err := s.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{
		Bucket: aws.String("locked"),
	})
	require.NoError(t, err)
	require.Equal(t, types.ObjectLockEnabledEnabled, output.ObjectLockConfiguration.ObjectLockEnabled)
}

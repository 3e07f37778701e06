package s3server_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server"
)

// A fullService has no space for the settings of buckets: their writes fail with err. Like Azure, it removes a bucket
// with everything in it.
type fullService struct {
	driver.ServiceDriver
	err      error
	otherKey string   // the key of an object that another client writes before a write fails; "" for none
	removed  []string // the buckets that were removed
}

type fullDriver struct {
	driver.Driver
	service *fullService
}

func (s *fullService) Driver(name string) (driver.Driver, error) {
	d, err := gateway{s.ServiceDriver}.Driver(name)
	return fullDriver{Driver: d, service: s}, err
}

func (s *fullService) DeleteBucket(ctx context.Context, name string) error {
	s.removed = append(s.removed, name)
	return s.ServiceDriver.DeleteBucket(ctx, name)
}

// Put fails for the settings of a bucket, which the server writes after it has created the bucket.
func (d fullDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if !strings.HasSuffix(r.Key, "/bucket.json") {
		return d.Driver.Put(ctx, r)
	}
	if key := d.service.otherKey; key != "" {
		if _, err := d.Driver.Put(ctx, &driver.PutRequest{Key: key, Body: bytes.NewReader(nil)}); err != nil {
			return nil, err
		}
	}
	return nil, d.service.err
}

// If CreateBucket cannot store the settings, it removes the bucket again unless another client has used it.
func TestCreateBucketRemovesBucketWithoutSettings(t *testing.T) {
	tests := []struct {
		name        string
		err         error  // of the write of the settings
		otherKey    string // of an object that another client stores
		wantRemoved []string
	}{
		{name: "empty bucket, disk full", err: syscall.ENOSPC, wantRemoved: []string{"locked"}},
		{name: "empty bucket, quota used up", err: syscall.EDQUOT, wantRemoved: []string{"locked"}},
		{name: "object of another client", err: syscall.ENOSPC, otherKey: "k"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			service := &fullService{
				ServiceDriver: memstore.NewServiceDriver(memstore.ServiceConfig{}),
				err:           tt.err,
				otherKey:      tt.otherKey,
			}
			s := startServer(t, s3server.Config{Service: service, Buckets: []string{}})

			_, err := s.CreateBucket(t.Context(), &s3.CreateBucketInput{
				Bucket:                     aws.String("locked"),
				ObjectLockEnabledForBucket: aws.Bool(true),
			})

			// The bucket is removed, unless it has an object.
			requireFailure(t, err, 507, "XMinioStorageFull")
			require.Equal(t, tt.wantRemoved, service.removed)

			_, err = s.GetObjectLockConfiguration(t.Context(), &s3.GetObjectLockConfigurationInput{
				Bucket: aws.String("locked"),
			})
			if tt.wantRemoved != nil {
				requireFailure(t, err, 404, "NoSuchBucket")
				return
			}
			require.NoError(t, err, "the bucket has its lock")
		})
	}
}

// A client that sends its whole body first gets the response even if a condition has failed before the body was read.
func TestDirectoryRefusesConditionEarly(t *testing.T) {
	d := startInDirectory(t, t.TempDir(), s3server.Config{
		Buckets: []string{bucket},
		Limits:  s3server.Limits{MaxPutSize: 64 << 20},
	})
	d.store.put(t, "k", "old")

	// Send a whole PutObject by hand before reading the response.
	input := putInput("k", "")
	input.IfNoneMatch = aws.String("*")
	presigned, err := s3.NewPresignClient(d.store.Client).PresignPutObject(t.Context(), input)
	require.NoError(t, err)
	u, err := url.Parse(presigned.URL)
	require.NoError(t, err)
	connection, err := net.Dial("tcp", u.Host)
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(time.Minute)))

	const size = 20_000_000
	_, err = fmt.Fprintf(connection,
		"PUT %s HTTP/1.1\r\nHost: %s\r\nIf-None-Match: *\r\nContent-Length: %d\r\n\r\n", u.RequestURI(), u.Host, size)
	require.NoError(t, err)
	_, err = io.Copy(connection, bytes.NewReader(make([]byte, size)))
	require.NoError(t, err)

	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	text := readBody(t, response.Body)
	require.Equal(t, http.StatusPreconditionFailed, response.StatusCode, text)
	require.Equal(t, "PreconditionFailed", parseError(t, text).Code)
	require.Equal(t, "old", d.store.get(t, "k"))
}

// uploadRecords returns the files of the records of uploads and parts, by their paths.
func (d *directory) uploadRecords(t *testing.T) map[string][]byte {
	t.Helper()
	records := map[string][]byte{}
	root := filepath.Join(d.path, bucket, ".omnibucket", "private")

	addRecord := func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the server removes it
		}
		if err != nil || e.IsDir() {
			return err
		}

		name := filepath.ToSlash(path[len(root):])
		if !strings.HasPrefix(name, "/uploads/") && !strings.HasPrefix(name, "/parts/") {
			return nil
		}

		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		records[path] = content
		return err
	}
	require.NoError(t, filepath.WalkDir(root, addRecord))
	return records
}

// A server that is killed may leave records of uploads that it has completed or aborted. The next server removes
// these records, and keeps those of open uploads.
func TestDirectoryRemovesRecordsOfKilledUploads(t *testing.T) {
	const recordsPerUpload = 2 // one of the upload and one of its only part
	d := startInDirectory(t, t.TempDir(), s3server.Config{Buckets: []string{bucket}})
	completed := d.store.beginUpload(t, "completed")
	aborted := d.store.beginUpload(t, "aborted")
	open := d.store.beginUpload(t, "open")
	completedPart := d.store.uploadPart(t, "completed", completed, 1, "content")
	d.store.uploadPart(t, "aborted", aborted, 1, "content")
	openPart := d.store.uploadPart(t, "open", open, 1, "content")
	backup := d.uploadRecords(t)
	require.Len(t, backup, 3*recordsPerUpload)

	// Complete one upload and abort another. Only the records of the open one are left.
	_, err := d.store.CompleteMultipartUpload(t.Context(), completeInput("completed", completed, completedPart))
	require.NoError(t, err)
	d.store.deleteObject(t, "completed") // so that only the records describe the upload
	d.store.abort(t, "aborted", aborted)
	require.Len(t, d.uploadRecords(t), recordsPerUpload)
	d.store.server.Close()

	// Restore the records from the backup, as if the server was killed before it removed them. Only
	// the part is left of the aborted upload, as if the server was killed in the middle of the
	// abort.
	for path, content := range backup {
		if strings.Contains(path, "uploads/"+aborted) {
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, content, 0o666))
	}
	require.Len(t, d.uploadRecords(t), 3*recordsPerUpload-1)

	// The next server removes all records but those of the open upload, which it can complete.
	d = startInDirectory(t, d.path, s3server.Config{})
	onlyOpenIsLeft := func() bool { return len(d.uploadRecords(t)) == recordsPerUpload }
	require.Eventually(t, onlyOpenIsLeft, time.Minute, time.Millisecond)
	_, err = d.store.CompleteMultipartUpload(t.Context(), completeInput("open", open, openPart))
	require.NoError(t, err)
	require.Equal(t, "content", d.store.get(t, "open"))
}

// A replacingDriver is a layer that replaces the object "k" after the next Get has opened it, if isArmed is true. Its
// bodies are streams.
type replacingDriver struct {
	driver.Driver
	isArmed *bool
}

func (d replacingDriver) Get(
	ctx context.Context, r *driver.GetRequest,
) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	if *d.isArmed && r.Key == "k" {
		*d.isArmed = false
		const content = "new content"
		_, err = d.Put(ctx, &driver.PutRequest{
			Key:  "k",
			Body: strings.NewReader(content),
			Size: int64(len(content)),
		})
	}
	stream := struct{ io.ReadCloser }{body} // without the other methods of the body
	return attrs, stream, err
}

// GetObject returns the new content if another client replaces the object while the server reads it. A copy fails with
// 503 instead, and succeeds if the client repeats it.
func TestGetObjectReplacedBelowLayer(t *testing.T) {
	replacesNext := false // if true, the layer replaces the object "k" while the server reads it, once
	layer := func(d driver.Driver) driver.Driver {
		return replacingDriver{Driver: d, isArmed: &replacesNext}
	}
	s := startServer(t, s3server.Config{
		Service: driver.ServiceWithLayers(memstore.NewServiceDriver(memstore.ServiceConfig{}), layer),
	})
	upload := s.beginUpload(t, "parts")
	getObject := func(t *testing.T, span *string) error {
		output, err := s.GetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucket),
			Key:    aws.String("k"),
			Range:  span,
		})
		if err == nil {
			require.Equal(t, "new content", readBody(t, output.Body))
		}
		return err
	}

	tests := []struct {
		name       string
		needsRetry bool // true if the first request fails with 503, after which SDKs send it again
		read       func(t *testing.T) error
	}{
		{
			name:       "an object",
			needsRetry: false,
			read: func(t *testing.T) error {
				return getObject(t, nil)
			},
		},
		{
			name:       "a range",
			needsRetry: false,
			read: func(t *testing.T) error {
				return getObject(t, aws.String("bytes=0-99"))
			},
		},
		{
			name:       "a copy",
			needsRetry: true,
			read: func(t *testing.T) error {
				_, err := s.CopyObject(t.Context(), copyInput("k", "copy"))
				return err
			},
		},
		{
			name:       "a copied part",
			needsRetry: true,
			read: func(t *testing.T) error {
				_, err := s.UploadPartCopy(t.Context(), &s3.UploadPartCopyInput{
					Bucket:     aws.String(bucket),
					Key:        aws.String("parts"),
					UploadId:   &upload,
					PartNumber: aws.Int32(1),
					CopySource: aws.String(bucket + "/k"),
				})
				return err
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.put(t, "k", "old")
			replacesNext = true

			err := tt.read(t)
			if tt.needsRetry {
				requireFailure(t, err, 503, "ServiceUnavailable")
				err = tt.read(t)
			}
			require.NoError(t, err)
		})
	}
}

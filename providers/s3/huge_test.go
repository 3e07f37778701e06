package s3_test

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// An upload of a huge stream uses no more memory than WithBufferLimit allows.
func TestUploadHugeStream(t *testing.T) {
	const memory = 48 << 20
	s := needServer(t, "minio")
	b := s.open(t, s.bucket(t, false), storage.WithBufferLimit(&storage.BufferLimit{Max: memory}))
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	wiretest.HugeStream(t, b, memory, 96)
}

// smallParts is a driver whose parts may be smaller than 5 MiB. So the 10,000 parts of a test do
// not take 50 GB.
type smallParts struct {
	driver.Driver
	least int64
}

func (d smallParts) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.MinPartSize = d.least
	return desc
}

// Upload sends an object in up to 10,000 parts, and fails with TooLarge if it would need one more.
func TestUploadMaxParts(t *testing.T) {
	testserver.Further(t) // it sends 20,000 parts
	const partSize, maxParts = 16, 10_000
	server, err := s3server.Start(s3server.Config{Strict: true, Limits: s3server.Limits{MinPartSize: 1}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	s := newOwnServer(server)
	bucket := s.bucket(t, false)
	d, err := s3.NewDriver(t.Context(), s.config(t, bucket))
	require.NoError(t, err)

	// The layer permits parts of one byte.
	b := engine.New(d, driver.WithLayer(func(d driver.Driver) driver.Driver { return smallParts{Driver: d, least: 1} }))
	defer func() {
		require.NoError(t, storage.Close(b))
	}()

	// Ten thousand parts succeed.
	const largest = partSize * maxParts
	attrs, err := b.Upload(t.Context(), "all", &wiretest.Stream{Left: largest}, storage.WithPartSize(partSize))
	require.NoError(t, err)
	require.Equal(t, int64(largest), attrs.Size)
	require.Equal(t, maxParts, server.Count("UploadPart"))

	// With a byte more, the upload fails, and leaves neither parts nor an object.
	_, err = b.Upload(t.Context(), "more", &wiretest.Stream{Left: largest + 1}, storage.WithPartSize(partSize))
	var e *storage.Error
	require.True(t, errors.As(err, &e), "%v", err)
	require.Equal(t, storage.TooLarge, e.Code)
	require.NotEmpty(t, e.Hint)
	require.Zero(t, s.uploads(t, bucket, "more"))

	exists, err := b.Exists(t.Context(), "more")
	require.NoError(t, err)
	require.False(t, exists)
}

// An unreadable is a file of a given size. Reading its bytes fails.
type unreadable struct{ *io.SectionReader }

var errUnreadable = errors.New("unreadable")

// newUnreadable returns an unreadable file of a size.
func newUnreadable(size int64) unreadable {
	return unreadable{io.NewSectionReader(failingReaderAt{}, 0, size)}
}

// A failingReaderAt fails each read.
type failingReaderAt struct{}

func (failingReaderAt) ReadAt([]byte, int64) (int, error) { return 0, errUnreadable }

// Upload begins to send 50 TB, the size that an object of Amazon S3 may have since December 2025.
// 10,000 parts of 5 GiB have a bit more. If a body is larger than these parts, Upload refuses it
// before it sends a request: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html.
func TestUploadLargestObject(t *testing.T) {
	const largestOfAmazon = 50e12
	const maxParts, maxPart = 10_000, 5 << 30
	server, err := s3server.Start(s3server.Config{Strict: true})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	s := newOwnServer(server)
	b := s.open(t, s.bucket(t, false))
	defer func() {
		require.NoError(t, storage.Close(b))
	}()

	// The upload begins, and ends at once, because the body fails.
	_, err = b.Upload(t.Context(), "a", newUnreadable(largestOfAmazon))
	require.ErrorIs(t, err, errUnreadable, "the upload must begin to read the body")

	// For a byte more than all parts can have, no request is sent.
	requests := server.Count("CreateMultipartUpload")
	_, err = b.Upload(t.Context(), "a", newUnreadable(maxParts*maxPart+1))
	require.ErrorIs(t, err, storage.TooLarge)
	require.Equal(t, requests, server.Count("CreateMultipartUpload"), "no upload may begin")
}

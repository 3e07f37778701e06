package s3_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

func TestAHugeStreamUsesBoundedMemory(t *testing.T) {
	const memory = 48 << 20
	s := needServer(t, "minio")
	b := s.open(t, s.bucket(t, false), storage.WithBufferLimit(storage.NewBufferLimit(memory)))
	defer func() { require.NoError(t, storage.Close(b)) }()
	wiretest.HugeStream(t, b, memory, 96)
}

// smallParts is a bucket whose parts may be smaller than 5 MiB, so that 10,000 parts are
// not 50 GB.
type smallParts struct {
	driver.Driver
	least int64
}

func (d smallParts) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.MinPartSize = d.least
	return desc
}

func TestTenThousandPartsAndNotOneMore(t *testing.T) {
	const part, parts = 16, 10_000
	server, err := s3server.Start(s3server.Config{Strict: true, Limits: s3server.Limits{MinPartSize: 1}})
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	s := &testServer{name: "aws", endpoint: server.URL, key: s3server.DefaultAccessKeyID, secret: s3server.DefaultSecretKey}
	s.raw = s.clientOver(withoutKeepAlive())
	bucket := s.bucket(t, false)
	d, err := s3.NewDriver(t.Context(), s.config(t, bucket))
	require.NoError(t, err)
	b := engine.New(d, driver.WithLayer(func(d driver.Driver) driver.Driver { return smallParts{d, 1} }))
	defer func() { require.NoError(t, storage.Close(b)) }()

	attrs, err := b.Upload(t.Context(), "all", &wiretest.Stream{Left: part * parts}, storage.WithPartSize(part))
	require.NoError(t, err)
	require.Equal(t, int64(part*parts), attrs.Size)
	require.Equal(t, parts, server.Count("UploadPart"))

	_, err = b.Upload(t.Context(), "more", &wiretest.Stream{Left: part*parts + 1}, storage.WithPartSize(part))
	var e *storage.Error
	require.True(t, errors.As(err, &e), "%v", err)
	require.Equal(t, storage.TooLarge, e.Code)
	require.NotEmpty(t, e.Hint)
	require.Zero(t, s.uploads(t, bucket, "more"))
	there, err := b.Exists(t.Context(), "more")
	require.NoError(t, err)
	require.False(t, there)
}

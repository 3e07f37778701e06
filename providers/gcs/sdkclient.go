package gcs

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"sync/atomic"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// With Config.Client, every request is a call of the SDK, whose HTTP client with
// the credentials is not accessible.

// maxChunk is the size of the SDK's buffer for an upload, in bytes. Its default
// is 16 MiB.
const maxChunk = 4 << 20

// putWithSDKWriter uploads with one Writer of the SDK. After a failure it cancels
// the context first, because Close would commit.
func (d *objectDriver) putWithSDKWriter(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	c := callOf(r.Native)
	target, err := withCondition(c.key.on(d.bucket.handle().Object(r.Key)), r.Condition)
	if err != nil {
		return nil, err
	}
	attrs, err := d.account.attrsToSet(r.Key, &r.Properties, &r.Controls, c)
	if err != nil {
		return nil, err
	}
	ctx = d.account.with(ctx, c)
	var stored *gcs.ObjectAttrs
	err = writes(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		w := target.NewWriter(ctx)
		w.ObjectAttrs = *attrs
		w.ChunkSize = chunkSize(r.Size) // never 0, so that the SDK sends its own CRC32C before the object is made
		body := &crcReader{from: r.Body}
		_, err := io.Copy(w, body)
		if err == nil && r.CRC32C.Known && r.CRC32C.Sum != body.crc { // the core may set it while the body is read
			err = &storage.Error{Code: storage.ChecksumMismatch, Err: errors.New("the body does not match its CRC32C")}
		}
		if err != nil {
			cancel()
			_ = w.Close() // waits for requests in progress
			return redactSession(err)
		}
		if err := w.Close(); err != nil {
			return redactSession(err)
		}
		stored = w.Attrs()
		return nil
	})
	if err != nil {
		return nil, d.bucket.lockError(ctx, listError(err), &r.Controls)
	}
	return attrsOf(stored), nil
}

// A crcReader computes the CRC32C of the bytes read.
type crcReader struct {
	from io.Reader
	crc  uint32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (s *crcReader) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	s.crc = crc32.Update(s.crc, castagnoli, p[:n])
	return n, err
}

// chunkSize returns a size that holds a small body whole, so that the SDK can
// send its checksum first.
func chunkSize(size int64) int {
	if size < 0 {
		return maxChunk
	}
	return int(min(size/chunkUnit*chunkUnit+chunkUnit, maxChunk))
}

// readGeneration returns the bytes of one generation, after a request for the attributes, because
// the SDK's reader has only some of them.
func (rd *reader) readGeneration(ctx context.Context, r *driver.GetRequest, attrs *storage.Attrs) (io.ReadCloser, error) {
	o, err := rd.bucket.atGeneration(r.Key, attrs.Revision)
	if err != nil {
		return nil, err
	}
	offset, length := r.Offset, r.Length
	if r.Suffix > 0 {
		offset, length = max(attrs.Size-r.Suffix, 0), -1
	}
	if offset > 0 && offset >= attrs.Size {
		return nil, storage.RangeNotSatisfiable
	}
	once := &singleConnContext{Context: ctx}
	body, err := callOf(r.Native).key.on(o).ReadCompressed(true).NewRangeReader(once, offset, length)
	if err != nil {
		return nil, rd.bucket.readError(ctx, err, r)
	}
	once.opened.Store(true)
	return body, nil
}

// A singleConnContext stops the SDK's reader from opening a second connection. It
// would resume at the wrong byte of an object stored with gzip; the core resumes
// at the right one.
type singleConnContext struct {
	context.Context
	opened atomic.Bool
}

// Err makes the SDK stop: it calls Err before each connection. Done is the
// caller's, so the open connection continues.
func (c *singleConnContext) Err() error {
	if c.opened.Load() {
		return io.ErrUnexpectedEOF
	}
	return c.Context.Err()
}

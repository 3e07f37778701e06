package gcs

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"sync/atomic"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
)

// Through Config.Client everything goes by the SDK's own calls: its HTTP client,
// with the credentials, cannot be had.

// maxChunk is what the SDK buffers of an upload, in bytes, each time it makes
// one; it would be 16 MiB.
const maxChunk = 4 << 20

// putThroughWriter is one Writer. What fails is not committed: the SDK's Close
// would, so that the context ends first.
func (d *driver) putWithSDKWriter(ctx context.Context, r *storage.PutRequest) (*storage.Attrs, error) {
	target, err := withCondition(d.handle().Object(r.Key), r.Condition)
	if err != nil {
		return nil, err
	}
	var stored *gcs.ObjectAttrs
	err = writes(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		w := target.NewWriter(ctx)
		w.ObjectAttrs = attrsToSet(&r.Properties)
		w.Name, w.PredefinedACL = r.Key, predefinedACL(r.PublicRead)
		w.ChunkSize = chunkSize(r.Size) // never 0: the SDK sends its own CRC32C before the object is made
		body := &crcReader{from: r.Body}
		_, err := io.Copy(w, body)
		if err == nil && r.CRC32C != nil && *r.CRC32C != body.crc { // known now, if it was not before
			err = &storage.Error{Code: storage.ChecksumMismatch, Err: errors.New("the body is not what its CRC32C says")}
		}
		if err != nil {
			cancel()
			_ = w.Close() // waits until nothing is under way any more
			return redactSession(err)
		}
		if err := w.Close(); err != nil {
			return redactSession(err)
		}
		stored = w.Attrs()
		return nil
	})
	if err != nil {
		return nil, uploadError(err)
	}
	return attrsOf(stored), nil
}

// summed knows the CRC32C of what was read.
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

// chunkSize holds a small body whole: its checksum then goes before it.
func chunkSize(size int64) int {
	if size < 0 {
		return maxChunk
	}
	return int(min(size/chunkUnit*chunkUnit+chunkUnit, maxChunk))
}

// getThroughReader asks for the attributes first: the SDK's reader tells them in
// part only.
func (d *driver) getWithSDKReader(ctx context.Context, r *storage.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	return d.getInTwoRequests(ctx, r, d.readGeneration)
}

func (d *driver) readGeneration(ctx context.Context, r *storage.GetRequest, attrs *storage.Attrs) (io.ReadCloser, error) {
	o, err := d.atGeneration(r.Key, attrs.Revision)
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
	body, err := o.ReadCompressed(true).NewRangeReader(once, offset, length)
	if err != nil {
		return nil, d.readError(ctx, err, r)
	}
	once.opened.Store(true)
	return body, nil
}

// openedOnce is a context in which the SDK's reader opens no second connection:
// it would go on at the wrong byte of what is stored with gzip. The core resumes
// at the right one.
type singleConnContext struct {
	context.Context
	opened atomic.Bool
}

// Err tells the SDK, which asks before each connection, that there is none to
// be made. Done is the caller's: what is under way goes on.
func (c *singleConnContext) Err() error {
	if c.opened.Load() {
		return io.ErrUnexpectedEOF
	}
	return c.Context.Err()
}

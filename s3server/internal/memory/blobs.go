package memory

import (
	"context"
	"io"
	"strconv"
	"sync"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// blobs stores bytes in a driver, each body under its own name. An object is a list of
// pieces, so that a copy and the completion of an upload move no bytes. A blob is
// deleted with its last piece.
type blobs struct {
	driver driver.Driver
	most   int64 // bytes of all blobs; 0: no bound

	mu    sync.Mutex
	next  uint64
	bytes int64 // of all blobs, also of those that are being written
	all   map[string]*blob
}

type blob struct {
	uses int
	size int64
}

// A piece is a part of a blob.
type piece struct {
	blob         string
	offset, size int64
}

func newBlobs(d driver.Driver, most int64) *blobs {
	return &blobs{driver: d, most: most, all: map[string]*blob{}}
}

// pieceSize is the most that a body takes of a driver before its bytes have come, in bytes.
const pieceSize = 4 << 20

// put stores a body with one use. It does so in pieces whose size is known, so that a driver
// copies no bytes to make room for more.
func (b *blobs) put(ctx context.Context, from *state.Body) (stored []piece, err error) {
	b.mu.Lock()
	full := b.most > 0 && b.bytes+max(from.Size, 0) > b.most
	b.mu.Unlock()
	if full {
		return nil, s3error.New("InsufficientStorage")
	}
	for left := from.Size; ; {
		size, body := left, io.Reader(from)
		if left > pieceSize {
			size, body = pieceSize, io.LimitReader(from, pieceSize)
		}
		p, err := b.putPiece(ctx, body, size)
		if err != nil {
			b.release(stored)
			return nil, err
		}
		stored = append(stored, p)
		if left -= size; left <= 0 {
			return stored, nil
		}
	}
}

// putPiece stores size bytes, or all of them if size is -1.
func (b *blobs) putPiece(ctx context.Context, from io.Reader, size int64) (piece, error) {
	counted := &countedBody{blobs: b, from: from}
	if err := counted.count(max(size, 0)); err != nil {
		return piece{}, err
	}
	b.mu.Lock()
	b.next++
	name := "blobs/" + strconv.FormatUint(b.next, 10)
	b.mu.Unlock()
	attrs, err := b.driver.Put(ctx, &driver.PutRequest{Key: name, Body: counted, Size: size})
	if err != nil {
		_ = b.add(-counted.counted)
		return piece{}, err
	}
	b.mu.Lock()
	b.all[name] = &blob{uses: 1, size: counted.counted}
	b.mu.Unlock()
	return piece{blob: name, size: attrs.Size}, nil
}

// add counts bytes. It fails if there are too many.
func (b *blobs) add(n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.most > 0 && n > 0 && b.bytes+n > b.most {
		return s3error.New("InsufficientStorage")
	}
	b.bytes += n
	return nil
}

// A countedBody counts the bytes that are read from a body, unless they are counted already.
type countedBody struct {
	blobs         *blobs
	from          io.Reader
	read, counted int64 // bytes
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.read += int64(n)
	if full := c.count(c.read); full != nil {
		return 0, full
	}
	return n, err
}

// count counts up to size bytes.
func (c *countedBody) count(size int64) error {
	if size <= c.counted {
		return nil
	}
	err := c.blobs.add(size - c.counted)
	if err == nil {
		c.counted = size
	}
	return err
}

// retain adds one use of the pieces.
func (b *blobs) retain(pieces []piece) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range pieces {
		b.all[p.blob].uses++
	}
}

// release removes one use of the pieces. The caller must hold no lock of the server,
// because the driver may be slow.
func (b *blobs) release(pieces []piece) {
	for _, p := range pieces {
		b.mu.Lock()
		used := b.all[p.blob]
		used.uses--
		unused := used.uses == 0
		if unused {
			delete(b.all, p.blob)
			b.bytes -= used.size
		}
		b.mu.Unlock()
		if unused {
			// A blob that stays only costs memory in a test.
			_ = b.driver.Delete(context.Background(), &driver.DeleteRequest{Key: p.blob})
		}
	}
}

// slice returns length bytes of the pieces, from offset on.
func slice(pieces []piece, offset, length int64) []piece {
	var cut []piece
	for _, p := range pieces {
		if offset >= p.size {
			offset -= p.size
			continue
		}
		if length <= 0 {
			break
		}
		n := min(length, p.size-offset)
		cut = append(cut, piece{p.blob, p.offset + offset, n})
		offset, length = 0, length-n
	}
	return cut
}

// copyTo writes the bytes of the pieces.
func (b *blobs) copyTo(ctx context.Context, w io.Writer, pieces []piece) error {
	for _, p := range pieces {
		if p.size == 0 {
			continue
		}
		_, body, err := b.driver.Get(ctx, &driver.GetRequest{Key: p.blob, Offset: p.offset, Length: p.size})
		if err != nil {
			return err
		}
		_, err = io.Copy(w, body)
		_ = body.Close() // the body was read to its end, or the error is known
		if err != nil {
			return err
		}
	}
	return nil
}

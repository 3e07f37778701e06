package s3server

import (
	"context"
	"io"
	"strconv"
	"sync"

	"github.com/omnibucket/storage"
)

// blobs stores bytes in a driver, each body under its own name. An object is a list of
// pieces, so that a copy and the completion of an upload move no bytes. A blob is
// deleted with its last piece.
type blobs struct {
	driver storage.Driver
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

func newBlobs(d storage.Driver, most int64) *blobs {
	return &blobs{driver: d, most: most, all: map[string]*blob{}}
}

// put stores a body with one use.
func (b *blobs) put(ctx context.Context, from *body) (piece, error) {
	b.mu.Lock()
	b.next++
	name := "blobs/" + strconv.FormatUint(b.next, 10)
	full := b.most > 0 && b.bytes+max(from.size, 0) > b.most
	b.mu.Unlock()
	if full {
		return piece{}, newError("InsufficientStorage")
	}
	counted := &countedBody{blobs: b, from: from}
	attrs, err := b.driver.Put(ctx, &storage.PutRequest{Key: name, Body: counted, Size: -1})
	if err != nil {
		_ = b.add(-counted.size)
		return piece{}, err
	}
	b.mu.Lock()
	b.all[name] = &blob{uses: 1, size: counted.size}
	b.mu.Unlock()
	return piece{blob: name, size: attrs.Size}, nil
}

// add counts bytes. It fails if there are too many.
func (b *blobs) add(n int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.most > 0 && n > 0 && b.bytes+n > b.most {
		return newError("InsufficientStorage")
	}
	b.bytes += n
	return nil
}

// A countedBody counts the bytes that are read from a body.
type countedBody struct {
	blobs *blobs
	from  *body
	size  int64
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	if full := c.blobs.add(int64(n)); full != nil {
		return 0, full
	}
	c.size += int64(n)
	return n, err
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
			_ = b.driver.Delete(context.Background(), &storage.DeleteRequest{Key: p.blob})
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
		_, body, err := b.driver.Get(ctx, &storage.GetRequest{Key: p.blob, Offset: p.offset, Length: p.size})
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

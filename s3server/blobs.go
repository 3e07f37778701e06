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

	mu   sync.Mutex
	next uint64
	uses map[string]int
}

// A piece is a part of a blob.
type piece struct {
	blob         string
	offset, size int64
}

func newBlobs(d storage.Driver) *blobs { return &blobs{driver: d, uses: map[string]int{}} }

// put stores body with one use.
func (b *blobs) put(ctx context.Context, body io.Reader) (piece, error) {
	b.mu.Lock()
	b.next++
	name := "blobs/" + strconv.FormatUint(b.next, 10)
	b.mu.Unlock()
	attrs, err := b.driver.Put(ctx, &storage.PutRequest{Key: name, Body: body, Size: -1})
	if err != nil {
		return piece{}, err
	}
	b.mu.Lock()
	b.uses[name] = 1
	b.mu.Unlock()
	return piece{blob: name, size: attrs.Size}, nil
}

// retain adds one use of the pieces.
func (b *blobs) retain(pieces []piece) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range pieces {
		b.uses[p.blob]++
	}
}

// release removes one use of the pieces. The caller must hold no lock of the server,
// because the driver may be slow.
func (b *blobs) release(pieces []piece) {
	for _, p := range pieces {
		b.mu.Lock()
		b.uses[p.blob]--
		unused := b.uses[p.blob] == 0
		if unused {
			delete(b.uses, p.blob)
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

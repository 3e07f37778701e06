package memory

import (
	"errors"
	"io"
	"runtime/debug"
	"sync"

	"github.com/omnibucket/storage/s3server/internal/state"
)

// blobs keeps the bytes of objects and parts in memory, and counts them. Several objects may share
// a blob, because a copy copies no bytes.
type blobs struct {
	bytes    ledger // counts the bytes of all blobs, including those that are being received
	mu       sync.Mutex
	released int64 // bytes that were released since the last call of debug.FreeOSMemory
}

// A blob has bytes that are never modified, until the last reference is released. It also has the
// number of references. blobs.mu guards this number.
type blob struct {
	data       []byte
	references int
}

// A piece is a range of a blob. The content of an object is a list of pieces.
type piece struct {
	blob         *blob
	offset, size int64
}

const (
	// pieceSize is the maximum size of a piece whose length was announced. Memory is allocated
	// piece by piece as bytes arrive.
	pieceSize = 4 << 20
	// readSize is the number of bytes that are read at a time. It is so small that the bytes are
	// still in the processor's cache when they are hashed.
	readSize = 64 << 10
	// freeSize is how many bytes must be released before their memory is returned to the operating
	// system.
	freeSize = 64 << 20
)

// put stores a body, or fails with XMinioStorageFull if the memory limit is reached. A body of known size is stored in
// pieces of pieceSize bytes, so that no huge block of memory is needed.
func (b *blobs) put(src *state.Body) (pieces []piece, err error) {
	if err := b.bytes.check(src.Size); err != nil {
		return nil, err
	}

	remaining := src.Size
	for remaining > pieceSize {
		p, err := b.putPiece(io.LimitReader(src, pieceSize), pieceSize)
		if err != nil {
			b.release(pieces)
			return nil, err
		}
		pieces = append(pieces, p)
		remaining -= pieceSize
	}

	// A body of unknown size, -1, has only this piece.
	last, err := b.putPiece(src, remaining)
	if err != nil {
		b.release(pieces)
		return nil, err
	}
	return append(pieces, last), nil
}

// putPiece stores src, which must have exactly size bytes, in a new blob. A size of -1 means any number of bytes.
func (b *blobs) putPiece(src io.Reader, size int64) (piece, error) {
	body := &countedBody{bytes: &b.bytes, src: src}
	if err := body.reserve(max(size, 0)); err != nil {
		return piece{}, err
	}
	data, err := readAll(body, size)
	if err != nil {
		b.bytes.free(body.counted)
		return piece{}, err
	}
	return piece{blob: &blob{data: data, references: 1}, size: int64(len(data))}, nil
}

// readAll reads the whole body. If size is not negative, the body must have exactly size bytes.
func readAll(body io.Reader, size int64) ([]byte, error) {
	if size < 0 {
		return io.ReadAll(body)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(body, data); err != nil {
		return nil, err
	}

	// Read on to the end, because a body reports a failed check there.
	_, err := io.ReadFull(body, make([]byte, 1))
	if err == nil {
		return nil, errors.New("the body is longer than announced")
	}
	if err != io.EOF {
		return nil, err
	}
	return data, nil
}

// A countedBody reads a body, and adds the bytes to a ledger. reserve can add bytes in
// advance. Read does not add these bytes again.
type countedBody struct {
	bytes         *ledger
	src           io.Reader
	read, counted int64 // bytes
}

// Read reads at most readSize bytes, so that little is read beyond the ledger's limit, and counts them there.
func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.src.Read(p[:min(len(p), readSize)])
	c.read += int64(n)
	limitErr := c.reserve(c.read)
	if limitErr != nil {
		return 0, limitErr
	}
	return n, err
}

// reserve makes sure that at least size bytes of the body are counted in the ledger, or fails if they exceed its
// limit.
func (c *countedBody) reserve(size int64) error {
	if size <= c.counted {
		return nil
	}
	err := c.bytes.add(size - c.counted)
	if err != nil {
		return err
	}
	c.counted = size
	return nil
}

// retain adds one reference to the blob of each piece.
func (b *blobs) retain(pieces []piece) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range pieces {
		p.blob.references++
	}
}

// release removes one reference to the blob of each piece. A blob without references no longer
// counts. After many bytes were released, their memory returns to the operating system. Go's
// collector alone would keep it until the heap has doubled, and an idle server for minutes.
func (b *blobs) release(pieces []piece) {
	b.removeReferences(pieces)
	if b.mustCollect() {
		debug.FreeOSMemory()
	}
}

// removeReferences removes one reference to the blob of each piece, and adds the bytes of blobs without references to
// b.released.
func (b *blobs) removeReferences(pieces []piece) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range pieces {
		p.blob.references--
		if p.blob.references == 0 {
			size := int64(len(p.blob.data))
			b.bytes.free(size)
			b.released += size
			// Let the bytes go now, because the caller still has the pieces with the blob.
			p.blob.data = nil
		}
	}

}

// mustCollect reports whether enough bytes were released for a garbage collection, and if so begins to count again.
func (b *blobs) mustCollect() bool {
	b.mu.Lock()
	defer b.mu.Unlock()

	// A collection takes longer if more is stored.
	isWorthwhile := b.released >= max(freeSize, b.bytes.size()/2)
	if isWorthwhile {
		b.released = 0
	}
	return isWorthwhile
}

// slice returns the pieces of a range of the content. The range begins at offset and has length bytes.
func slice(pieces []piece, offset, length int64) []piece {
	var ranged []piece
	skip := offset // bytes before the range
	rest := length // bytes of the range that are still to come
	for _, p := range pieces {
		if rest <= 0 {
			break
		}
		if skip >= p.size {
			skip -= p.size
			continue
		}
		size := min(rest, p.size-skip)
		ranged = append(ranged, piece{blob: p.blob, offset: p.offset + skip, size: size})
		skip = 0
		rest -= size
	}
	return ranged
}

// writeTo writes the bytes of the pieces to w, one piece after the other.
func writeTo(w io.Writer, pieces []piece) error {
	for _, p := range pieces {
		if p.size == 0 {
			continue
		}
		if _, err := w.Write(p.blob.data[p.offset : p.offset+p.size]); err != nil {
			return err
		}
	}
	return nil
}

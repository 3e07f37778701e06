package encrypt

import (
	"errors"
	"io"
)

// An openingBody is a reader that decrypts the chunks of an object, from a given chunk on.
type openingBody struct {
	sealed    io.ReadCloser
	key       *dataKey
	index     int64 // the index of the next chunk
	remaining int64 // encrypted bytes from the next chunk to the end of the object
	skip      int64 // plain bytes of the next chunk that were not requested
	want      int64 // plain bytes that Read must still return
	chunk     []byte
	unread    []byte // plain bytes that were decrypted and not returned by Read
}

// Read returns plain bytes of chunks whose tags were checked.
func (b *openingBody) Read(p []byte) (int, error) {
	if b.want == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if len(b.unread) == 0 {
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.unread)
	b.unread = b.unread[n:]
	b.want -= int64(n)
	return n, nil
}

// fill decrypts the next chunk, and sets b.unread to those of its bytes that are in the range. It checks
// the tag of the chunk first, so Read never returns a byte that was tampered with.
func (b *openingBody) fill() error {
	if b.chunk == nil {
		b.chunk = make([]byte, sealedChunk)
	}

	// Read the sealed chunk from the store.
	sealed := b.chunk[:min(sealedChunk, b.remaining)]
	if _, err := io.ReadFull(b.sealed, sealed); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}

	isLast := int64(len(sealed)) == b.remaining
	plaintext, err := b.key.unseal(sealed, b.index, isLast)
	if err != nil {
		return err
	}
	// The last chunk is authentic, so the object was not truncated, and checkNotTruncated need not read
	// this chunk again.
	if isLast {
		b.key.checkedSize.Store(b.index*sealedChunk + b.remaining)
	}

	b.index++
	b.remaining -= int64(len(sealed))

	// Leave out the bytes before the range, and then those after it.
	before := min(b.skip, int64(len(plaintext)))
	plaintext = plaintext[before:]
	b.skip = 0
	inRange := min(b.want, int64(len(plaintext)))
	b.unread = plaintext[:inRange]
	return nil
}

func (b *openingBody) Close() error { return b.sealed.Close() }

package s3

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
)

// A bodyHash is a hash of a body that is sent before the body.
type bodyHash int

const (
	noHash        bodyHash = iota
	contentMD5             // the Content-MD5 header
	payloadSHA256          // X-Amz-Content-Sha256, which the signature covers
)

// bodyHash returns the hash that the server needs to notice a damaged body. There is none
// if the server checks a CRC32C, or if TLS protects the body:
// docs/decisions/s3-bodies-without-a-profile.md. A request without a signature has the
// MD5, because no server has to compare the SHA-256 of such a request.
func (a *account) bodyHash(e *bucketEndpoint) bodyHash {
	switch p := &a.profile; {
	case p.Checksum != ChecksumNone:
		return noHash
	case p.ContentMD5:
		return contentMD5
	case e != nil && e.url.Scheme == "https":
		return noHash
	case a.anonymous:
		return contentMD5
	}
	return payloadSHA256
}

// checked returns the body of a write that is sent. If the server gets no CRC32C, the
// driver compares it.
func (a *account) checked(body io.Reader, size int64, crc storage.CRC32C) io.Reader {
	seeker, ok := body.(io.ReadSeeker)
	if a.profile.Checksum != ChecksumNone || !crc.Known || size == 0 || !ok {
		return body
	}
	return &checkedBody{body: seeker, size: size, left: size, want: crc}
}

// A checkedBody is a body that must have a CRC32C. If it has another one, the last bytes
// are not delivered, so that the server stores nothing.
type checkedBody struct {
	body       io.ReadSeeker
	size, left int64
	crc        uint32
	want       storage.CRC32C
}

func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.crc = crc32c.Update(b.crc, p[:n])
	b.left -= int64(n)
	if b.left == 0 && b.crc != b.want.Sum {
		return 0, &storage.Error{Code: storage.ChecksumMismatch, Err: fmt.Errorf("CRC32C is %08x and should be %s", b.crc, b.want)}
	}
	return n, err
}

// Seek returns to the start. The SDK also asks where the body is.
func (b *checkedBody) Seek(offset int64, whence int) (int64, error) {
	at, err := b.body.Seek(offset, whence)
	if err == nil && at == 0 {
		b.left, b.crc = b.size, 0
	}
	return at, err
}

var hashBuffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// setHash hashes the body, and sets the header of the hash.
func (r *rawRequest) setHash(ctx context.Context, kind bodyHash) error {
	var h hash.Hash
	switch kind {
	case noHash:
		return nil
	case contentMD5:
		h = md5.New()
	case payloadSHA256:
		h = sha256.New()
	}
	if r.size > 0 {
		if err := hashBody(ctx, h, r.body.(io.ReadSeeker)); err != nil {
			return err
		}
	}
	sum := h.Sum(nil)
	if kind == contentMD5 {
		r.header.set("Content-Md5", base64.StdEncoding.EncodeToString(sum))
	} else {
		r.sha256 = hex.EncodeToString(sum)
	}
	return nil
}

// hashBody writes the body into h. The next Read of the body begins at its start.
func hashBody(ctx context.Context, h hash.Hash, body io.ReadSeeker) error {
	var from io.Reader = body
	source := body
	if checked, ok := body.(*checkedBody); ok {
		source = checked.body
	}
	if peeker, ok := source.(storage.BodyPeeker); ok { // such a look is no progress
		from = io.NewSectionReader(peekReader{peeker}, 0, math.MaxInt64)
	}
	buffer := hashBuffers.Get().(*[64 << 10]byte)
	defer hashBuffers.Put(buffer)
	for ctx.Err() == nil {
		n, err := from.Read(buffer[:])
		h.Write(buffer[:n])
		if err == io.EOF {
			_, err = body.Seek(0, io.SeekStart)
			return err
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// A peekReader is a body as an io.ReaderAt that counts nothing.
type peekReader struct{ storage.BodyPeeker }

func (r peekReader) ReadAt(p []byte, offset int64) (int, error) { return r.PeekAt(p, offset) }

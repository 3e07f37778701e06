package transfer

import (
	"bytes"
	"context"
	"crypto/fips140"
	"crypto/md5"
	"encoding/hex"
	"io"
	"strings"
	"sync"
)

// etagBytes is the size up to which reading a file costs less than a request for the attributes
// of its object.
const etagBytes = 256 << 10

// etagBuffer is how many bytes of such a file are read at a time.
const etagBuffer = 32 << 10

var etagBuffers = sync.Pool{New: func() any { return new([etagBuffer]byte) }}

// matchesETag reports whether the ETag of an object is the MD5 of a small file. On S3 an object
// that was stored in one request, and is not encrypted with a key of its own, has such an ETag.
// If it is not the file's MD5, that proves nothing: an encrypting server makes up ETags of
// the same form.
func (t *tree) matchesETag(ctx context.Context, src entry, etag string) bool {
	want, err := hex.DecodeString(strings.Trim(etag, `"`))
	if err != nil || len(want) != md5.Size || src.size > etagBytes {
		return false
	}
	f, info, err := t.open(src.key)
	if err != nil {
		return false // the transfer reports the error
	}
	defer func() { _ = f.Close() }() // it was only read
	if info.Size() != src.size {
		return false
	}
	from, equal := contextReader{ctx, newStableFile(f, info).reader()}, false
	buffer := etagBuffers.Get().(*[etagBuffer]byte)
	defer etagBuffers.Put(buffer)
	fips140.WithoutEnforcement(func() { // the server chose MD5, and nothing is secured by it
		sum := md5.New()
		_, err := io.CopyBuffer(sum, from, buffer[:])
		equal = err == nil && bytes.Equal(sum.Sum(nil), want)
	})
	return equal
}

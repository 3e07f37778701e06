// Package uploadbody protects the body of an upload to a server that checks no CRC32C. Start at [Compare].
package uploadbody

import (
	"context"
	"crypto/fips140"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"hash"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/providers/internal/bodyhash"
)

// Compare returns a body that computes its CRC32C while it is read, and whose last Read fails if
// the CRC32C is not crc. A body is returned as it is if it cannot be rewound, or has no bytes or no
// known CRC32C.
func Compare(body io.Reader, size int64, crc storage.CRC32C) io.Reader {
	seeker, ok := body.(io.ReadSeeker)
	if !crc.Known || size == 0 || !ok {
		return body
	}
	return &checkedBody{body: seeker, size: size, remaining: size, want: crc}
}

// A checkedBody is a body that must have the CRC32C want. If the CRC32C differs, Read
// does not return the last bytes, so that the server stores nothing.
type checkedBody struct {
	body            io.ReadSeeker
	size, remaining int64
	crc             uint32
	want            storage.CRC32C
}

// Read returns ChecksumMismatch in place of the last bytes if the CRC32C of the body is wrong.
func (b *checkedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.crc = crc32c.Update(b.crc, p[:n])
	b.remaining -= int64(n)
	if b.remaining == 0 && b.crc != b.want.Sum {
		return 0, &storage.Error{
			Code: storage.ChecksumMismatch,
			Err:  fmt.Errorf("CRC32C is %08x and should be %s", b.crc, b.want),
		}
	}
	return n, err
}

// Seek moves in the body, which the SDK also does to get the current offset. At the start of the
// body, the comparison starts over.
func (b *checkedBody) Seek(offset int64, whence int) (int64, error) {
	off, err := b.body.Seek(offset, whence)
	if err == nil && off == 0 {
		b.remaining = b.size
		b.crc = 0
	}
	return off, err
}

// MD5 returns the MD5 of a body for the header Content-MD5, and rewinds the body. A body that
// [Compare] returned is read without comparing its CRC32C.
func MD5(ctx context.Context, body io.Reader, size int64) (string, error) {
	h := damageMD5{md5.New()}
	if size > 0 {
		// The CRC32C is compared when the body is sent, so it need not be compared here, too.
		source := body
		if checked, ok := body.(*checkedBody); ok {
			source = checked.body
		}
		err := bodyhash.Read(ctx, body.(io.ReadSeeker), source, func(p []byte) {
			h.Write(p)
		})
		if err != nil {
			return "", err
		}
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil)), nil
}

// A damageMD5 is an MD5 that detects damaged bytes. It is not used for security, so FIPS 140 is not
// enforced while the MD5 is computed. FIPS 140 is still enforced while the body is read, because
// reading may run code of the caller.
type damageMD5 struct{ hash.Hash }

// Write adds p to the MD5, even where FIPS 140 forbids MD5.
func (h damageMD5) Write(p []byte) (n int, err error) {
	fips140.WithoutEnforcement(func() {
		n, err = h.Hash.Write(p)
	})
	return n, err
}

// Sum appends the MD5 to b, even where FIPS 140 forbids MD5.
func (h damageMD5) Sum(b []byte) (sum []byte) {
	fips140.WithoutEnforcement(func() {
		sum = h.Hash.Sum(b)
	})
	return sum
}

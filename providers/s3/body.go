package s3

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

// sendsMD5 reports whether a body is sent to e with its MD5, so that the server notices
// damage: docs/decisions/s3-bodies-without-a-profile.md.
func (a *account) sendsMD5(e *bucketEndpoint) bool {
	p := &a.profile
	plain := e == nil || e.url.Scheme != "https"
	return p.Checksum == ChecksumNone && (p.ContentMD5 || plain)
}

// hashesNothing reports whether no header has a checksum of a body.
func (b *bucket) hashesNothing() bool {
	endpoint, _ := b.endpoint(context.Background(), "") // requests report an invalid address
	return b.account.profile.Checksum == ChecksumNone && !b.account.sendsMD5(endpoint)
}

// checked returns the body of a write that is sent. If the server gets no CRC32C, the
// driver compares it.
func (a *account) checked(body io.Reader, size int64, crc storage.CRC32C) io.Reader {
	if a.profile.Checksum != ChecksumNone {
		return body
	}
	return compared(body, size, crc)
}

// compared returns a body that ends in an error if it has another checksum.
func compared(body io.Reader, size int64, crc storage.CRC32C) io.Reader {
	seeker, ok := body.(io.ReadSeeker)
	if !crc.Known || size == 0 || !ok {
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

// contentMD5 returns the header with the MD5 of a body.
func contentMD5(ctx context.Context, body io.Reader, size int64) (string, error) {
	h := damageMD5{md5.New()}
	if size > 0 {
		source := body
		if checked, ok := body.(*checkedBody); ok {
			source = checked.body
		}
		err := bodyhash.Read(ctx, body.(io.ReadSeeker), source, func(p []byte) { h.Write(p) })
		if err != nil {
			return "", err
		}
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil)), nil
}

// A damageMD5 is an MD5 that secures nothing, so that FIPS 140 need not forbid it. It does not
// read the body, which is the caller's code.
type damageMD5 struct{ hash.Hash }

func (h damageMD5) Write(p []byte) (n int, err error) {
	fips140.WithoutEnforcement(func() { n, err = h.Hash.Write(p) })
	return n, err
}

func (h damageMD5) Sum(b []byte) (sum []byte) {
	fips140.WithoutEnforcement(func() { sum = h.Hash.Sum(b) })
	return sum
}

package s3

import (
	"context"
	"crypto/fips140"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/providers/internal/bodyhash"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
)

// verifiedBody returns the body to send in a write. If the server checks the CRC32C, verifiedBody returns the
// body unchanged. If the server does not check it, the returned body does: its last Read fails if
// the CRC32C of the bytes is not crc.
func (a *account) verifiedBody(body io.Reader, size int64, crc storage.CRC32C) io.Reader {
	if a.profile.Checksum != ChecksumNone {
		return body
	}
	return newComparedBody(body, size, crc)
}

// newComparedBody returns a body that computes its CRC32C while it is read. If the CRC32C is not crc, the
// last Read fails.
func newComparedBody(body io.Reader, size int64, crc storage.CRC32C) io.Reader {
	seeker, ok := body.(io.ReadSeeker)
	if !crc.Known || size == 0 || !ok {
		return body
	}
	return &checkedBody{body: seeker, size: size, remaining: size, want: crc}
}

// sumPart prepares the SDK's input for sending a part with its checksum. A known checksum is sent in
// a header. An unknown checksum is sent only to servers that accept trailers. The client decides
// how an unknown checksum is sent:
//
//   - A raw client computes the checksum while it sends the bytes, and sends it in a trailer.
//   - For the SDK's client, sumPart first reads the part to compute the checksum. Without the
//     checksum, the SDK's client would send all bytes as one chunk, which MinIO refuses.
func (b *bucket) sumPart(ctx context.Context, input *awss3.UploadPartInput, r *driver.PartRequest, api objectAPI) error {
	if r.CRC32C.Known || !b.sendsTrailers() {
		input.ChecksumCRC32C = b.account.crcHeader(r.CRC32C)
		return nil
	}
	if _, raw := api.(*rawclient.Client); raw && r.Size > 0 {
		input.Body = rawclient.NewTrailed(r.Body, r.Size, func() *string { return b.account.crcHeader(r.CRC32C) })
		return nil
	}
	var crc uint32
	err := bodyhash.Read(ctx, r.Body, r.Body, func(p []byte) {
		crc = crc32c.Update(crc, p)
	})
	input.ChecksumCRC32C = b.account.crcHeader(storage.CRC32C{Sum: crc, Known: true})
	return err
}

// checkTrailer returns an error if the server may have ignored the trailer of a part.
func checkTrailer(input *awss3.UploadPartInput, output *awss3.UploadPartOutput) error {
	if _, trailed := input.Body.(*rawclient.Trailed); trailed && output.ChecksumCRC32C == nil {
		return &storage.Error{
			Code: storage.ChecksumMismatch,
			Err:  errors.New("the server has not returned the checksum that followed the part"),
			Hint: "open the server with the Profile that s3probe.Run returns: it may not take a checksum in a trailer",
		}
	}
	return nil
}

// A checkedBody is a body that must have the CRC32C want. If the CRC32C differs, Read
// does not return the last bytes, so that the server stores nothing.
type checkedBody struct {
	body            io.ReadSeeker
	size, remaining int64
	crc             uint32
	want            storage.CRC32C
}

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

// Seek moves to the start. The SDK also calls it to get the offset in the body.
func (b *checkedBody) Seek(offset int64, whence int) (int64, error) {
	off, err := b.body.Seek(offset, whence)
	if err == nil && off == 0 {
		b.remaining = b.size
		b.crc = 0
	}
	return off, err
}

func contentMD5(ctx context.Context, body io.Reader, size int64) (string, error) {
	h := damageMD5{md5.New()}
	if size > 0 {
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

func (h damageMD5) Write(p []byte) (n int, err error) {
	fips140.WithoutEnforcement(func() {
		n, err = h.Hash.Write(p)
	})
	return n, err
}

func (h damageMD5) Sum(b []byte) (sum []byte) {
	fips140.WithoutEnforcement(func() {
		sum = h.Hash.Sum(b)
	})
	return sum
}

package s3

import (
	"context"
	"errors"
	"io"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/providers/internal/bodyhash"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
	"github.com/omnibucket/storage/providers/s3/internal/uploadbody"
)

// verifiedBody returns a body for a write, whose last Read fails if the CRC32C of its bytes is not
// crc. If the server itself checks the CRC32C, it returns the body unchanged.
func (a *account) verifiedBody(body io.Reader, size int64, crc storage.CRC32C) io.Reader {
	if a.profile.Checksum != ChecksumNone {
		return body
	}
	return uploadbody.Compare(body, size, crc)
}

// sumPart prepares the SDK's input for sending a part with its checksum. A known checksum is sent in
// a header. An unknown one is sent only to servers that accept trailers, in a way that depends on the
// client:
//
//   - A raw client computes the checksum while it sends the bytes, and sends it in a trailer.
//   - For the SDK's client, sumPart first reads the part to compute the checksum. Without the
//     checksum, the SDK's client would send all bytes as one chunk, which MinIO refuses.
func (b *bucket) sumPart(ctx context.Context, input *awss3.UploadPartInput, r *driver.PartRequest, api objectAPI) error {
	if r.CRC32C.Known || !b.sendsTrailers() {
		input.ChecksumCRC32C = b.account.crcHeader(r.CRC32C)
		return nil
	}

	// A trailer needs at least one byte before it.
	_, isRaw := api.(*rawclient.Client)
	if isRaw && r.Size > 0 {
		// r.CRC32C is known when r.Body has been read to its end.
		input.Body = rawclient.NewTrailed(r.Body, r.Size, func() *string { return b.account.crcHeader(r.CRC32C) })
		return nil
	}

	var crc uint32
	err := bodyhash.Read(ctx, r.Body, r.Body, func(p []byte) {
		crc = crc32c.Update(crc, p)
	})
	if err != nil {
		return err
	}
	input.ChecksumCRC32C = b.account.crcHeader(storage.CRC32C{Sum: crc, Known: true})
	return nil
}

// checkTrailer returns an error if the server may have ignored the trailer of a part.
func checkTrailer(input *awss3.UploadPartInput, output *awss3.UploadPartOutput) error {
	_, hasTrailer := input.Body.(*rawclient.Trailed)
	if hasTrailer && output.ChecksumCRC32C == nil {
		return &storage.Error{
			Code: storage.ChecksumMismatch,
			Err:  errors.New("the server has not returned the checksum that followed the part"),
			Hint: "open the server with the Profile that s3probe.Run returns: it may not take a checksum in a trailer",
		}
	}
	return nil
}

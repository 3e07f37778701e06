package s3

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
)

// attributes returns how the server represents the attributes of objects.
func (p *Profile) attributes() attributes.Format {
	return attributes.Format{EscapeUnderscores: p.EscapeUnderscores, Archives: p.Restore}
}

// crcHeader returns the header with the CRC32C of a body, or nil if it is unknown or the server
// does not check it.
func (a *account) crcHeader(crc storage.CRC32C) *string {
	if a.profile.Checksum == ChecksumNone || !crc.Known {
		return nil
	}
	return aws.String(crc32c.Encode(crc.Sum))
}

// multipart returns the algorithm and the type of the checksum of a multipart upload. The type is
// that of all bytes, or that of the checksums of the parts. Both are "" if the server has no
// checksums.
func (s ChecksumStyle) multipart() (types.ChecksumAlgorithm, types.ChecksumType) {
	switch s {
	case ChecksumFullObject:
		return types.ChecksumAlgorithmCrc32c, types.ChecksumTypeFullObject
	case ChecksumHeader:
		return types.ChecksumAlgorithmCrc32c, types.ChecksumTypeComposite
	}
	return "", ""
}

// checksumMode returns the header with which a read asks for the checksum of the object, or "" if
// the server has none.
func (a *account) checksumMode() types.ChecksumMode {
	if a.profile.Checksum == ChecksumNone {
		return ""
	}
	return types.ChecksumModeEnabled
}

// Package crc32c computes CRC32C (Castagnoli) checksums, and joins those of parts.
package crc32c

import (
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"

	"github.com/omnibucket/storage/internal/crcjoin"
)

var table = crc32.MakeTable(crc32.Castagnoli)

// New returns a hash that computes the checksum.
func New() hash.Hash32 { return crc32.New(table) }

// Sum returns the checksum of p.
func Sum(p []byte) uint32 { return crc32.Checksum(p, table) }

// Update returns the checksum of bytes with the checksum crc, followed by p.
func Update(crc uint32, p []byte) uint32 { return crc32.Update(crc, table, p) }

var joined = crcjoin.CRC{Polynomial: crc32.Castagnoli, Width: 32}

// Join returns the checksum of a‖b, from the checksums of a and b and the length of b
// in bytes.
func Join(a, b uint32, length int64) uint32 {
	return uint32(joined.Join(uint64(a), uint64(b), length))
}

// Encode returns a checksum in the text form of S3 and Google: big-endian, in base64.
func Encode(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// Decode returns the checksum in a text of [Encode]. It returns false if the text is not one.
func Decode(text string) (uint32, bool) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(raw), true
}

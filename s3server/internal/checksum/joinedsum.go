package checksum

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	"github.com/omnibucket/storage/internal/crc32c"
)

// joinable has the kinds whose checksum of a whole object can be computed from the checksums of its
// parts.
var joinable = map[string]crc32c.CRC{
	"CRC32":     {Polynomial: crc32.IEEE, Width: 32},
	"CRC32C":    {Polynomial: crc32.Castagnoli, Width: 32},
	"CRC64NVME": {Polynomial: 0x9a6c9329ac4bc9b5, Width: 64},
}

// JoinedSum computes the checksum of all bytes of an object from the checksums of its parts.
func JoinedSum(kind *Kind, parts []Part) Sum {
	crc := joinable[kind.Name]
	sum := uint64(0)
	for _, p := range parts {
		// Decoding cannot fail, because the server has encoded the value.
		raw, _ := base64.StdEncoding.DecodeString(p.Value)
		sum = crc.Join(sum, bigEndian(raw), p.Size)
	}

	// A checksum of 4 bytes is in the last 4 of the number's 8 bytes.
	raw := binary.BigEndian.AppendUint64(nil, sum)
	raw = raw[len(raw)-kind.make().Size():]
	return Sum{Kind: kind, Value: base64.StdEncoding.EncodeToString(raw), Covers: FullObject}
}

// bigEndian returns the number that raw encodes. It has at most 8 bytes.
func bigEndian(raw []byte) uint64 {
	padded := make([]byte, 8)
	copy(padded[len(padded)-len(raw):], raw)
	return binary.BigEndian.Uint64(padded)
}

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

// JoinedSum returns the checksum of all bytes of an object. It computes the checksum from those of
// the parts, without the bytes.
func JoinedSum(kind *Kind, parts []Part) Sum {
	c := joinable[kind.Name]
	sum := uint64(0)
	size := kind.make().Size()
	for _, p := range parts {
		raw, _ := base64.StdEncoding.DecodeString(p.Value)
		sum = c.Join(sum, number(raw), p.Size)
	}
	raw := binary.BigEndian.AppendUint64(nil, sum)[8-size:]
	return Sum{kind, base64.StdEncoding.EncodeToString(raw), FullObject}
}

func number(raw []byte) uint64 {
	padded := make([]byte, 8)
	copy(padded[8-len(raw):], raw)
	return binary.BigEndian.Uint64(padded)
}

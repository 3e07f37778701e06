package checksum

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

// A crc is a cyclic redundancy check, in the reflected form: the highest bit of width bits stands
// for x to the power of 0. Begin and end are inverted, as in all of S3's.
type crc struct {
	polynomial uint64
	width      int
}

// joinable has the checksums of a whole object that follow from those of its parts.
var joinable = map[string]crc{
	"CRC32":     {crc32.IEEE, 32},
	"CRC32C":    {crc32.Castagnoli, 32},
	"CRC64NVME": {0x9a6c9329ac4bc9b5, 64},
}

// JoinedSum returns the checksum of the parts' bytes, without reading them.
func JoinedSum(kind *Kind, parts []Part) Sum {
	c := joinable[kind.Name]
	sum := uint64(0)
	for _, p := range parts {
		raw, _ := base64.StdEncoding.DecodeString(p.Value)
		sum = c.join(sum, c.decode(raw), p.Size)
	}
	return Sum{kind, base64.StdEncoding.EncodeToString(c.encode(sum)), FullObject}
}

func (c crc) decode(raw []byte) uint64 {
	padded := make([]byte, 8)
	copy(padded[8-len(raw):], raw)
	return binary.BigEndian.Uint64(padded)
}

func (c crc) encode(sum uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, sum)[8-c.width/8:]
}

// join returns the sum of two texts, the second of which has so many bytes.
func (c crc) join(first, second uint64, bytes int64) uint64 {
	return c.multiply(c.powerOfX(8*uint64(bytes)), first) ^ second
}

// multiply returns a times b, modulo the polynomial.
func (c crc) multiply(a, b uint64) (product uint64) {
	for m := uint64(1) << (c.width - 1); m != 0; m >>= 1 {
		if a&m != 0 {
			product ^= b
		}
		odd := b & 1
		if b >>= 1; odd != 0 {
			b ^= c.polynomial
		}
	}
	return product
}

func (c crc) powerOfX(n uint64) uint64 {
	result, square := uint64(1)<<(c.width-1), uint64(1)<<(c.width-2)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			result = c.multiply(result, square)
		}
		square = c.multiply(square, square)
	}
	return result
}

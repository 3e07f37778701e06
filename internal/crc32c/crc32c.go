// Package crc32c computes CRC32C (Castagnoli) checksums, and joins the checksums of parts. A [CRC] joins the checksums
// of other cyclic redundancy checks (CRCs).
package crc32c

import (
	"encoding/base64"
	"encoding/binary"
	"hash"
	"hash/crc32"
)

var table = crc32.MakeTable(crc32.Castagnoli)

// New returns a hash that computes the checksum.
func New() hash.Hash32 { return crc32.New(table) }

// Sum returns the checksum of p.
func Sum(p []byte) uint32 { return crc32.Checksum(p, table) }

// SumString returns the checksum of text. It allocates no memory, but is slower than [Sum] for long
// texts.
func SumString(text string) uint32 {
	crc := ^uint32(0)
	for i := range len(text) {
		crc = table[byte(crc)^text[i]] ^ crc>>8
	}
	return ^crc
}

// Update returns the checksum of some bytes followed by p. crc is the checksum of the bytes before
// p.
func Update(crc uint32, p []byte) uint32 { return crc32.Update(crc, table, p) }

var joined = CRC{Polynomial: crc32.Castagnoli, Width: 32}

// Join returns the checksum of two byte strings, one after the other. a and b are their checksums,
// and length is the length of the second string in bytes.
func Join(a, b uint32, length int64) uint32 {
	return uint32(joined.Join(uint64(a), uint64(b), length))
}

// Encode returns a checksum as S3 and Google write it: 4 bytes, big-endian, in base64.
func Encode(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// Decode parses a result of [Encode], and returns false if the text is not a valid checksum.
func Decode(text string) (uint32, bool) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(raw), true
}

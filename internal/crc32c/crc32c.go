// Package crc32c computes CRC32C (Castagnoli) checksums, and joins those of parts.
package crc32c

import (
	"hash"
	"hash/crc32"
)

var table = crc32.MakeTable(crc32.Castagnoli)

// New returns a hash that computes the checksum.
func New() hash.Hash32 { return crc32.New(table) }

// Sum returns the checksum of p.
func Sum(p []byte) uint32 { return crc32.Checksum(p, table) }

// Update returns the checksum of bytes with the checksum crc, followed by p.
func Update(crc uint32, p []byte) uint32 { return crc32.Update(crc, table, p) }

// Join returns the checksum of a‖b, from the checksums of a and b and the length of b
// in bytes. It multiplies the checksum of a by x^(8·length) modulo the polynomial, which
// has the effect of length zero bytes after a.
func Join(a, b uint32, length int64) uint32 {
	shift := uint32(1 << 31) // x^0, bit-reflected
	power := uint32(1 << 23) // x^8
	for n := length; n > 0; n >>= 1 {
		if n&1 == 1 {
			shift = multiply(shift, power)
		}
		power = multiply(power, power)
	}
	return multiply(a, shift) ^ b
}

// multiply multiplies two polynomials modulo Castagnoli's, bit-reflected.
func multiply(a, b uint32) uint32 {
	var product uint32
	for bit := uint32(1 << 31); bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		if b&1 == 1 {
			b = b>>1 ^ crc32.Castagnoli
		} else {
			b >>= 1
		}
	}
	return product
}

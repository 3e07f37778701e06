package storage

import (
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func updateCRC(crc uint32, p []byte) uint32 { return crc32.Update(crc, castagnoli, p) }

// joinCRC is the CRC32C of a‖b, of the sums of a and b and the length of b:
// the sum of a is multiplied by x^(8·length) modulo the polynomial, which is
// what length zero bytes behind a would do to it.
func joinCRC(a, b uint32, length int64) uint32 {
	shift := uint32(1 << 31) // x^0, bit-reflected
	power := byteShift       // x^8
	for n := length; n > 0; n >>= 1 {
		if n&1 == 1 {
			shift = multiplyCRC(shift, power)
		}
		power = multiplyCRC(power, power)
	}
	return multiplyCRC(a, shift) ^ b
}

const byteShift = uint32(1 << 23) // x^8, bit-reflected

// multiplyCRC multiplies two polynomials modulo Castagnoli's, bit-reflected.
func multiplyCRC(a, b uint32) uint32 {
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

func mismatch(want, got uint32) *Error {
	return &Error{Code: ChecksumMismatch, Err: fmt.Errorf("CRC32C is %08x and should be %08x", got, want)}
}

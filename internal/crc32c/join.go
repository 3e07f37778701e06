package crc32c

// A CRC describes a cyclic redundancy check in the reflected form: the most significant bit of a
// checksum is the constant term of the polynomial. The register is inverted at the beginning and at
// the end. All CRC checksums of S3 have this form.
type CRC struct {
	Polynomial uint64
	Width      int // number of bits
}

// Join returns the checksum of two texts, one after the other. first and second are their
// checksums, and bytes is the length of the second text. Join multiplies first by x^(8*bytes)
// modulo the polynomial, which has the same effect as appending that many zero bytes.
func (c CRC) Join(first, second uint64, bytes int64) uint64 {
	return c.multiply(c.powerOfX(8*uint64(bytes)), first) ^ second
}

// multiply returns the product of the polynomials a and b, modulo the polynomial of c.
func (c CRC) multiply(a, b uint64) (product uint64) {
	for m := uint64(1) << (c.Width - 1); m != 0; m >>= 1 {
		if a&m != 0 {
			product ^= b
		}
		odd := b & 1
		b >>= 1
		if odd != 0 {
			b ^= c.Polynomial
		}
	}
	return product
}

func (c CRC) powerOfX(n uint64) uint64 {
	result := uint64(1) << (c.Width - 1)
	square := uint64(1) << (c.Width - 2)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			result = c.multiply(result, square)
		}
		square = c.multiply(square, square)
	}
	return result
}

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

// multiply returns the product of the polynomials a and b modulo the polynomial of c.
func (c CRC) multiply(a, b uint64) (product uint64) {
	// Long multiplication adds b*x^i for each term x^i of a, and an exclusive or adds polynomials. In
	// the reflected form, the most significant bit of a is its constant term.
	for term := uint64(1) << (c.Width - 1); term != 0; term >>= 1 {
		if a&term != 0 {
			product ^= b
		}

		// Multiply b by x. A term that becomes too large is reduced by the polynomial.
		isTooLarge := b&1 != 0
		b >>= 1
		if isTooLarge {
			b ^= c.Polynomial
		}
	}
	return product
}

// powerOfX returns x^n modulo the polynomial of c, by multiplying the powers x^1, x^2, x^4 and so
// on whose bit is set in n.
func (c CRC) powerOfX(n uint64) uint64 {
	product := uint64(1) << (c.Width - 1) // the polynomial 1
	square := uint64(1) << (c.Width - 2)  // the polynomial x
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			product = c.multiply(product, square)
		}
		square = c.multiply(square, square)
	}
	return product
}

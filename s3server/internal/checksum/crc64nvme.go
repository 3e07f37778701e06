package checksum

import (
	"encoding/binary"
	"hash"
)

// A crc64NVME computes CRC64NVME twice as fast as hash/crc64, which makes new tables for each
// block of a polynomial that it does not know. Four sums run side by side, each over every fourth
// word, so that the processor need not wait for one lookup before the next.
type crc64NVME struct{ sum uint64 }

const (
	crcLanes = 4
	crcWord  = 8 // bytes
)

// nvmeNear and nvmeFar have the contribution of a byte of a word to the sum: at the end of the
// word, and at the end of three more words of zeros. The first index is the place in the word.
var nvmeNear, nvmeFar = nvmeTables()

func nvmeTables() (near, far [crcWord][256]uint64) {
	polynomial := joinable["CRC64NVME"].polynomial
	for b := range 256 {
		sum := uint64(b)
		for range 8 {
			odd := sum & 1
			if sum >>= 1; odd != 0 {
				sum ^= polynomial
			}
		}
		near[crcWord-1][b] = sum
	}
	next := func(sum uint64) uint64 { return near[crcWord-1][byte(sum)] ^ sum>>8 }
	for b := range 256 {
		for at := crcWord - 2; at >= 0; at-- {
			near[at][b] = next(near[at+1][b])
		}
		for at := range crcWord {
			sum := near[at][b]
			for range (crcLanes - 1) * crcWord {
				sum = next(sum)
			}
			far[at][b] = sum
		}
	}
	return near, far
}

func newCRC64NVME() hash.Hash { return &crc64NVME{} }

func (c *crc64NVME) Write(p []byte) (int, error) {
	n, sum := len(p), ^c.sum
	if len(p) >= 2*crcLanes*crcWord {
		sum, p = sumLanes(sum, p)
	}
	for ; len(p) >= crcWord; p = p[crcWord:] {
		sum = lookUp(&nvmeNear, sum^binary.LittleEndian.Uint64(p))
	}
	for _, b := range p {
		sum = nvmeNear[crcWord-1][byte(sum)^b] ^ sum>>8
	}
	c.sum = ^sum
	return n, nil
}

// sumLanes returns the sum of all but the last bytes of p, and these bytes.
func sumLanes(sum uint64, p []byte) (uint64, []byte) {
	const step = crcLanes * crcWord
	var b, c, d uint64
	for ; len(p) >= 2*step; p = p[step:] {
		words := p[:step]
		sum = lookUp(&nvmeFar, sum^binary.LittleEndian.Uint64(words))
		b = lookUp(&nvmeFar, b^binary.LittleEndian.Uint64(words[8:]))
		c = lookUp(&nvmeFar, c^binary.LittleEndian.Uint64(words[16:]))
		d = lookUp(&nvmeFar, d^binary.LittleEndian.Uint64(words[24:]))
	}
	for _, lane := range [crcLanes]uint64{0, b, c, d} {
		sum = lookUp(&nvmeNear, sum^lane^binary.LittleEndian.Uint64(p))
		p = p[crcWord:]
	}
	return sum, p
}

func lookUp(t *[crcWord][256]uint64, word uint64) uint64 {
	return t[0][byte(word)] ^ t[1][byte(word>>8)] ^ t[2][byte(word>>16)] ^ t[3][byte(word>>24)] ^
		t[4][byte(word>>32)] ^ t[5][byte(word>>40)] ^ t[6][byte(word>>48)] ^ t[7][word>>56]
}

func (c *crc64NVME) Sum(b []byte) []byte { return binary.BigEndian.AppendUint64(b, c.sum) }

func (c *crc64NVME) Reset() { c.sum = 0 }

func (c *crc64NVME) Size() int { return 8 }

func (c *crc64NVME) BlockSize() int { return 1 }

package nullserver

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"sync"
)

const patternBytes = 1 << 20

// pattern returns a sequence of random bytes. Every object consists of repetitions of this
// sequence. Compression cannot make random bytes shorter.
var pattern = sync.OnceValue(func() []byte {
	random := rand.New(rand.NewPCG(1, 2))
	p := make([]byte, patternBytes)
	for i := 0; i < len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], random.Uint64())
	}
	return p
})

// writePattern writes the bytes of an object between two offsets. It stops if w fails.
func writePattern(w io.Writer, offset, end int64) {
	const most = 256 << 10
	for offset < end {
		start := offset % patternBytes
		n, err := w.Write(pattern()[start:min(start+most, patternBytes, start+end-offset)])
		if err != nil {
			return
		}
		offset += int64(n)
	}
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	checksums  sync.Map // checksums that were computed before, by size
)

// CRC32C returns the checksum of an object with the given size. All objects of that size have the
// same content.
func CRC32C(size int64) uint32 {
	if sum, ok := checksums.Load(size); ok {
		return sum.(uint32)
	}
	hash := crc32.New(castagnoli)
	writePattern(hash, 0, size)
	checksums.Store(size, hash.Sum32())
	return hash.Sum32()
}

package nulls3

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"sync"
)

const patternBytes = 1 << 20

// pattern is what all objects consist of, over and over: no data, but none
// that a layer between could shrink.
var pattern = sync.OnceValue(func() []byte {
	random := rand.New(rand.NewPCG(1, 2))
	p := make([]byte, patternBytes)
	for i := 0; i < len(p); i += 8 {
		binary.LittleEndian.PutUint64(p[i:], random.Uint64())
	}
	return p
})

// writePattern writes an object's bytes from from up to end, as long as w takes
// them.
func writePattern(w io.Writer, from, end int64) {
	const most = 256 << 10
	for from < end {
		start := from % patternBytes
		n, err := w.Write(pattern()[start:min(start+most, patternBytes, start+end-from)])
		if err != nil {
			return
		}
		from += int64(n)
	}
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	checksums  sync.Map // by size
)

// checksum is the CRC32C of an object of size bytes, as S3 writes it.
func checksum(size int64) string {
	if known, ok := checksums.Load(size); ok {
		return known.(string)
	}
	hash := crc32.New(castagnoli)
	writePattern(hash, 0, size)
	sum := encoded(hash.Sum(nil))
	checksums.Store(size, sum)
	return sum
}

func encoded(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

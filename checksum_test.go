package storage

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJoinedCRCIsTheWholesCRC(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 5000)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	whole := crc32.Checksum(data, castagnoli)
	for _, cut := range []int{0, 1, 7, 8, 9, 2500, 4095, 4999, 5000} {
		a, b := crc32.Checksum(data[:cut], castagnoli), crc32.Checksum(data[cut:], castagnoli)
		require.Equal(t, whole, joinCRC(a, b, int64(len(data)-cut)), "cut at %d", cut)
	}
}

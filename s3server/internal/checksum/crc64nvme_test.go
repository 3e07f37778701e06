package checksum

import (
	"hash/crc64"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCRC64NVME(t *testing.T) {
	reference := crc64.New(crc64.MakeTable(joinable["CRC64NVME"].polynomial))
	data := make([]byte, 600)
	_, _ = rand.NewChaCha8([32]byte{}).Read(data) // never fails
	for first := range 100 {                      // the length of the first of two writes
		for total := first; total <= len(data); total += 1 + first%13 {
			reference.Reset()
			_, _ = reference.Write(data[:total])
			sum := newCRC64NVME()
			_, _ = sum.Write(data[:first])
			_, _ = sum.Write(data[first:total])
			require.Equal(t, reference.Sum(nil), sum.Sum(nil), "%d and %d bytes", first, total-first)
		}
	}
	check := newCRC64NVME()
	_, _ = check.Write([]byte("123456789"))
	require.Equal(t, []byte{0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88}, check.Sum(nil), "the value of the catalogue of CRCs")
	check.Reset()
	require.Equal(t, make([]byte, check.Size()), check.Sum(nil))
	require.Equal(t, 1, check.BlockSize())
}

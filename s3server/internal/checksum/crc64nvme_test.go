package checksum

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The CRC64NVME of the text "123456789" is the check value in the catalog of CRCs.
func TestCRC64NVME(t *testing.T) {
	checkValue := []byte{0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88}

	h := ByName("CRC64NVME").make()
	_, _ = h.Write([]byte("123456789"))
	require.Equal(t, checkValue, h.Sum(nil))
}

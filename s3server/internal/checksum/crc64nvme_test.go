package checksum

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// CRC64NVME is the checksum of the catalog of CRCs.
func TestCRC64NVME(t *testing.T) {
	sum := ByName("CRC64NVME").make()
	_, _ = sum.Write([]byte("123456789"))
	require.Equal(t, []byte{0xae, 0x8b, 0x14, 0x86, 0x0a, 0x79, 0x98, 0x88}, sum.Sum(nil),
		"the value of the catalog of CRCs")
}

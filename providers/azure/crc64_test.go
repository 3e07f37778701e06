package azure

import (
	"testing"

	"github.com/minio/crc64nvme"
	"github.com/stretchr/testify/require"
)

// Azure's polynomial is 0x9A6C9329AC4BC9B5, the same as NVMe's:
// https://learn.microsoft.com/rest/api/storageservices/put-block
func TestCRC64CheckValue(t *testing.T) {
	require.Equal(t, uint64(0xAE8B14860A799888), crc64nvme.Checksum([]byte("123456789")))
}

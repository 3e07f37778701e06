package azure

import (
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"

	"github.com/omnibucket/storage/internal/escape"
)

// Azure's names of metadata are identifiers of C#, which have no "-".
// https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
var metadataNames = escape.NewNames('_', '-')

const (
	// checksumKey is where the CRC32C of the whole object is kept: Azure keeps
	// none itself. The core hides names that begin so.
	checksumKey = "omnibucket_crc32c"
	// plainKey stands where metadata is to be replaced by none at all: a copy
	// that names none has the source's.
	noMetadataKey = "omnibucket_plain"
)

// storedMetadata is what is sent: the user's, and the checksum of an object of
// size bytes where it is known.
func encodeMetadata(metadata map[string]string, crc *uint32, size int64) map[string]*string {
	out := make(map[string]*string, len(metadata)+1)
	for name, value := range metadata {
		out[metadataNames.Stored(name)] = to.Ptr(value)
	}
	if crc != nil {
		out[checksumKey] = to.Ptr(encodeChecksum(*crc, size))
	}
	return out
}

// shownMetadata is what the core is given, its own entries included, and the
// checksum.
func decodeMetadata(stored map[string]*string, size int64) (metadata map[string]string, crc *uint32) {
	metadata = make(map[string]string, len(stored))
	for name, value := range stored {
		if value == nil {
			continue
		}
		name = metadataNames.Plain(name)
		if name == checksumKey {
			crc = parseChecksum(*value, size)
			continue
		}
		metadata[name] = *value
	}
	return metadata, crc
}

// writeChecksum has the size beside the checksum: a tool that writes other
// content and keeps the metadata shall not make an object that cannot be read.
func encodeChecksum(crc uint32, size int64) string {
	text := strconv.FormatUint(uint64(crc), 16)
	return strings.Repeat("0", 8-len(text)) + text + "-" + strconv.FormatInt(size, 10)
}

// readChecksum is nil where the text is none of ours, or of another size.
func parseChecksum(text string, size int64) *uint32 {
	sum, length, _ := strings.Cut(text, "-")
	crc, err := strconv.ParseUint(sum, 16, 32)
	if err != nil || length != strconv.FormatInt(size, 10) {
		return nil
	}
	return to.Ptr(uint32(crc))
}

package azure

import (
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// metadataNames escapes the names of metadata. Azure accepts only names that are C# identifiers,
// which have no "-".
// https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
var metadataNames = httpheader.NewNameEscaper('_', '-')

const (
	// checksumKey is the name of the metadata with the CRC32C of the object, which Azure does
	// not store. The engine hides names with this prefix.
	checksumKey = "omnibucket_crc32c"
	// noMetadataKey is the name of metadata that a copy sends if the new object must have none. A
	// copy that sent no metadata at all would inherit the metadata of the source.
	noMetadataKey = "omnibucket_plain"
)

// encodeMetadata returns the metadata to store with an object. That is the metadata of the user and, if
// the checksum is known, an entry with the checksum and the size for which it is valid.
func encodeMetadata(metadata map[string]string, crc storage.CRC32C, size int64) map[string]*string {
	result := make(map[string]*string, len(metadata)+1)
	for name, value := range metadata {
		result[metadataNames.Escape(name)] = new(value)
	}
	if crc.Known {
		result[checksumKey] = new(encodeChecksum(crc.Sum, size))
	}
	return result
}

// decodeMetadata returns the metadata of an object, including the engine's own entries. It returns the
// checksum that encodeMetadata has stored apart from the metadata.
func decodeMetadata(values map[string]*string, size int64) (metadata map[string]string, crc storage.CRC32C) {
	metadata = make(map[string]string, len(values))
	for name, value := range values {
		if value == nil {
			continue
		}
		name = metadataNames.Unescape(name)
		if name == checksumKey {
			crc = parseChecksum(*value, size)
			continue
		}
		metadata[name] = *value
	}
	return metadata, crc
}

// encodeChecksum returns the checksum and the size as one text. If another tool replaces the
// content and keeps the metadata, the size shows that the checksum is stale.
func encodeChecksum(crc uint32, size int64) string {
	text := strconv.FormatUint(uint64(crc), 16)
	return strings.Repeat("0", 8-len(text)) + text + "-" + strconv.FormatInt(size, 10)
}

// parseChecksum parses the result of encodeChecksum. The checksum is unknown if text is something
// else, or is for another size.
func parseChecksum(text string, size int64) storage.CRC32C {
	sum, length, _ := strings.Cut(text, "-")
	crc, err := strconv.ParseUint(sum, 16, 32)
	if err != nil || length != strconv.FormatInt(size, 10) {
		return storage.CRC32C{}
	}
	return storage.CRC32C{Sum: uint32(crc), Known: true}
}

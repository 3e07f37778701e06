package storagetest

import (
	"strings"

	"github.com/omnibucket/storage"
)

// optional returns o if the driver declares f, else an option that asks for nothing.
// It is for cases that are about something else than the attribute that o sets.
func (t *T) optional(f storage.Features, o storage.WriteOption) storage.WriteOption {
	if t.has(f) {
		return o
	}
	return storage.WithCacheControl("")
}

// metadata is WithMetadata, if the store keeps metadata.
func (t *T) metadata(metadata map[string]string) storage.WriteOption {
	return t.optional(storage.Metadata, storage.WithMetadata(metadata))
}

// keptMetadata returns what the store keeps of metadata.
func (t *T) keptMetadata(metadata map[string]string) map[string]string {
	if t.has(storage.Metadata) {
		return metadata
	}
	return nil
}

// contentType is WithContentType, if the store keeps content types.
func (t *T) contentType(mediaType string) storage.WriteOption {
	return t.optional(storage.ContentProperties, storage.WithContentType(mediaType))
}

// keptType returns the content type of an object that was given mediaType, and whose
// key has no extension.
func (t *T) keptType(mediaType string) string {
	if t.has(storage.ContentProperties) {
		return mediaType
	}
	return "application/octet-stream"
}

// keyNeeds returns the feature without which a store cannot hold key.
func keyNeeds(key string) storage.Features {
	for segment := range strings.SplitSeq(key, "/") {
		if len(segment) > 255 {
			return storage.LongSegments
		}
	}
	return 0
}

package revisions

import (
	"maps"

	"github.com/omnibucket/storage"
)

// SameProperties reports whether two objects have the same properties. It ignores the storage class,
// because its values differ by provider.
func SameProperties(a, b *storage.Properties) bool {
	return SameHeaders(a, b) && maps.Equal(a.Metadata, b.Metadata)
}

// SameHeaders is like [SameProperties], but also ignores the metadata.
func SameHeaders(a, b *storage.Properties) bool {
	return a.ContentType == b.ContentType && a.ContentEncoding == b.ContentEncoding &&
		a.ContentDisposition == b.ContentDisposition && a.ContentLanguage == b.ContentLanguage &&
		a.CacheControl == b.CacheControl
}

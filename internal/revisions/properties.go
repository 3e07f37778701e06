// Package properties compares the properties of objects.
package properties

import (
	"maps"

	"github.com/omnibucket/storage"
)

// Same reports whether two objects have the same properties. It ignores the storage class,
// because its values differ by provider.
func Same(a, b *storage.Properties) bool {
	return SameHeaders(a, b) && maps.Equal(a.Metadata, b.Metadata)
}

// SameHeaders is like [Same], but also ignores the metadata.
func SameHeaders(a, b *storage.Properties) bool {
	return a.ContentType == b.ContentType && a.ContentEncoding == b.ContentEncoding &&
		a.ContentDisposition == b.ContentDisposition && a.ContentLanguage == b.ContentLanguage &&
		a.CacheControl == b.CacheControl
}

package s3server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/driverstore"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// headersOf returns the headers by which a client of PutObject would send the properties in the request.
func headersOf(req *driver.PutRequest) http.Header {
	header := http.Header{}
	driverstore.SetContentHeaders(header, &req.Properties)
	if req.StorageClass != "" {
		header.Set("X-Amz-Storage-Class", req.StorageClass)
	}
	for name, value := range req.Metadata {
		header.Set(headers.MetadataPrefix+name, value)
	}
	if len(req.Tags) > 0 {
		query := url.Values{}
		for key, value := range req.Tags {
			query.Set(key, value)
		}
		header.Set("X-Amz-Tagging", query.Encode())
	}
	return header
}

// attrsOf returns the attributes of a version, whose id clients see as versionID.
func attrsOf(v *state.Version, versionID string) *storage.Attrs {
	header := v.Object.Properties.Header
	return &storage.Attrs{
		Key:       v.Key,
		Size:      v.Object.Size,
		ETag:      v.Object.ETag,
		Revision:  v.Object.ETag,
		Version:   versionID,
		Modified:  v.Modified,
		CRC32C:    crc32cOf(v.Object.Sum),
		TagCount:  len(v.Object.Properties.Tags),
		LegalHold: v.Object.Lock.Hold == "ON",
		Properties: storage.Properties{
			ContentType:        header.Get("Content-Type"),
			ContentEncoding:    header.Get("Content-Encoding"),
			ContentDisposition: header.Get("Content-Disposition"),
			ContentLanguage:    header.Get("Content-Language"),
			CacheControl:       header.Get("Cache-Control"),
			StorageClass:       shownClass(v),
			Metadata:           metadataOf(header),
		},
	}
}

// metadataOf returns the metadata in the headers of an object, or nil if there is none.
func metadataOf(header http.Header) map[string]string {
	var metadata map[string]string
	for name, values := range header {
		key, ok := strings.CutPrefix(strings.ToLower(name), strings.ToLower(headers.MetadataPrefix))
		if !ok {
			continue
		}
		if metadata == nil {
			metadata = map[string]string{}
		}
		metadata[key] = strings.Join(values, ",")
	}
	return metadata
}

// shownClass returns the storage class of a version as package storage shows it, which is "" for STANDARD.
func shownClass(v *state.Version) string {
	if v.Object.Properties.Class == state.Standard {
		return ""
	}
	return v.Object.Properties.Class
}

// crc32cOf returns the CRC32C of the whole content, which is not Known if sum is of another kind, or made from the
// checksums of parts.
func crc32cOf(sum checksum.Sum) storage.CRC32C {
	value, ok := crc32c.Decode(sum.Value)
	if !ok || sum.Kind != checksum.ByName("CRC32C") || sum.Covers == checksum.Composite {
		return storage.CRC32C{}
	}
	return storage.CRC32C{Sum: value, Known: true}
}

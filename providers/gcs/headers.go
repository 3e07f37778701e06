package gcs

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

const (
	metadataHeader   = "X-Goog-Meta-"
	generationHeader = "X-Goog-Generation"
)

// privateDefault is the Cache-Control that the XML API returns for a private object without a
// stored Cache-Control. For a public object, the XML API returns "public, max-age=3600" instead. A
// user may also have stored the text "public, max-age=3600". Get therefore reads the stored value
// of a public object from the JSON API.
const privateDefault = "private, max-age=0"

// attrsOfHeader returns the attributes in the headers of a response of the XML API, without Size.
func attrsOfHeader(h http.Header) *storage.Attrs {
	revision := h.Get(generationHeader)
	attrs := &storage.Attrs{
		Properties: storage.Properties{
			ContentType:        h.Get("Content-Type"),
			ContentEncoding:    storedEncoding(h),
			ContentDisposition: h.Get("Content-Disposition"),
			ContentLanguage:    h.Get("Content-Language"),
			CacheControl:       h.Get("Cache-Control"),
			Metadata:           httpheader.Metadata(h, metadataHeader),
			StorageClass:       httpheader.StorageClass(h.Get("X-Goog-Storage-Class")),
		},
		Revision:   revision,
		Version:    revision,
		Retention:  retentionOfHeader(h),
		Encryption: encryptionOf(h.Get("X-Goog-Encryption-Kms-Key-Name"), h.Get("X-Goog-Encryption-Key-Sha256")),
	}

	if attrs.CacheControl == privateDefault {
		attrs.CacheControl = ""
	}
	if modified, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
		attrs.Modified = wholeSeconds(modified)
	}

	attrs.CRC32C, attrs.MD5 = sumsOf(h)
	// Google omits the header if it decompresses the bytes, and fake-gcs-server sends another one.
	attrs.ETag = entityTag(attrs.MD5, "", attrs.Encryption)
	if attrs.ETag == "" {
		attrs.ETag = httpheader.ETag(h.Get("ETag"))
	}
	return attrs
}

// isCacheable reports whether a response may come from Google's cache of public objects. No request
// can avoid the cache, because the cache ignores headers that ask for a fresh response. The cache
// also keeps content of objects that the JSON API returns. It does not keep attributes that the
// JSON API returns.
// https://cloud.google.com/storage/docs/consistency#cache-control
func isCacheable(h http.Header) bool {
	directives := strings.ToLower(strings.Join(h.Values("Cache-Control"), ","))
	return directives != "" && !uncached.MatchString(directives)
}

// uncached matches the directives that prevent an outdated response from a shared cache. With
// no-cache, a cache must check the response with Google before each use.
var uncached = regexp.MustCompile(`\b(private|no-store|no-cache)\b`)

// maybeEncoded matches a value of metadata that may be an encoded form of the stored value. The XML
// API may encode characters that are not ASCII, and Google does not document how. But the stored
// value itself may also look encoded.
var maybeEncoded = regexp.MustCompile(`%[89A-Fa-f][0-9A-Fa-f]|^=\?`)

// needsResource reports whether metadata from headers may differ from the stored metadata.
func needsResource(metadata map[string]string) bool {
	for _, value := range metadata {
		if !utf8.ValidString(value) || maybeEncoded.MatchString(value) {
			return true
		}
	}
	return false
}

// sumsOf returns the checksums in X-Goog-Hash, which has one line for each checksum or one line for
// all.
func sumsOf(h http.Header) (crc storage.CRC32C, md5 []byte) {
	for _, value := range h.Values("X-Goog-Hash") {
		for sum := range strings.SplitSeq(value, ",") {
			name, encoded, _ := strings.Cut(strings.TrimSpace(sum), "=")
			switch name {
			case "crc32c":
				crc = httpheader.CRC32C(encoded)
			case "md5":
				md5 = decodeMD5(encoded)
			}
		}
	}
	return crc, md5
}

// storedEncoding returns the Content-Encoding with which the object is stored. The header Content-Encoding tells that of
// the response, which Google may decompress.
func storedEncoding(h http.Header) string {
	switch value := h.Get("X-Goog-Stored-Content-Encoding"); value {
	case "":
		return h.Get("Content-Encoding")
	case "identity":
		// An object without an encoding may have it, too.
		return ""
	default:
		return value
	}
}

// storedLength returns the object's size in bytes, or -1 if no header has it.
func storedLength(h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("X-Goog-Stored-Content-Length"), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

func isCompressedInTransit(h http.Header) bool {
	return h.Get("X-Goog-Stored-Content-Encoding") == "identity" && h.Get("Content-Encoding") == "gzip"
}

// isDecompressedInTransit reports whether Google has decompressed bytes that are stored with gzip.
func isDecompressedInTransit(h http.Header) bool {
	return h.Get("X-Goog-Stored-Content-Encoding") == "gzip" && h.Get("Content-Encoding") != "gzip"
}

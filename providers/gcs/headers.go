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

// privateDefault is the Cache-Control that the XML API returns for a private
// object without one. A public object without one gets "public, max-age=3600",
// which may also be the stored value; Get then asks the JSON API for what is stored.
const privateDefault = "private, max-age=0"

// attrsOfHeader returns the attributes in a response of the XML API, without the
// size.
func attrsOfHeader(h http.Header) *storage.Attrs {
	revision := h.Get(generationHeader)
	a := &storage.Attrs{
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
	if a.CacheControl == privateDefault {
		a.CacheControl = ""
	}
	if at, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
		a.Modified = modified(at)
	}
	a.CRC32C, a.MD5 = sumsOf(h)
	a.ETag = h.Get("ETag")
	if len(a.MD5) > 0 {
		a.ETag = entityTag(a.MD5, "")
	}
	return a
}

// isCacheable reports whether a response may come from Google's cache of public objects. The cache
// ignores headers of a request that ask for no cached content; for the JSON API it caches bytes too,
// by their URL, but no attributes. https://cloud.google.com/storage/docs/consistency#cache-control
func isCacheable(h http.Header) bool {
	directives := strings.ToLower(strings.Join(h.Values("Cache-Control"), ","))
	return directives != "" && !uncached.MatchString(directives)
}

// uncached matches the directives that keep a response out of shared caches. A cache must check
// a response with no-cache before each use.
var uncached = regexp.MustCompile(`\b(private|no-store|no-cache)\b`)

// maybeEncoded matches the encodings in which a header may show characters that
// are not ASCII. The JSON API accepts any metadata, and Google does not document
// how the XML API returns it. The value may also be stored that way.
var maybeEncoded = regexp.MustCompile(`%[89A-Fa-f][0-9A-Fa-f]|^=\?`)

// needsResource reports whether metadata from headers may differ from what is
// stored.
func needsResource(metadata map[string]string) bool {
	for _, value := range metadata {
		if !utf8.ValidString(value) || maybeEncoded.MatchString(value) {
			return true
		}
	}
	return false
}

// sumsOf returns the checksums in X-Goog-Hash, which has one line for each or one
// for all.
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

func storedEncoding(h http.Header) string {
	switch stored := h.Get("X-Goog-Stored-Content-Encoding"); stored {
	case "":
		return h.Get("Content-Encoding")
	case "identity": // no encoding, or this name for none
		if h.Get("Content-Encoding") == stored {
			return stored
		}
		return ""
	default:
		return stored
	}
}

// storedLength returns the object's size in bytes, or -1 if the headers do not
// have it.
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

// isDecompressedInTransit reports whether bytes that are stored with gzip were
// decompressed.
func isDecompressedInTransit(h http.Header) bool {
	return h.Get("X-Goog-Stored-Content-Encoding") == "gzip" && h.Get("Content-Encoding") != "gzip"
}

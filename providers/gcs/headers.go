package gcs

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
)

const metadataHeader = "X-Goog-Meta-"

// privateDefault is what the XML API says of an object with no Cache-Control
// that not everybody may read. (Of one that everybody may read it says "public,
// max-age=3600", which is as often what was stored, and how it is cached: what is
// stored, Attrs tells.)
const privateDefault = "private, max-age=0"

// attrsOfHeader is what an answer of the XML API says of the object; the size is
// the caller's to set.
func attrsOfHeader(h http.Header) *storage.Attrs {
	revision := h.Get("X-Goog-Generation")
	a := &storage.Attrs{
		Properties: storage.Properties{
			ContentType:        h.Get("Content-Type"),
			ContentEncoding:    storedEncoding(h),
			ContentDisposition: h.Get("Content-Disposition"),
			ContentLanguage:    h.Get("Content-Language"),
			CacheControl:       h.Get("Cache-Control"),
			Metadata:           httpheader.Metadata(h, metadataHeader),
			StorageClass:       storageClass(h.Get("X-Goog-Storage-Class")),
		},
		Revision: revision,
		Version:  revision,
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

// escaped is how a header shows what is no ASCII: the JSON API takes any
// metadata, and says nowhere what the XML API makes of it. It may also be what is
// stored.
var escaped = regexp.MustCompile(`%[89A-Fa-f][0-9A-Fa-f]|^=\?`)

// needsResource reports whether metadata that headers brought may not be what is
// stored.
func needsResource(metadata map[string]string) bool {
	for _, value := range metadata {
		if !utf8.ValidString(value) || escaped.MatchString(value) {
			return true
		}
	}
	return false
}

// sumsOf reads X-Goog-Hash, which comes once for each sum, or once for all.
func sumsOf(h http.Header) (crc *uint32, md5 []byte) {
	for _, value := range h.Values("X-Goog-Hash") {
		for sum := range strings.SplitSeq(value, ",") {
			name, encoded, _ := strings.Cut(strings.TrimSpace(sum), "=")
			switch name {
			case "crc32c":
				crc = httpheader.DecodeCRC32C(encoded)
			case "md5":
				md5 = decodeMD5(encoded)
			}
		}
	}
	return crc, md5
}

// storedEncoding is the object's Content-Encoding.
func storedEncoding(h http.Header) string {
	switch stored := h.Get("X-Goog-Stored-Content-Encoding"); stored {
	case "":
		return h.Get("Content-Encoding")
	case "identity":
		return ""
	default:
		return stored
	}
}

// storedLength is the object's size in bytes; -1: it is not told.
func storedLength(h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("X-Goog-Stored-Content-Length"), 10, 64)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// isPackedOnTheWay reports whether bytes that are stored as they are come with
// gzip.
func isCompressedInTransit(h http.Header) bool {
	return h.Get("X-Goog-Stored-Content-Encoding") == "identity" && h.Get("Content-Encoding") == "gzip"
}

// isUnpackedOnTheWay reports whether bytes that are stored with gzip come
// without.
func isDecompressedInTransit(h http.Header) bool {
	return h.Get("X-Goog-Stored-Content-Encoding") == "gzip" && h.Get("Content-Encoding") != "gzip"
}

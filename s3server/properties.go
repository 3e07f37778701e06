package s3server

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

const (
	metadataPrefix = "X-Amz-Meta-"
	maxHeaders     = 8 << 10 // bytes of a request's headers
	standard       = "STANDARD"
)

var storageClasses = []string{
	standard, "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR",
}

// systemHeaders are stored and returned unchanged.
var systemHeaders = []string{
	"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires",
	"X-Amz-Website-Redirect-Location",
}

// properties are what a write sets beside the bytes of an object.
type properties struct {
	header http.Header // system headers and metadata, as a read returns them
	class  string
	tags   []tagging.Tag
}

// readProperties reads the properties from the headers of a request.
func readProperties(h *Handler, header http.Header) (properties, error) {
	p := properties{header: http.Header{}, class: header.Get("X-Amz-Storage-Class")}
	if p.class == "" {
		p.class = standard
	}
	if !slices.Contains(storageClasses, p.class) {
		return p, s3error.New("InvalidStorageClass", "StorageClassRequested", p.class)
	}
	for _, name := range systemHeaders {
		if value := header.Get(name); value != "" {
			p.header.Set(name, value)
		}
	}
	p.keepEncoding(strings.Join(header.Values("Content-Encoding"), ","))
	if p.header.Get("Content-Type") == "" {
		p.header.Set("Content-Type", "binary/octet-stream")
	}
	if err := readMetadata(h, header, p.header); err != nil {
		return p, err
	}
	var err error
	p.tags, err = tagging.ReadHeader(header.Get("X-Amz-Tagging"))
	return p, err
}

// keepEncoding keeps the value as it was sent, but for aws-chunked, which only describes the
// transfer.
func (p *properties) keepEncoding(value string) {
	kept := slices.DeleteFunc(strings.Split(value, ","), func(coding string) bool {
		return strings.TrimSpace(coding) == "aws-chunked"
	})
	p.header.Del("Content-Encoding")
	if value = strings.TrimSpace(strings.Join(kept, ",")); value != "" {
		p.header.Set("Content-Encoding", value)
	}
}

// readMetadata reads the user metadata. S3 returns the names in lower case, and net/http would
// write those that [http.Header.Set] has set otherwise.
func readMetadata(h *Handler, from, to http.Header) error {
	total, all := 0, 0
	for name, values := range from {
		value := strings.Join(values, ",")
		all += len(name) + len(value)
		if !strings.HasPrefix(name, metadataPrefix) {
			continue
		}
		total += len(name) - len(metadataPrefix) + len(value)
		to[strings.ToLower(name)] = []string{mailSafe(value)}
	}
	if total > h.limits.MaxMetadata {
		return s3error.New("MetadataTooLarge", "Size", strconv.Itoa(total), "MaxSizeAllowed", strconv.Itoa(h.limits.MaxMetadata))
	}
	if all > maxHeaders {
		return s3error.New("RequestHeaderSectionTooLarge", "MaxSizeAllowed", strconv.Itoa(maxHeaders))
	}
	return nil
}

// mailSafe returns a value as S3 returns it: if it is not ASCII, as an encoded word of
// RFC 2047.
func mailSafe(value string) string {
	for i := range len(value) {
		if value[i] >= 0x80 {
			return mime.BEncoding.Encode("UTF-8", value)
		}
	}
	return value
}

func (p properties) write(header http.Header) {
	for name, values := range p.header {
		header[name] = values
	}
	if p.class != standard {
		header.Set("X-Amz-Storage-Class", p.class)
	}
	if len(p.tags) > 0 {
		header.Set("X-Amz-Tagging-Count", strconv.Itoa(len(p.tags)))
	}
}

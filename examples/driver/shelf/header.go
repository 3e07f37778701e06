package shelf

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// metaPrefix begins the name of each header that has a metadata value.
const metaPrefix = "Meta-"

// headerOf returns the headers of a write: the object's properties, its checksum and the condition.
func headerOf(r *driver.PutRequest) http.Header {
	header := conditionHeader(r.Condition)
	for name, value := range map[string]string{
		"Content-Type":        r.ContentType,
		"Content-Encoding":    r.ContentEncoding,
		"Content-Disposition": r.ContentDisposition,
		"Content-Language":    r.ContentLanguage,
		"Cache-Control":       r.CacheControl,
		"Crc32c":              r.CRC32C.String(),
	} {
		if value != "" {
			header.Set(name, value)
		}
	}
	for name, value := range r.Metadata {
		header.Set(metaPrefix+name, value)
	}
	return header
}

// conditionHeader returns the headers that make the store check a condition.
func conditionHeader(c storage.Condition) http.Header {
	header := http.Header{}
	switch {
	case c.Absent:
		header.Set("If-None-Match", "*")
	case c.Revision != "":
		header.Set("If-Match", strconv.Quote(c.Revision))
	case c.NotRevision != "":
		header.Set("If-None-Match", strconv.Quote(c.NotRevision))
	}
	return header
}

// attrsOf reads the headers of a response. The revision is the ETag, which the store changes with
// every write.
func attrsOf(key string, header http.Header) (*storage.Attrs, error) {
	size, sizeErr := strconv.ParseInt(header.Get("Object-Size"), 10, 64)
	modified, timeErr := http.ParseTime(header.Get("Last-Modified"))
	sum, sumErr := strconv.ParseUint(header.Get("Crc32c"), 16, 32)
	if err := errors.Join(sizeErr, timeErr, sumErr); err != nil {
		return nil, &storage.Error{
			Code: storage.Internal,
			Err:  fmt.Errorf("the headers of the response are not those of a shelf: %w", err),
		}
	}

	attrs := &storage.Attrs{
		Key:      key,
		Size:     size,
		ETag:     header.Get("ETag"),
		Revision: strings.Trim(header.Get("ETag"), `"`),
		Modified: modified.UTC(),
		CRC32C:   storage.CRC32C{Sum: uint32(sum), Known: true},
		Properties: storage.Properties{
			ContentType:        header.Get("Content-Type"),
			ContentEncoding:    header.Get("Content-Encoding"),
			ContentDisposition: header.Get("Content-Disposition"),
			ContentLanguage:    header.Get("Content-Language"),
			CacheControl:       header.Get("Cache-Control"),
			Metadata:           map[string]string{},
		},
	}

	for name := range header {
		if field, ok := strings.CutPrefix(name, metaPrefix); ok {
			attrs.Metadata[strings.ToLower(field)] = header.Get(name)
		}
	}
	return attrs, nil
}

// readHeaderOf returns the headers of a read. To read a whole object, it sets no Range.
func readHeaderOf(r *driver.GetRequest) http.Header {
	header := conditionHeader(r.Condition)
	switch {
	case r.Suffix > 0:
		header.Set("Range", fmt.Sprintf("bytes=-%d", r.Suffix))
	case r.Length >= 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", r.Offset, r.Offset+r.Length-1))
	case r.Offset > 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-", r.Offset))
	}
	return header
}

// checkRange fails if the response has another range of bytes than r asks for. A proxy may have
// dropped the header Range.
func checkRange(r *driver.GetRequest, size int64, response *http.Response) error {
	start, end, err := r.Span(size)
	if err != nil {
		return err
	}
	first := int64(0)
	last := size - 1
	total := size
	if response.StatusCode == http.StatusPartialContent {
		_, err = fmt.Sscanf(response.Header.Get("Content-Range"), "bytes %d-%d/%d", &first, &last, &total)
	}
	if err != nil || first != start || last != end-1 || total != size {
		return &storage.Error{
			Code: storage.Internal,
			Err:  errors.New("the response has other bytes than the request asked for"),
		}
	}
	return nil
}

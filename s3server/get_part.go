package s3server

import (
	"net/http"
	"strconv"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// A span is the bytes of a version that a read asks for.
type span struct {
	offset, length int64
	partial        bool
	sum            checksum.Sum // of these bytes; kind is nil if S3 shows none
	parts          int          // of the object; 0 unless the read names one of several
}

// wantedPart returns the number in the parameter partNumber, or 0 without it.
func wantedPart(r *request) (int, error) {
	if !r.has("partNumber") {
		return 0, nil
	}
	number, err := partNumber(r)
	if err == nil && r.Header.Get("Range") != "" {
		err = s3error.New("InvalidRequest").WithMessage("Cannot specify both Range header and partNumber query parameter")
	}
	return number, err
}

// span returns the bytes of the part with this number. With 0, it returns those of the Range
// header.
func (r *request) span(v *version, number int) (span, error) {
	if number == 0 {
		offset, length, partial, err := parseRange(r.Header.Get("Range"), v.object.size)
		return span{offset: offset, length: length, partial: partial, sum: v.sumOf(offset, length, partial)}, err
	}
	count := max(1, len(v.object.parts))
	switch {
	case number > count:
		return span{}, s3error.New("InvalidPartNumber", "ActualPartCount", strconv.Itoa(count), "PartNumberRequested", strconv.Itoa(number))
	case len(v.object.parts) == 0: // a PutObject, which is its own only part
		return span{length: v.object.size, partial: v.object.size > 0, sum: v.object.sum}, nil
	}
	p := v.object.parts[number-1]
	s := span{offset: p.offset, length: p.size, partial: p.size > 0, parts: count}
	if p.sum.Kind == v.object.sum.Kind {
		s.sum = checksum.Sum{Kind: p.sum.Kind, Value: p.sum.Value, Covers: v.object.sum.Covers}
	}
	return s, nil
}

// write writes the headers of a response and returns its status.
func (s span) write(header http.Header, size int64) int {
	header.Set("Content-Length", strconv.FormatInt(s.length, 10))
	if s.parts > 0 {
		header.Set("X-Amz-Mp-Parts-Count", strconv.Itoa(s.parts))
	}
	if !s.partial {
		return http.StatusOK
	}
	header.Set("Content-Range", "bytes "+strconv.FormatInt(s.offset, 10)+"-"+strconv.FormatInt(s.offset+s.length-1, 10)+"/"+strconv.FormatInt(size, 10))
	return http.StatusPartialContent
}

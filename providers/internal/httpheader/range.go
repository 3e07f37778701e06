// Package httpheader writes and reads headers that several providers share.
package httpheader

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Range returns the Range header of a read. It returns "" for a whole object, because an
// empty object satisfies no range. maxSuffix is the largest suffix length that the
// server accepts.
func Range(r *driver.GetRequest, maxSuffix int64) string {
	switch {
	case r.Suffix > 0:
		return "bytes=-" + strconv.FormatInt(min(r.Suffix, maxSuffix), 10)
	case r.Length >= 0:
		return "bytes=" + strconv.FormatInt(r.Offset, 10) + "-" + strconv.FormatInt(r.Offset+r.Length-1, 10)
	case r.Offset > 0:
		return "bytes=" + strconv.FormatInt(r.Offset, 10) + "-"
	}
	return ""
}

// ParseContentRange parses a header such as "bytes 0-9/100". It returns the offset of
// the response's first byte, and the object's size. If the header is malformed, it fails
// with Internal.
func ParseContentRange(value string) (start, size int64, err error) {
	span, total, _ := strings.Cut(strings.TrimPrefix(value, "bytes "), "/")
	from, _, dashed := strings.Cut(span, "-")
	first, badFirst := strconv.ParseUint(from, 10, 63)
	whole, badWhole := strconv.ParseUint(total, 10, 63)
	if !dashed || badFirst != nil || badWhole != nil {
		return 0, 0, &storage.Error{Code: storage.Internal, Err: fmt.Errorf("the response has the malformed Content-Range %q", value)}
	}
	return int64(first), int64(whole), nil
}

// CheckStart checks that a response that begins at start belongs to r. If it does not,
// it fails with Internal.
func CheckStart(r *driver.GetRequest, start int64) error {
	if r.Suffix > 0 || start == r.Offset {
		return nil
	}
	return &storage.Error{Code: storage.Internal, Err: errors.New("the response begins at byte " + strconv.FormatInt(start, 10) + " and not at " + strconv.FormatInt(r.Offset, 10))}
}

// RangeIgnored returns the error for a response that is the whole object.
func RangeIgnored() *storage.Error {
	return &storage.Error{
		Code: storage.Internal,
		Err:  errors.New("the response to a request for a range is the whole object"),
		Hint: "look for a proxy between here and the store that removes the Range header",
	}
}

// LengthMissing returns the error for a response without a length, which a proxy has
// compressed or replaced. To take it as empty would lose the content.
func LengthMissing() *storage.Error {
	return &storage.Error{
		Code: storage.Internal, Err: errors.New("the response has no Content-Length"),
		Hint: "the size of the object is unknown: check for a proxy that compresses responses",
	}
}

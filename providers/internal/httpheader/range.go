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

// Range returns the Range header of a read, or "" for a read of the whole object, because a server
// refuses every range of an empty object. maxSuffix is the largest suffix length that the server
// accepts.
func Range(r *driver.GetRequest, maxSuffix int64) string {
	if r.Suffix > 0 {
		return "bytes=-" + strconv.FormatInt(min(r.Suffix, maxSuffix), 10)
	}
	if r.Length >= 0 { // a negative length reads to the end
		return "bytes=" + strconv.FormatInt(r.Offset, 10) + "-" + strconv.FormatInt(r.Offset+r.Length-1, 10)
	}
	if r.Offset > 0 {
		return "bytes=" + strconv.FormatInt(r.Offset, 10) + "-"
	}
	return ""
}

// SizeOf returns the size of the object from the Content-Range of the response to r, such as "bytes
// 0-9/100". It fails with RangeNotSatisfiable if the requested range begins after the last byte of the
// object, for which some emulators send other bytes. It fails with Internal if the header is
// malformed, or if the response begins at a wrong offset for another reason.
func SizeOf(r *driver.GetRequest, contentRange string) (int64, error) {
	start, size, ok := parseContentRange(contentRange)
	if !ok {
		return 0, &storage.Error{
			Code: storage.Internal,
			Err:  fmt.Errorf("the response has the malformed Content-Range %q", contentRange),
		}
	}

	wantStart := r.Offset
	if r.Suffix > 0 {
		wantStart = max(size-r.Suffix, 0)
	} else if r.Offset >= size {
		return 0, storage.RangeNotSatisfiable
	}
	if start != wantStart {
		return 0, &storage.Error{
			Code: storage.Internal,
			Err:  fmt.Errorf("the response begins at byte %d and not at %d", start, wantStart),
		}
	}
	return size, nil
}

// parseContentRange returns the first byte of the range in a Content-Range, and the size of the object. ok
// is false if the header is malformed.
func parseContentRange(contentRange string) (start, size int64, ok bool) {
	span, total, _ := strings.Cut(strings.TrimPrefix(contentRange, "bytes "), "/")
	first, _, hasDash := strings.Cut(span, "-")
	if !hasDash {
		return 0, 0, false
	}

	// ParseUint accepts no sign. A number of 63 bits fits in an int64.
	unsignedStart, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return 0, 0, false
	}
	unsignedSize, err := strconv.ParseUint(total, 10, 63)
	if err != nil {
		return 0, 0, false
	}
	return int64(unsignedStart), int64(unsignedSize), true
}

// IsWhole reports whether a read requests all bytes of an object of the given size, which Google and
// other servers send with status 200 and without a Content-Range.
func IsWhole(r *driver.GetRequest, size int64) bool {
	if r.Suffix > 0 {
		return r.Suffix >= size
	}
	return r.Offset == 0 && (r.Length < 0 || r.Length >= size)
}

// RangeIgnored returns the error for a response that has the whole object although only a part of it
// was requested.
func RangeIgnored() *storage.Error {
	return &storage.Error{
		Code: storage.Internal,
		Err:  errors.New("the response to a request for a range is the whole object"),
		Hint: "look for a proxy between here and the store that removes the Range header",
	}
}

// LengthMissing returns the error for a response without a length, which a proxy may have compressed
// or replaced. It must not count as an empty object.
func LengthMissing() *storage.Error {
	return &storage.Error{
		Code: storage.Internal,
		Err:  errors.New("the response has no Content-Length"),
		Hint: "the size of the object is unknown: check for a proxy that compresses responses",
	}
}

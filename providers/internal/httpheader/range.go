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

// Range returns the Range header of a read. If the read is of a whole object, Range returns "".
// A header such as "bytes=0-" would fail if the object is empty, because a server refuses every
// range of an empty object. maxSuffix is the largest suffix length that the server accepts.
func Range(r *driver.GetRequest, maxSuffix int64) string {
	if r.Suffix > 0 {
		return "bytes=-" + strconv.FormatInt(min(r.Suffix, maxSuffix), 10)
	}
	if r.Length >= 0 {
		return "bytes=" + strconv.FormatInt(r.Offset, 10) + "-" + strconv.FormatInt(r.Offset+r.Length-1, 10)
	}
	if r.Offset > 0 {
		return "bytes=" + strconv.FormatInt(r.Offset, 10) + "-"
	}
	return ""
}

// SizeOf returns the size of the object from the Content-Range of the response to r, such as "bytes
// 0-9/100". If the requested range begins after the last byte of the object, SizeOf fails with
// RangeNotSatisfiable. Some emulators send other bytes in response to such a request. If the
// response begins at a wrong offset for another reason, SizeOf fails with Internal. It also fails
// with Internal if the header is malformed.
func SizeOf(r *driver.GetRequest, contentRange string) (int64, error) {
	span, total, _ := strings.Cut(strings.TrimPrefix(contentRange, "bytes "), "/")
	first, _, hasDash := strings.Cut(span, "-")
	start, badStart := strconv.ParseUint(first, 10, 63)
	size, badSize := strconv.ParseUint(total, 10, 63)
	if !hasDash || badStart != nil || badSize != nil {
		return 0, &storage.Error{
			Code: storage.Internal,
			Err:  fmt.Errorf("the response has the malformed Content-Range %q", contentRange),
		}
	}

	want := r.Offset
	if r.Suffix > 0 {
		want = max(int64(size)-r.Suffix, 0)
	} else if r.Offset >= int64(size) {
		return 0, storage.RangeNotSatisfiable
	}
	if int64(start) != want {
		return 0, &storage.Error{
			Code: storage.Internal,
			Err:  fmt.Errorf("the response begins at byte %d and not at %d", start, want),
		}
	}
	return int64(size), nil
}

// IsWhole reports whether the range of a read has all bytes of an object of the given size. Google
// and other servers send such a range with status 200 and without a Content-Range.
func IsWhole(r *driver.GetRequest, size int64) bool {
	if r.Suffix > 0 {
		return r.Suffix >= size
	}
	return r.Offset == 0 && (r.Length < 0 || r.Length >= size)
}

// RangeIgnored returns the error for a response that has the whole object although a part of it was
// requested.
func RangeIgnored() *storage.Error {
	return &storage.Error{
		Code: storage.Internal,
		Err:  errors.New("the response to a request for a range is the whole object"),
		Hint: "look for a proxy between here and the store that removes the Range header",
	}
}

// LengthMissing returns the error for a response without a length. A proxy may have compressed or
// replaced such a response. If it counted as an empty object, the content would be lost.
func LengthMissing() *storage.Error {
	return &storage.Error{
		Code: storage.Internal,
		Err:  errors.New("the response has no Content-Length"),
		Hint: "the size of the object is unknown: check for a proxy that compresses responses",
	}
}

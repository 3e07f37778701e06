// Package httpheader writes and reads what providers' headers have in common.
package httpheader

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
)

// Range is the Range header of a read; a whole one has none, for an empty object
// satisfies no range. Most is the largest number of last bytes that the server
// may be asked for.
func Range(r *storage.GetRequest, most int64) string {
	switch {
	case r.Suffix > 0:
		return "bytes=-" + strconv.FormatInt(min(r.Suffix, most), 10)
	case r.Length >= 0:
		return "bytes=" + strconv.FormatInt(r.Offset, 10) + "-" + strconv.FormatInt(r.Offset+r.Length-1, 10)
	case r.Offset > 0:
		return "bytes=" + strconv.FormatInt(r.Offset, 10) + "-"
	}
	return ""
}

// ContentRange reads "bytes 0-9/100": where the answer begins, and the object's
// size, in bytes. Internal where it cannot be read.
func ContentRange(value string) (start, size int64, err error) {
	span, total, found := strings.Cut(strings.TrimPrefix(value, "bytes "), "/")
	from, _, dashed := strings.Cut(span, "-")
	if found && dashed {
		start, err = strconv.ParseInt(from, 10, 64)
		if err == nil {
			size, err = strconv.ParseInt(total, 10, 64)
		}
	}
	if !found || !dashed || err != nil {
		return 0, 0, &storage.Error{Code: storage.Internal, Err: fmt.Errorf("the answer's Content-Range %q cannot be read", value)}
	}
	return start, size, nil
}

// Answers checks that an answer that begins at start is the one to r. Internal
// where it is not.
func Answers(r *storage.GetRequest, start int64) error {
	if r.Suffix > 0 || start == r.Offset {
		return nil
	}
	return &storage.Error{Code: storage.Internal, Err: errors.New("the answer begins at byte " + strconv.FormatInt(start, 10) + " and not at " + strconv.FormatInt(r.Offset, 10))}
}

// NoRange is of an answer that is the whole object.
func NoRange() *storage.Error {
	return &storage.Error{
		Code: storage.Internal,
		Err:  errors.New("a range was asked for, and the answer is the whole object"),
		Hint: "something between here and the store takes the Range header away",
	}
}

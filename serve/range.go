package serve

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
)

const (
	// maxGap is the largest gap in bytes between two ranges that are read with one request.
	// Skipping the bytes of a gap is faster than another request. The limit for all gaps of one
	// response is maxGap or the number of requested bytes, whichever is larger. Without that limit,
	// a small header could make the server read a large object.
	maxGap = 1 << 20 // bytes
	// maxReadSpans limits the requests to the store for one response. If the ranges need more, they
	// are ignored, because one request of a client could otherwise cause thousands.
	maxReadSpans = 16
)

var errNoOverlap = errors.New("invalid range: failed to overlap")

// A rangeSpec is one range in a Range header.
type rangeSpec struct {
	first int64 // first byte; -1 for a range of the last bytes of the object
	// last is the last byte, inclusive. -1 means the end of the object. If first is -1, last is the
	// number of bytes at the end of the object.
	last int64
}

// A rangeHeader is a parsed Range header. A nil rangeHeader requests the whole object.
type rangeHeader []rangeSpec

// parseRange parses a Range header. It ignores a header with another unit than bytes, as RFC 9110,
// section 14.2, demands. It also ignores a header with an invalid range, as Amazon S3 does.
func parseRange(header string) rangeHeader {
	list, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return nil
	}
	var asked rangeHeader
	for text := range strings.SplitSeq(list, ",") {
		text = trimSpace(text)
		if text == "" {
			continue
		}
		s, ok := parseRangeSpec(text)
		if !ok {
			return nil
		}
		asked = append(asked, s)
	}
	return asked
}

func parseRangeSpec(text string) (s rangeSpec, ok bool) {
	first, last, ok := strings.Cut(text, "-")
	first = trimSpace(first)
	last = trimSpace(last)
	s = rangeSpec{-1, -1}
	if ok && first != "" {
		s.first, ok = parsePosition(first)
	}
	if ok && (first == "" || last != "") {
		s.last, ok = parsePosition(last)
		ok = ok && s.last >= s.first
	}
	return s, ok
}

// parsePosition parses a number of any length. If the number exceeds 63 bits, it returns the
// largest int64.
func parsePosition(digits string) (position int64, ok bool) {
	n, err := strconv.ParseUint(digits, 10, 63)
	return int64(n), err == nil || errors.Is(err, strconv.ErrRange)
}

// A byteRange is a part of an object.
type byteRange struct{ start, length int64 }

func (r byteRange) end() int64 { return r.start + r.length }

func (r byteRange) contentRange(size int64) string {
	return "bytes " + strconv.FormatInt(r.start, 10) + "-" + strconv.FormatInt(r.end()-1,
		10) + "/" + strconv.FormatInt(size, 10)
}

// resolve returns the requested ranges of an object of size bytes. If the whole object is to be
// sent, ranges is nil. If no range lies in the object, ok is false.
func (a rangeHeader) resolve(size int64) (ranges []byteRange, ok bool) {
	var total int64
	for _, s := range a {
		r := byteRange{s.first, size - s.first}
		switch {
		// A range such as bytes=-5 selects all of an empty object. The response is the whole
		// object, because Content-Range cannot describe an empty range.
		case s.first < 0 && size == 0 && s.last > 0:
			return nil, true
		case s.first < 0:
			r.length = min(s.last, size)
			r.start = size - r.length
		case s.first >= size:
			continue
		case s.last >= 0:
			r.length = min(s.last, size-1) - s.first + 1
		}
		if r.length > 0 {
			ranges = append(ranges, r)
			total = min(total, math.MaxInt64-r.length) + r.length
		}
	}

	if len(ranges) == 0 {
		return nil, len(a) == 0
	}

	// Send the whole object if that is no more work.
	if total > size || len(mergeRanges(ranges)) > maxReadSpans {
		return nil, true
	}
	return ranges, true
}

// firstRead returns the range of the first request to the store. The size of the object is not
// known yet. If the client requests several ranges, the returned range usually covers all of them.
// It always covers the range that the client names first.
func (a rangeHeader) firstRead() storage.DownloadOption {
	if len(a) == 0 {
		return everything
	}
	if a[0].first < 0 && a[0].last > 0 {
		return storage.WithRange(-a[0].last, -1)
	}
	var ranges []byteRange
	for _, s := range a {
		if s.first < 0 {
			break
		}
		r := byteRange{s.first, math.MaxInt64 - s.first}
		if s.last >= 0 && s.last < math.MaxInt64 {
			r.length = s.last - s.first + 1
		}
		ranges = append(ranges, r)
	}
	if len(ranges) == 0 {
		return attributesOnly
	}
	return mergeRanges(ranges)[0].byteRange.option()
}

var (
	everything = storage.WithRange(0, -1)
	// attributesOnly is an option for a download that reads only the attributes.
	attributesOnly = storage.WithRange(0, 0)
)

func (r byteRange) option() storage.DownloadOption {
	if r.end() == math.MaxInt64 {
		return storage.WithRange(r.start, -1)
	}
	return storage.WithRange(r.start, r.length)
}

// A readSpan is the part of an object that one request to the store reads. It contains successive
// ranges and the gaps between them.
type readSpan struct {
	byteRange byteRange
	ranges    int // number of ranges in the span
}

// mergeRanges groups ranges into spans. Later ranges never change the grouping of earlier ones.
func mergeRanges(ranges []byteRange) []readSpan {
	var legs []readSpan
	var requestedBytes, skippedBytes int64
	for _, r := range ranges {
		gap := int64(-1)
		if len(legs) > 0 {
			gap = r.start - legs[len(legs)-1].byteRange.end()
		}
		if gap < 0 || gap > maxGap || skippedBytes+gap > max(maxGap, requestedBytes) {
			legs = append(legs, readSpan{r, 1})
		} else {
			last := &legs[len(legs)-1]
			last.byteRange.length = r.end() - last.byteRange.start
			last.ranges++
			skippedBytes += gap
		}
		requestedBytes = min(requestedBytes, math.MaxInt64-r.length) + r.length
	}
	return legs
}

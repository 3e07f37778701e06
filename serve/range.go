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

// parseRange parses a Range header. It returns nil for a unit other than bytes, as RFC 9110, section
// 14.2, demands, and for an invalid range, as Amazon S3 does.
func parseRange(header string) rangeHeader {
	list, ok := strings.CutPrefix(header, "bytes=")
	if !ok {
		return nil
	}

	var specs rangeHeader
	for text := range strings.SplitSeq(list, ",") {
		text = trimSpace(text)
		if text == "" {
			continue
		}
		spec, ok := parseRangeSpec(text)
		if !ok {
			return nil
		}
		specs = append(specs, spec)
	}
	return specs
}

// parseRangeSpec parses one range: "5-9", "5-" for the bytes from 5 on, or "-5" for the last 5 bytes.
func parseRangeSpec(text string) (spec rangeSpec, ok bool) {
	firstText, lastText, hasDash := strings.Cut(text, "-")
	if !hasDash {
		return rangeSpec{}, false
	}
	firstText = trimSpace(firstText)
	lastText = trimSpace(lastText)

	const missing = -1
	spec = rangeSpec{first: missing, last: missing}
	if firstText != "" {
		spec.first, ok = parsePosition(firstText)
		if !ok {
			return rangeSpec{}, false
		}
		if lastText == "" {
			return spec, true
		}
	}

	// If the first position is missing, the last one is a number of bytes at the end, and greater than -1.
	spec.last, ok = parsePosition(lastText)
	if !ok || spec.last < spec.first {
		return rangeSpec{}, false
	}
	return spec, true
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

// contentRange returns the header Content-Range for this part of an object of size bytes.
func (r byteRange) contentRange(size int64) string {
	first := strconv.FormatInt(r.start, 10)
	last := strconv.FormatInt(r.end()-1, 10)
	return "bytes " + first + "-" + last + "/" + strconv.FormatInt(size, 10)
}

// clip returns the bytes that the range selects of an object of size bytes, which may be none. In a
// range without an end, s.last is negative.
func (s rangeSpec) clip(size int64) byteRange {
	if s.first < 0 {
		// The range is the last s.last bytes of the object.
		length := min(s.last, size)
		return byteRange{start: size - length, length: length}
	}
	if s.first >= size {
		return byteRange{}
	}

	last := size - 1
	if s.last >= 0 {
		last = min(s.last, last)
	}
	return byteRange{start: s.first, length: last - s.first + 1}
}

// resolve returns the requested ranges of an object of size bytes, or nil if the whole object is to
// be sent. It returns false if no range lies in the object.
func (specs rangeHeader) resolve(size int64) (ranges []byteRange, ok bool) {
	if len(specs) == 0 {
		return nil, true
	}

	var total int64
	for _, spec := range specs {
		// A range such as bytes=-5 selects all of an empty object. Content-Range cannot describe an
		// empty range, so the whole object is sent.
		isSuffix := spec.first < 0 && spec.last > 0
		if size == 0 && isSuffix {
			return nil, true
		}

		part := spec.clip(size)
		if part.length == 0 {
			continue
		}
		ranges = append(ranges, part)
		total = addLengths(total, part.length)
	}

	// No range has bytes of the object.
	if len(ranges) == 0 {
		return nil, false
	}

	// Send the whole object if the ranges have more bytes than it, or need too many requests to the store.
	if total > size || len(mergeRanges(ranges)) > maxReadSpans {
		return nil, true
	}
	return ranges, true
}

// addLengths returns a+b, or the largest int64 if the sum is larger.
func addLengths(a, b int64) int64 {
	return min(a, math.MaxInt64-b) + b
}

// firstRead returns the range for the first request to the store, while the size of the object is
// not known. It covers the first requested range, and as many later ones as one request can read.
func (specs rangeHeader) firstRead() storage.DownloadOption {
	if len(specs) == 0 {
		return everything
	}
	if specs[0].isSuffix() {
		if specs[0].last <= 0 {
			// The range has no bytes.
			return attributesOnly
		}
		// A negative offset counts from the end of the object.
		return storage.WithRange(-specs[0].last, -1)
	}

	// The start of a range of the last bytes depends on the size.
	var ranges []byteRange
	for _, spec := range specs {
		if spec.isSuffix() {
			break
		}
		ranges = append(ranges, spec.unclipped())
	}
	firstSpan := mergeRanges(ranges)[0]
	return firstSpan.byteRange.option()
}

// isSuffix reports whether the range is one of the last bytes of the object, such as "-5".
func (s rangeSpec) isSuffix() bool { return s.first < 0 }

// unclipped returns the bytes that a range with a first position selects of an object of any size. A
// range without a last position ends at the largest int64.
func (s rangeSpec) unclipped() byteRange {
	if s.last >= 0 && s.last < math.MaxInt64 {
		return byteRange{start: s.first, length: s.last - s.first + 1}
	}
	return byteRange{start: s.first, length: math.MaxInt64 - s.first}
}

var (
	everything = storage.WithRange(0, -1)
	// attributesOnly is an option for a download that reads only the attributes.
	attributesOnly = storage.WithRange(0, 0)
)

// option returns the option to download the range. A range up to the largest int64 means all bytes
// from its start.
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

// mergeRanges groups ranges into spans that are each read with one request. A range joins the span
// before it if it begins after that span and the gap is small. Later ranges never change the
// grouping of earlier ones.
func mergeRanges(ranges []byteRange) []readSpan {
	var spans []readSpan
	var requestedBytes, skippedBytes int64
	for _, r := range ranges {
		// All gaps of the response together have this limit. It grows with the ranges before this one, but not with
		// later ones, which must not change the grouping.
		maxSkipped := max(maxGap, requestedBytes)
		requestedBytes = addLengths(requestedBytes, r.length)
		if len(spans) == 0 {
			spans = append(spans, readSpan{byteRange: r, ranges: 1})
			continue
		}

		last := &spans[len(spans)-1]
		gap := r.start - last.byteRange.end()
		canSkip := gap >= 0 && gap <= maxGap && skippedBytes+gap <= maxSkipped
		if !canSkip {
			spans = append(spans, readSpan{byteRange: r, ranges: 1})
			continue
		}

		// The range joins the last span.
		last.byteRange.length = r.end() - last.byteRange.start
		last.ranges++
		skippedBytes += gap
	}
	return spans
}

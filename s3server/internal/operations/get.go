package operations

import (
	"errors"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// getObject responds to GET and HEAD. If the object is replaced before its bytes are read, it looks up the
// new object and checks the permissions for it.
func getObject(r *request.Request) error {
	const maxAttempts = 10
	header := r.Writer.Header()
	originalHeader := maps.Clone(header)
	for attempt := 1; ; attempt++ {
		isReplaced, err := getVersion(r)
		if !isReplaced || attempt == maxAttempts {
			return err
		}

		// Remove the headers of the replaced object.
		clear(header)
		maps.Copy(header, originalHeader)
		if err := authorizeRead(r); err != nil {
			return err
		}
	}
}

// getVersion responds with the version that the request names. If that was replaced before its bytes were
// opened, isReplaced is true and nothing was sent.
func getVersion(r *request.Request) (isReplaced bool, err error) {
	part, err := requestedPart(r)
	if err != nil {
		return false, err
	}
	mode := r.HTTP.Header.Get("X-Amz-Checksum-Mode")
	if mode != "" && !strings.EqualFold(mode, "ENABLED") {
		return false, s3error.New("InvalidRequest").WithMessage("Value for x-amz-checksum-mode header is invalid.")
	}

	v, err := findVersion(r)
	if err != nil {
		return false, err
	}
	defer r.Server.Store.Release(v)
	if err := checkRead(r, v); err != nil {
		return false, err
	}
	s, err := spanOf(r, v, part)
	if err != nil {
		return false, err
	}
	if err := setObjectHeaders(r, v); err != nil {
		return false, err
	}
	if !r.Has("versionId") {
		setExpirationHeader(r, v)
	}

	// Open the bytes before the status is sent, because a failure can still be reported then.
	if r.HTTP.Method == http.MethodGet {
		err := r.Server.Store.Prepare(r.HTTP.Context(), v, s.offset, s.length)
		if err != nil {
			// Prepare fails with ServiceUnavailable if the version was replaced.
			isReplaced = s3error.Is(err, "ServiceUnavailable")
			return isReplaced, err
		}
	}
	wantsSum := mode != ""
	sendSpan(r, v, s, wantsSum)
	return false, nil
}

// checkRead fails if a read cannot return a version: the request has another encryption key, a condition of the
// request does not hold, or the version is archived.
func checkRead(r *request.Request, v *state.Version) error {
	if err := rejectEncryptionHeaders(r.HTTP.Header); err != nil {
		return err
	}
	if err := checkReadKey(r, v.Object.Encryption, state.CustomerPrefix); err != nil {
		return err
	}
	if err := headers.CheckRead(r.HTTP.Header, v); err != nil {
		return err
	}
	if r.Server.IsArchived(v) && r.HTTP.Method == http.MethodGet {
		return s3error.New("InvalidObjectState", "StorageClass", v.Object.Properties.Class)
	}
	return nil
}

// sendSpan sends the status and the headers of a span of a version and, for a GET, its bytes. For a GET, the caller
// must have prepared the store for the read. wantsSum is true if the client asks for the checksum.
func sendSpan(r *request.Request, v *state.Version, s span, wantsSum bool) {
	header := r.Writer.Header()
	if wantsSum {
		s.sum.Write(header)
	}

	status := s.write(header, v.Object.Size)
	r.Writer.WriteHeader(status)
	if r.HTTP.Method == http.MethodGet {
		// The status has already been sent, so a failure only makes the body shorter.
		_ = r.Server.Store.Read(r.HTTP.Context(), v, s.offset, s.length, r.Writer)
	}
}

// findVersion returns the version that the request names, which the caller must release.
func findVersion(r *request.Request) (*state.Version, error) {
	id, err := r.VersionID()
	if err != nil {
		return nil, err
	}

	v, versionID, err := r.Find(state.VersionName{Bucket: r.Target.Bucket, Key: r.Target.Key, ID: id})
	setVersionIDHeader(r, versionID)
	if err != nil {
		// Find may return a version together with an error.
		r.Server.Store.Release(v)
		return nil, err
	}
	return v, nil
}

// setObjectHeaders sets the headers that describe an object, as far as parameters such as
// response-content-type do not override them.
func setObjectHeaders(r *request.Request, v *state.Version) error {
	header := r.Writer.Header()
	v.Object.Properties.Write(header)
	v.Object.Encryption.Write(header)
	if err := writeLock(r, v); err != nil {
		return err
	}
	v.Object.Restored.Write(header, r.Server.Now())
	header.Set("Etag", v.Object.ETag)
	header.Set("Last-Modified", v.Modified.Format(http.TimeFormat))
	header.Set("Accept-Ranges", "bytes")

	// A signed request may name other values for these headers.
	overridable := []string{
		"Cache-Control",
		"Content-Disposition",
		"Content-Encoding",
		"Content-Language",
		"Content-Type",
		"Expires",
	}
	for _, name := range overridable {
		parameter := "response-" + strings.ToLower(name)
		value := r.Query.Get(parameter)
		if value == "" {
			continue
		}
		if r.Caller.Anonymous {
			return s3error.New("InvalidRequest").
				WithMessage("Request specific response headers cannot be used for anonymous GET requests.")
		}
		if err := headers.Sendable(parameter, value, unicode.MaxLatin1); err != nil {
			return err
		}
		header.Set(name, value)
	}
	return nil
}

// parseRange parses a Range header with one range of bytes, for an object of size bytes. For a missing header or any
// other form, it returns the whole object. It fails with InvalidRange if the range is outside the object.
func parseRange(value string, size int64) (span, error) {
	whole := span{length: size}
	text, hasUnit := strings.CutPrefix(value, "bytes=")
	first, last, hasDash := strings.Cut(text, "-")
	if !hasUnit || !hasDash {
		return whole, nil
	}
	start, hasStart := rangeOffset(first)
	end, hasEnd := rangeOffset(last)

	// A range such as bytes=-500 is the last 500 bytes.
	if first == "" && hasEnd {
		length := min(end, size)
		if length == 0 {
			return span{}, invalidRange(value, size)
		}
		return span{offset: size - length, length: length, isPartial: true}, nil
	}

	// A range such as bytes=500- is all but the first 500 bytes. One such as bytes=500-999 has an end, too.
	isOpen := last == ""
	isClosed := hasEnd && start <= end
	if !hasStart || (!isOpen && !isClosed) {
		return whole, nil
	}
	if start >= size {
		return span{}, invalidRange(value, size)
	}
	if isOpen || end >= size {
		return span{offset: start, length: size - start, isPartial: true}, nil
	}
	return span{offset: start, length: end - start + 1, isPartial: true}, nil
}

// invalidRange returns the error of a range that is outside an object of size bytes.
func invalidRange(value string, size int64) error {
	total := strconv.FormatInt(size, 10)
	return s3error.New("InvalidRange", "RangeRequested", value, "ActualObjectSize", total).
		WithHeader("Content-Range", "bytes */"+total)
}

// rangeOffset parses an offset of a range, which consists of digits. An offset above the largest
// int64 counts as the largest int64.
func rangeOffset(text string) (offset int64, ok bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err == nil || errors.Is(err, strconv.ErrRange)
}

// A span is the range of bytes that a request reads from a version.
type span struct {
	offset, length int64
	isPartial      bool
	sum            checksum.Sum // checksum of the range; if S3 sends no checksum, its Kind is nil
	parts          int          // number of parts of the object, if the request reads one part; otherwise 0
}

// requestedPart returns the number of the part that the request reads, or 0 if it does not read a part.
func requestedPart(r *request.Request) (int, error) {
	if !r.Has("partNumber") {
		return 0, nil
	}

	number, err := partNumber(r)
	if err != nil {
		return 0, err
	}
	if r.HTTP.Header.Get("Range") != "" {
		return 0, s3error.New("InvalidRequest").
			WithMessage("Cannot specify both Range header and partNumber query parameter")
	}
	return number, nil
}

// spanOf returns the range of bytes that the request reads: the part with this number or, if the number is 0, the range
// in the Range header. If If-Range names another object, the range is the whole object.
func spanOf(r *request.Request, v *state.Version, number int) (span, error) {
	if number > 0 {
		return partSpan(v, number)
	}
	byteRange := r.HTTP.Header.Get("Range")
	if !headertext.RangeApplies(r.HTTP.Header, v.Object.ETag, v.Modified) {
		byteRange = ""
	}
	s, err := parseRange(byteRange, v.Object.Size)
	if err != nil {
		return span{}, err
	}
	s.sum = v.SumOf(s.offset, s.length, s.isPartial)
	return s, nil
}

// partSpan returns the span of the part with a number. An object of PutObject has one part, with the number 1.
// The header Content-Range cannot describe a part without bytes, so such a span is not partial.
func partSpan(v *state.Version, number int) (span, error) {
	count := max(1, len(v.Object.Parts))
	if number > count {
		return span{}, s3error.New("InvalidPartNumber", "ActualPartCount", strconv.Itoa(count), "PartNumberRequested",
			strconv.Itoa(number))
	}
	if len(v.Object.Parts) == 0 {
		return span{length: v.Object.Size, isPartial: v.Object.Size > 0, sum: v.Object.Sum}, nil
	}

	p := v.Object.Parts[number-1]
	s := span{offset: p.Offset, length: p.Size, isPartial: p.Size > 0, parts: count}
	// The response has the part's checksum, but says whether that of the object is composite.
	if p.Sum.Kind == v.Object.Sum.Kind {
		s.sum = checksum.Sum{Kind: p.Sum.Kind, Value: p.Sum.Value, Covers: v.Object.Sum.Covers}
	}
	return s, nil
}

// write sets the headers that describe the span, and returns the status of the response: 206 if the span is
// partial, and otherwise 200. size is the size of the whole object in bytes.
func (s span) write(header http.Header, size int64) int {
	header.Set("Content-Length", strconv.FormatInt(s.length, 10))
	if s.parts > 0 {
		header.Set("X-Amz-Mp-Parts-Count", strconv.Itoa(s.parts))
	}
	if !s.isPartial {
		return http.StatusOK
	}

	first := strconv.FormatInt(s.offset, 10)
	last := strconv.FormatInt(s.offset+s.length-1, 10)
	header.Set("Content-Range", "bytes "+first+"-"+last+"/"+strconv.FormatInt(size, 10))
	return http.StatusPartialContent
}

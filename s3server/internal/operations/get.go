package s3server

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
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// getObject serves GET and HEAD. The response to HEAD has no body. If the object is replaced before
// its bytes are read, getObject looks up the new object and checks the permissions for it.
func getObject(r *request) error {
	const most = 10
	header := r.w.Header()
	head := maps.Clone(header)
	for attempt := 1; ; attempt++ {
		replaced, err := getVersion(r)
		if !replaced || attempt == most {
			return err
		}
		clear(header)
		maps.Copy(header, head)
		if err := mayRead(r); err != nil {
			return err
		}
	}
}

// getVersion sends the version that the request names. If the version was replaced before its bytes
// were opened, replaced is true and nothing was sent.
func getVersion(r *request) (replaced bool, err error) {
	part, err := wantedPart(r)
	if err != nil {
		return false, err
	}
	mode := r.in.Header.Get("X-Amz-Checksum-Mode")
	if mode != "" && !strings.EqualFold(mode, "ENABLED") {
		return false, s3error.New("InvalidRequest").WithMessage("Value for x-amz-checksum-mode header is invalid.")
	}
	v, err := findVersion(r)
	if err != nil {
		return false, err
	}
	defer r.server.store.Release(v)
	if err := noEncryption(r.in.Header); err != nil {
		return false, err
	}
	if err := checkReader(r, v.Object.Encryption, state.CustomerPrefix); err != nil {
		return false, err
	}
	if err := headers.CheckRead(r.in.Header, v); err != nil {
		return false, err
	}
	if r.server.archived(v) && r.in.Method == http.MethodGet {
		return false, s3error.New("InvalidObjectState", "StorageClass", v.Object.Properties.Class)
	}
	s, err := r.span(v, part)
	if err != nil {
		return false, err
	}
	if err := describe(r, v); err != nil {
		return false, err
	}
	if !r.has("versionId") {
		showExpiration(r, v)
	}
	if r.in.Method == http.MethodGet {
		if err := r.server.store.Prepare(r.in.Context(), v, s.offset, s.length); err != nil {
			return s3error.Is(err, "ServiceUnavailable"), err
		}
	}
	if mode != "" {
		s.sum.Write(r.w.Header())
	}
	r.w.WriteHeader(s.write(r.w.Header(), v.Object.Size))
	if r.in.Method == http.MethodGet {
		// The status has already been sent. If reading fails, the client receives a short body.
		_ = r.server.store.Read(r.in.Context(), v, s.offset, s.length, r.w)
	}
	return false, nil
}

// findVersion returns the version that the request reads. The caller must release the version.
func findVersion(r *request) (*state.Version, error) {
	id, err := r.versionID()
	if err != nil {
		return nil, err
	}
	v, versionID, err := r.find(state.VersionName{Bucket: r.target.bucket, Key: r.target.key, ID: id})
	r.showID(versionID)
	if err != nil {
		r.server.store.Release(v)
		return nil, err
	}
	return v, nil
}

// versionID returns the parameter versionId. It returns "" if the request has none.
func (r *request) versionID() (string, error) {
	if !r.has("versionId") {
		return "", nil
	}
	id := r.query.Get("versionId")
	if id == "" {
		return "", s3error.New("InvalidArgument", "ArgumentName", "versionId", "ArgumentValue", "").
			WithMessage("Version id cannot be the empty string")
	}
	if !r.server.store.ValidID(id) {
		return "", s3error.New("InvalidArgument", "ArgumentName", "versionId", "ArgumentValue", id).
			WithMessage("Invalid version id specified")
	}
	return id, nil
}

// describe writes the headers that describe an object.
func describe(r *request, v *state.Version) error {
	header := r.w.Header()
	v.Object.Properties.Write(header)
	v.Object.Encryption.Write(header)
	if err := writeLock(r, v); err != nil {
		return err
	}
	v.Object.Restored.Write(header, r.server.now())
	header.Set("Etag", v.Object.ETag)
	header.Set("Last-Modified", v.Modified.Format(http.TimeFormat))
	header.Set("Accept-Ranges", "bytes")
	for _, name := range []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires"} {
		parameter := "response-" + strings.ToLower(name)
		value := r.query.Get(parameter)
		if value == "" {
			continue
		}
		if r.caller.anonymous {
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

// parseRange parses a Range header with one range of bytes. If the header is missing or has any
// other form, the read is of the whole object, and partial is false. If the range is outside the
// object, parseRange fails with InvalidRange.
func parseRange(value string, size int64) (offset, length int64, partial bool, err error) {
	span, ok := strings.CutPrefix(value, "bytes=")
	first, last, dash := strings.Cut(span, "-")
	start, isFrom := rangeOffset(first)
	end, isTo := rangeOffset(last)
	unsatisfiable := s3error.New("InvalidRange", "RangeRequested", value, "ActualObjectSize", strconv.FormatInt(size, 10)).
		WithHeader("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
	if !ok || !dash {
		return 0, size, false, nil
	}
	// A range such as bytes=-500: the last 500 bytes.
	if first == "" && isTo {
		n := min(end, size)
		if n == 0 {
			return 0, 0, false, unsatisfiable
		}
		return size - n, n, true, nil
	}
	if !isFrom || last != "" && (!isTo || end < start) {
		return 0, size, false, nil
	}
	if start >= size {
		return 0, 0, false, unsatisfiable
	}
	if last == "" || end >= size {
		return start, size - start, true, nil
	}
	return start, end - start + 1, true, nil
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
	partial        bool
	sum            checksum.Sum // checksum of the range; if S3 sends no checksum, its Kind is nil
	parts          int          // number of parts of the object, if the request reads one part; otherwise 0
}

// wantedPart returns the value of the parameter partNumber. It returns 0 if the request has none.
func wantedPart(r *request) (int, error) {
	if !r.has("partNumber") {
		return 0, nil
	}
	number, err := partNumber(r)
	if err == nil && r.in.Header.Get("Range") != "" {
		err = s3error.New("InvalidRequest").WithMessage("Cannot specify both Range header and partNumber query parameter")
	}
	return number, err
}

// span returns the range of bytes that the request reads. If number is not 0, the result is the
// part with this number. Otherwise the result is the range in the Range header. If If-Range names
// another object, the Range header does not apply, and the result is the whole object.
func (r *request) span(v *state.Version, number int) (span, error) {
	if number == 0 {
		byteRange := r.in.Header.Get("Range")
		if !headertext.RangeApplies(r.in.Header, v.Object.ETag, v.Modified) {
			byteRange = ""
		}
		offset, length, partial, err := parseRange(byteRange, v.Object.Size)
		return span{offset: offset, length: length, partial: partial, sum: v.SumOf(offset, length, partial)}, err
	}
	count := max(1, len(v.Object.Parts))
	if number > count {
		return span{}, s3error.New("InvalidPartNumber", "ActualPartCount", strconv.Itoa(count), "PartNumberRequested",
			strconv.Itoa(number))
	}
	if len(v.Object.Parts) == 0 { // an object of PutObject counts as one part
		return span{length: v.Object.Size, partial: v.Object.Size > 0, sum: v.Object.Sum}, nil
	}
	p := v.Object.Parts[number-1]
	s := span{offset: p.Offset, length: p.Size, partial: p.Size > 0, parts: count}
	if p.Sum.Kind == v.Object.Sum.Kind {
		s.sum = checksum.Sum{Kind: p.Sum.Kind, Value: p.Sum.Value, Covers: v.Object.Sum.Covers}
	}
	return s, nil
}

// write writes the response headers that describe the span, and returns the status: 200, or 206 if
// the span is partial.
func (s span) write(header http.Header, size int64) int {
	header.Set("Content-Length", strconv.FormatInt(s.length, 10))
	if s.parts > 0 {
		header.Set("X-Amz-Mp-Parts-Count", strconv.Itoa(s.parts))
	}
	if !s.partial {
		return http.StatusOK
	}
	header.Set(
		"Content-Range",
		"bytes "+strconv.FormatInt(s.offset, 10)+"-"+strconv.FormatInt(s.offset+s.length-1,
			10)+"/"+strconv.FormatInt(size, 10),
	)
	return http.StatusPartialContent
}

// find returns the version with this name, or the current version if the name has no id. It fails
// if there is no such version, or if the version is a delete marker. The caller must release v even
// if find fails.
func (r *request) find(name state.VersionName) (v *state.Version, shown string, err error) {
	v, shown, err = r.looked.at(r, name)
	// The caller of find releases the version. Remove the version from r, so that the end of the
	// request does not release it a second time.
	r.looked = lookedAt{}
	if err == nil {
		err = state.Readable(v, name)
	}
	return v, shown, err
}

// A lookedAt is the result of a lookup that checked permissions. It is kept for the read that
// follows.
type lookedAt struct {
	name    state.VersionName
	version *state.Version
	shown   string
	err     error
}

// at looks up a version and keeps the result in l. A second call for the same name returns the kept
// result. The check of permissions and the later read therefore use the same version, which is
// opened only once. DeleteObjects does not use this method, because it handles several keys
// concurrently.
func (l *lookedAt) at(r *request, name state.VersionName) (v *state.Version, shown string, err error) {
	if l.name != name {
		r.server.store.Release(l.version)
		v, shown, err = r.server.store.Find(r.in.Context(), name)
		*l = lookedAt{name, v, shown, err}
	}
	return l.version, l.shown, l.err
}

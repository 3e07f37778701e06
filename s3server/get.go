package s3server

import (
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// getObject is also HEAD, which differs only in the body. An object that is replaced before it is
// read is searched again.
func getObject(r *request) error {
	const most = 10
	header := r.w.Header()
	before := maps.Clone(header)
	for attempt := 1; ; attempt++ {
		replaced, err := getVersion(r)
		if !replaced || attempt == most {
			return err
		}
		clear(header)
		maps.Copy(header, before)
	}
}

// getVersion sends a version, or reports that it was replaced before it was read.
func getVersion(r *request) (replaced bool, err error) {
	part, err := wantedPart(r)
	if err != nil {
		return false, err
	}
	mode := r.Header.Get("X-Amz-Checksum-Mode")
	if mode != "" && !strings.EqualFold(mode, "ENABLED") {
		return false, s3error.New("InvalidRequest").WithMessage("Value for x-amz-checksum-mode header is invalid.")
	}
	v, err := findVersion(r)
	if err != nil {
		return false, err
	}
	defer r.server.store.release(v)
	if err := noEncryption(r.Header); err != nil {
		return false, err
	}
	if err := checkReader(r, v.object.encryption, customerPrefix); err != nil {
		return false, err
	}
	if err := checkRead(r.Header, v); err != nil {
		return false, err
	}
	if r.server.archived(v) && r.Method == http.MethodGet {
		return false, s3error.New("InvalidObjectState", "StorageClass", v.object.properties.class)
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
	if r.Method == http.MethodGet {
		if err := r.server.store.prepare(r.Context(), v, s.offset, s.length); err != nil {
			return s3error.Is(err, "ServiceUnavailable"), err
		}
	}
	if mode != "" {
		s.sum.Write(r.w.Header())
	}
	r.w.WriteHeader(s.write(r.w.Header(), v.object.size))
	if r.Method == http.MethodGet {
		// The status is already sent: if this fails, the client gets a short body.
		_ = r.server.store.read(r.Context(), v, s.offset, s.length, r.w)
	}
	return false, nil
}

// findVersion returns the version that a read asks for. The caller must release it.
func findVersion(r *request) (*version, error) {
	id, err := r.versionID()
	if err != nil {
		return nil, err
	}
	v, shown, err := r.find(versionName{r.target.bucket, r.target.key, id})
	r.showID(shown)
	if err != nil {
		r.server.store.release(v)
		return nil, err
	}
	return v, nil
}

// versionID returns the parameter, or "".
func (r *request) versionID() (string, error) {
	if !r.has("versionId") {
		return "", nil
	}
	id := r.query.Get("versionId")
	if id == "" {
		return "", s3error.New("InvalidArgument", "ArgumentName", "versionId", "ArgumentValue", "").WithMessage("Version id cannot be the empty string")
	}
	if !r.server.validVersionID(id) {
		return "", invalidVersion(id)
	}
	return id, nil
}

func invalidVersion(id string) *s3error.Error {
	return s3error.New("InvalidArgument", "ArgumentName", "versionId", "ArgumentValue", id).WithMessage("Invalid version id specified")
}

// sumOf returns the checksum that S3 sends with these bytes. A range has one if it is
// the whole object or exactly one part of the upload. A client that takes it for the
// object's checksum compares with the wrong one. For a range, a composite checksum has
// no "-N".
func (v *version) sumOf(offset, length int64, partial bool) checksum.Sum {
	if !partial {
		return v.object.sum
	}
	sum := v.object.sum
	if length == v.object.size {
		sum.Value, _, _ = strings.Cut(sum.Value, "-")
		return sum
	}
	for _, p := range v.object.parts {
		if p.offset == offset && p.size == length && p.sum.Kind == sum.Kind {
			sum.Value = p.sum.Value
			return sum
		}
	}
	return checksum.Sum{}
}

// describe writes the headers of an object.
func describe(r *request, v *version) error {
	header := r.w.Header()
	v.object.properties.write(header)
	v.object.encryption.write(header)
	v.object.lock.write(header)
	v.object.restored.write(header, r.server.now())
	header.Set("Etag", v.object.etag)
	header.Set("Last-Modified", v.modified.Format(http.TimeFormat))
	header.Set("Accept-Ranges", "bytes")
	for _, name := range []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires"} {
		value := r.query.Get("response-" + strings.ToLower(name))
		if value == "" {
			continue
		}
		if r.caller.anonymous {
			return s3error.New("InvalidRequest").WithMessage("Request specific response headers cannot be used for anonymous GET requests.")
		}
		header.Set(name, value)
	}
	return nil
}

// parseRange reads a Range header. Anything but one well-formed range is ignored.
func parseRange(value string, size int64) (offset, length int64, partial bool, err error) {
	span, found := strings.CutPrefix(value, "bytes=")
	first, last, dash := strings.Cut(span, "-")
	from, fromErr := strconv.ParseUint(first, 10, 63)
	to, toErr := strconv.ParseUint(last, 10, 63)
	unsatisfiable := s3error.New("InvalidRange", "RangeRequested", value, "ActualObjectSize", strconv.FormatInt(size, 10)).
		WithHeader("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
	switch {
	case !found || !dash:
		return 0, size, false, nil
	case first == "" && toErr == nil: // the last bytes
		n := min(int64(to), size)
		if n == 0 {
			return 0, 0, false, unsatisfiable
		}
		return size - n, n, true, nil
	case fromErr != nil, last != "" && (toErr != nil || to < from):
		return 0, size, false, nil
	case int64(from) >= size:
		return 0, 0, false, unsatisfiable
	case last == "" || int64(to) >= size:
		return int64(from), size - int64(from), true, nil
	}
	return int64(from), int64(to-from) + 1, true, nil
}

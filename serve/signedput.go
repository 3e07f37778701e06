package serve

import (
	"errors"
	"io"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/signedurl"
)

// put stores the body of a signed upload, after it has checked the header of the request.
func (h *handler) put(w http.ResponseWriter, r *http.Request, key string) *failure {
	grant, f := h.verify(r, http.MethodPut, key)
	if f != nil {
		return f
	}

	// S3 and Azure accept no chunked body at a signed URL, so it must not work here either.
	if r.ContentLength < 0 {
		return errNoLength
	}

	// The URL may be for a part of a multipart upload.
	if grant.Upload != "" {
		return h.putPart(w, r, grant)
	}

	opts, f := requestOptions(r, grant)
	if f != nil {
		return f
	}

	attrs, f := h.store(r, grant, r.Body, r.ContentLength, opts)
	if f != nil {
		return f
	}

	w.Header().Set("ETag", attrs.ETag)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// putPart stores the body of a request as the part of an upload that the URL was signed for.
func (h *handler) putPart(w http.ResponseWriter, r *http.Request, grant *signedurl.Grant) *failure {
	for _, name := range [...]string{"Content-Range", "If-Match", "If-None-Match", "If-Unmodified-Since"} {
		if r.Header.Get(name) != "" {
			// A part cannot have a condition or a range.
			return errRequest
		}
	}

	content := &boundedBody{src: r.Body, min: grant.MinSize, max: grant.MaxSize}
	if f := content.check(r.ContentLength); f != nil {
		return f
	}
	opts := append(grant.PartOptions(), storage.WithSize(r.ContentLength))
	part, err := storage.PutSignedPart(r.Context(), h.bucket, grant.Key, grant.Upload, grant.Part, content, opts...)
	if err != nil && content.failure != nil {
		// The upload failed because of the body.
		return content.failure
	}
	if err != nil {
		return failureOf(err)
	}

	w.Header().Set("ETag", part.ETag)
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// requestOptions returns the upload options for headers that were not signed. A client may add
// "If-None-Match: *", and a content type if none was signed, as on S3. Other conditions are refused,
// because an upload cannot enforce them.
func requestOptions(r *http.Request, grant *signedurl.Grant) ([]storage.UploadOption, *failure) {
	h := r.Header
	if headertext.Lines(h, "Content-Range") != "" {
		// RFC 9110, section 14.5, requires a refusal.
		return nil, errRequest
	}
	if headertext.Lines(h, "If-Match") != "" || headertext.Lines(h, "If-Unmodified-Since") != "" {
		return nil, errCondition
	}
	noneMatch := headertext.Lines(h, "If-None-Match")
	if noneMatch != "" && noneMatch != "*" {
		return nil, errCondition
	}

	var opts []storage.UploadOption
	if mediaType := h.Get("Content-Type"); mediaType != "" && !grant.HasContentType() {
		opts = append(opts, storage.WithContentType(mediaType))
	}
	if noneMatch == "*" && !grant.RequiresAbsence() {
		opts = append(opts, storage.IfAbsent())
	}
	return opts, nil
}

// store uploads the body to the key of the grant, if the grant permits its length. The length is -1
// if it is not known in advance.
func (h *handler) store(
	r *http.Request, grant *signedurl.Grant, body io.Reader, length int64, opts []storage.UploadOption,
) (*storage.Attrs, *failure) {
	content := &boundedBody{src: body, min: grant.MinSize, max: grant.MaxSize}
	if length >= 0 {
		if f := content.check(length); f != nil {
			return nil, f
		}
		opts = append(opts, storage.WithSize(length))
	}

	// The options of the signed URL come last, so that they decide the properties of the object.
	grantOpts, err := grant.UploadOptions()
	if err != nil {
		return nil, failureOf(err)
	}

	attrs, err := h.bucket.Upload(r.Context(), grant.Key, content, append(opts, grantOpts...)...)
	if err != nil && content.failure != nil {
		// The upload has failed because of the body.
		return nil, content.failure
	}
	if err != nil {
		return nil, failureOf(err)
	}
	return attrs, nil
}

// A boundedBody is a body whose length was signed. It fails as soon as its length cannot match, so
// that the upload stores nothing.
type boundedBody struct {
	src       io.Reader
	min, max  int64 // permitted length in bytes; if max is -1, any length
	bytesRead int64
	failure   *failure // response if Read has failed, and otherwise nil
}

var errBounds = errors.New("the length of the body is not the signed one")

// Read reads from the body. If the body is too long, too short or broken, it fails and sets b.failure to the
// response for the client.
func (b *boundedBody) Read(p []byte) (int, error) {
	hasMax := b.max >= 0
	remaining := b.max - b.bytesRead
	if hasMax && int64(len(p)) > remaining {
		// Read one byte more than permitted, to detect a body that is too long.
		p = p[:remaining+1]
	}

	n, err := b.src.Read(p)
	b.bytesRead += int64(n)
	if hasMax && b.bytesRead > b.max {
		b.failure = errTooLong
		return 0, errBounds
	}

	// Only at the end is it known whether the body is too short.
	if err == io.EOF {
		b.failure = b.check(b.bytesRead)
		if b.failure != nil {
			return 0, errBounds
		}
		return n, io.EOF
	}

	if err != nil {
		// net/http also cancels the request's context, and the upload then only reports that
		// cancellation. Record the cause here.
		b.failure = failureOr(err, errIncomplete)
	}
	return n, err
}

// failureOr returns the response to err, or fallback if that would be an internal error.
func failureOr(err error, fallback *failure) *failure {
	if f := failureOf(err); f != errInternal {
		return f
	}
	return fallback
}

// check returns the failure of a body of size bytes, or nil if that size is permitted. All sizes are
// permitted if b.max is negative.
func (b *boundedBody) check(size int64) *failure {
	if b.max < 0 {
		return nil
	}
	if size > b.max {
		return errTooLong
	}
	if size < b.min {
		return errTooShort
	}
	return nil
}

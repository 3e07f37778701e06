package serve

import (
	"errors"
	"io"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signed"
)

// put stores the body of a signed upload. What can be refused by the headers is,
// before a byte of the body is asked for.
func (h *handler) put(w http.ResponseWriter, r *http.Request, key string) *failure {
	g, f := h.verify(r, http.MethodPut, key)
	if f != nil {
		return f
	}
	opts, f := requestOptions(r, g)
	if f != nil {
		return f
	}
	attrs, f := h.store(r, g, r.Body, r.ContentLength, opts)
	if f != nil {
		return f
	}
	header := w.Header()
	header.Set("ETag", attrs.ETag)
	header.Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
	return nil
}

// requestOptions are what the client asks for beside what was signed: it may
// bind itself to create, and say the type if none was signed, as on clouds. A
// condition that cannot be kept is not passed over.
func requestOptions(r *http.Request, g *signed.Grant) (opts []storage.UploadOption, f *failure) {
	h := r.Header
	if mediaType := h.Get("Content-Type"); mediaType != "" && !g.HasType() {
		opts = append(opts, storage.WithContentType(mediaType))
	}
	if h.Get("Content-Range") != "" { // RFC 9110, 14.5
		return nil, errRequest
	}
	if h.Get("If-Match") != "" || h.Get("If-Unmodified-Since") != "" {
		return nil, errCondition
	}
	switch h.Get("If-None-Match") {
	case "":
		return opts, nil
	case "*":
		if !g.Creates() {
			opts = append(opts, storage.IfAbsent())
		}
		return opts, nil
	}
	return nil, errCondition
}

// store stores length bytes of body, -1 where that is not known, as g has it.
func (h *handler) store(r *http.Request, g *signed.Grant, body io.Reader, length int64, opts []storage.UploadOption) (*storage.Attrs, *failure) {
	content := &boundedBody{from: body, min: g.MinSize, max: g.MaxSize}
	if length >= 0 {
		if f := content.check(length); f != nil {
			return nil, f
		}
		opts = append(opts, storage.WithSize(length))
	}
	granted, err := g.UploadOptions()
	if err != nil {
		return nil, failureOf(err)
	}
	attrs, err := h.bucket.Upload(r.Context(), g.Key, content, append(opts, granted...)...)
	switch {
	case err == nil:
		return attrs, nil
	case content.failure != nil:
		return nil, content.failure
	}
	return nil, failureOf(err)
}

// bounded is a body that fails where it is not as long as was signed, as soon as
// that shows: an upload of it stores nothing.
type boundedBody struct {
	from        io.Reader
	min, max int64 // bytes; most -1: any
	read        int64
	failure      *failure
}

var errBounds = errors.New("the body is not as long as was signed")

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.max >= 0 {
		p = p[:min(int64(len(p)), b.max-b.read+1)]
	}
	n, err := b.from.Read(p)
	b.read += int64(n)
	if b.max >= 0 && b.read > b.max {
		b.failure = errTooLong
		return 0, errBounds
	}
	switch err {
	case nil:
	case io.EOF:
		if b.failure = b.check(b.read); b.failure != nil {
			return 0, errBounds
		}
	default: // net/http ends the request's context too: that is not why
		b.failure = bodyFailure(err)
	}
	return n, err
}

// unreadable is why a body cannot be read any further.
func bodyFailure(err error) *failure {
	if f := failureOf(err); f != errInternal {
		return f
	}
	return errIncomplete
}

// judge is the verdict on a body of size bytes.
func (b *boundedBody) check(size int64) *failure {
	switch {
	case b.max < 0:
		return nil
	case size > b.max:
		return errTooLong
	case size < b.min:
		return errTooShort
	}
	return nil
}

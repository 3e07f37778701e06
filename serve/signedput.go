package serve

import (
	"errors"
	"io"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
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
func requestOptions(r *http.Request, g *signedurl.Grant) (opts []storage.UploadOption, f *failure) {
	h := r.Header
	if mediaType := h.Get("Content-Type"); mediaType != "" && !g.HasContentType() {
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
		if !g.RequiresAbsence() {
			opts = append(opts, storage.IfAbsent())
		}
		return opts, nil
	}
	return nil, errCondition
}

// store stores length bytes of body, -1 where that is not known, as g has it.
func (h *handler) store(r *http.Request, g *signedurl.Grant, body io.Reader, length int64, opts []storage.UploadOption) (*storage.Attrs, *failure) {
	content := &bounded{from: body, least: g.MinSize, most: g.MaxSize}
	if length >= 0 {
		if f := content.judge(length); f != nil {
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
	case content.broken != nil:
		return nil, content.broken
	}
	return nil, failureOf(err)
}

// bounded is a body that fails where it is not as long as was signed, as soon as
// that shows: an upload of it stores nothing.
type bounded struct {
	from        io.Reader
	least, most int64 // bytes; most -1: any
	read        int64
	broken      *failure
}

var errBounds = errors.New("the body is not as long as was signed")

func (b *bounded) Read(p []byte) (int, error) {
	if b.most >= 0 {
		p = p[:min(int64(len(p)), b.most-b.read+1)]
	}
	n, err := b.from.Read(p)
	b.read += int64(n)
	if b.most >= 0 && b.read > b.most {
		b.broken = errTooLong
		return 0, errBounds
	}
	switch err {
	case nil:
	case io.EOF:
		if b.broken = b.judge(b.read); b.broken != nil {
			return 0, errBounds
		}
	default: // net/http ends the request's context too: that is not why
		b.broken = unreadable(err)
	}
	return n, err
}

// unreadable is why a body cannot be read any further.
func unreadable(err error) *failure {
	if f := failureOf(err); f != errInternal {
		return f
	}
	return errIncomplete
}

// judge is the verdict on a body of size bytes.
func (b *bounded) judge(size int64) *failure {
	switch {
	case b.most < 0:
		return nil
	case size > b.most:
		return errTooLong
	case size < b.least:
		return errTooShort
	}
	return nil
}

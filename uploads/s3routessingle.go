package uploads

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/bodylimit"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/uploads/internal/intake"
)

// beginSingle begins a file in one request. Uppy does not say how large it is, so its bytes pass through the
// handler, which bounds them.
func (h *handler) beginSingle(c *call) error {
	// Any page can make a browser send a GET with the user's cookies.
	if c.Header.Get("Sec-Fetch-Site") == "cross-site" && c.w.Header().Get("Access-Control-Allow-Origin") == "" {
		return refuse("Origin", NotAllowed, "Pages of other sites may not do this.")
	}
	query := c.URL.Query()
	n := Request{Name: query.Get("filename"), Type: query.Get("type"), Size: -1}
	values := map[string]any{}
	for name, value := range query {
		if inner, ok := strings.CutPrefix(name, "metadata["); ok && strings.HasSuffix(inner, "]") {
			values[strings.TrimSuffix(inner, "]")] = value[0]
		}
	}
	var err error
	if n.Metadata, err = textMetadata(values); err != nil {
		return err
	}
	s, err := h.keeper.begin(c, kindSingle, n, "size")
	if err != nil {
		return err
	}
	ttl := min(h.config.TTL, h.config.UploadTTL)
	s.Expires = h.config.Now().Add(ttl).UTC()
	if err := h.keeper.save(c.Context(), s); err != nil {
		return err
	}
	return c.json(http.StatusOK, signedRequest{
		Method: http.MethodPut, URL: h.baseURL(c.Request) + "/s3/single/" + url.PathEscape(s.id),
		Fields: map[string]string{"key": s.key()}, Headers: map[string]string{}, Expires: int64(ttl / time.Second),
	})
}

// putSingle stores a file in one request. The address is the permission.
func (h *handler) putSingle(c *call) error {
	s, err := h.loadSigned(c)
	switch {
	case err != nil:
		return err
	case s.Kind != kindSingle:
		return notFound()
	}
	held := int64(intake.FileHeld)
	if s.Target.MaxSize > 0 {
		held = min(held, s.Target.MaxSize)
	}
	release, err := c.share(held)
	if err != nil {
		return err
	}
	defer release()
	body, size, err := c.file(s.Target.MaxSize)
	if err != nil {
		return err
	}
	summed := &summedBody{from: body}
	earlier := s.Phase
	if earlier != phaseDone {
		s, err = h.keeper.finish(c.Context(), s, func(ctx context.Context, key string) (*storage.Attrs, error) {
			opts := s.upload(optionsFor[storage.UploadOption](h.keeper.firstTarget(s)))
			if size >= 0 {
				opts = append(opts, storage.WithSize(size))
			}
			attrs, err := h.bucket.Upload(ctx, key, summed, opts...)
			if err != nil || s.Target.Overwrite {
				return attrs, err
			}
			// An earlier request of this address may have stored a file before all of this request was
			// read.
			return attrs, summed.compare(attrs, exists())
		})
	}
	if err == nil && earlier != phaseOpen {
		err = h.repeatSingle(c.Context(), s, summed, earlier)
	}
	if err != nil {
		return err
	}
	header := c.w.Header()
	header.Set("ETag", `"`+rand.Text()+`"`) // Uppy waits for one
	if s.location() != "" {
		header.Set("Location", s.location())
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// repeatSingle succeeds if a client sends its file again: it would start again otherwise, and have the file twice. If
// it has only lost the response (phaseDone), a file whose CRC32C is not known may be another one.
func (h *handler) repeatSingle(ctx context.Context, s *session, body *summedBody, earlier string) error {
	stored, err := h.bucket.Attrs(ctx, s.Target.Key)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound, // the application has removed the file
		err == nil && earlier == phaseDone && !stored.CRC32C.Known:
		return s.completed()
	case err == nil:
		err = body.compare(stored, s.completed())
	}
	if err != nil {
		return storeFailed(err)
	}
	return nil
}

type summedBody struct {
	from  io.Reader
	bytes int64
	crc   uint32
}

// compare reads the rest, and returns other if the body is not what is stored.
func (b *summedBody) compare(stored *storage.Attrs, other *Error) error {
	if _, err := io.Copy(io.Discard, b); err != nil {
		return &storage.Error{Code: storage.BodyFailed, Err: err}
	}
	if stored.Size != b.bytes || stored.CRC32C.Known && stored.CRC32C.Sum != b.crc {
		return other
	}
	return nil
}

func (b *summedBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.bytes, b.crc = b.bytes+int64(n), crc32c.Update(b.crc, p[:n])
	return n, err
}

// boundedBody returns the body, which fails after most bytes (0 means no limit) or if the
// client sends nothing for a while.
func (c *call) boundedBody(most int64) (io.Reader, error) {
	if most <= 0 {
		return intake.Body(c.w, c.Request), nil
	}
	if c.ContentLength > most {
		return nil, tooLarge("Content-Length", most)
	}
	return bodylimit.New(intake.Body(c.w, c.Request), most, tooLarge("body", most)), nil
}

// file returns the bytes of a file in one request, and how many there are, or -1. The file is the
// body, or a field of a form. Reading fails after most bytes (0 means no limit) or if the client
// sends nothing for a while.
func (c *call) file(most int64) (io.Reader, int64, error) {
	if c.Method == http.MethodPost {
		file, err := c.formFile(most)
		return file, -1, err
	}
	body, err := c.boundedBody(most)
	return body, c.ContentLength, err
}

// formFile returns the field "file" of a form. Fields before it are skipped, and those after it are not
// read.
func (c *call) formFile(most int64) (io.Reader, error) {
	all := most
	if most > 0 {
		all += maxFieldBytes
	}
	body, err := c.boundedBody(all)
	if err != nil {
		return nil, tooLarge("Content-Length", most)
	}
	form, err := newFormReader(c, body, fileField, maxFieldBytes)
	if err != nil {
		return nil, err
	}
	switch part, err := form.next(); {
	case err == io.EOF:
		return nil, noFile()
	case err != nil || most <= 0:
		return part, err
	default:
		return bodylimit.New(part, most, tooLarge("body", most)), nil
	}
}

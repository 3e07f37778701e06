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

// beginSingle begins an upload of a file in one request. Uppy does not send the size of the file,
// so the bytes pass through the handler, which limits them. The room for the file is reserved when its
// bytes arrive.
func (h *handler) beginSingle(c *call) error {
	// A page can make a browser send a GET with the user's cookies: a page of any site by a script,
	// and a page of the same site also by an image or a link that a user has put there.
	if dest := c.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "empty" {
		return refuse("Sec-Fetch-Dest", NotAllowed, "Only a script may do this.")
	}
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
	if e := h.keeper.checkRoom(c.Context(), s); e != nil {
		return e
	}
	if err := h.keeper.save(c.Context(), s); err != nil {
		return err
	}
	return c.json(http.StatusOK, signedRequest{
		Method:  http.MethodPut,
		URL:     h.baseURL(c.Request) + "/s3/single/" + url.PathEscape(s.id),
		Fields:  map[string]string{"key": s.key()},
		Headers: map[string]string{},
		Expires: int64(ttl / time.Second),
	})
}

// putSingle stores a file that is sent in one request. The request needs no login, because its URL
// is secret.
func (h *handler) putSingle(c *call) error {
	s, err := h.loadSigned(c)
	if err != nil {
		return err
	}
	if s.Kind != kindSingle {
		return notFound()
	}
	bytes := int64(intake.FileHeld)
	if s.Target.MaxSize > 0 {
		bytes = min(bytes, s.Target.MaxSize)
	}
	release, err := c.share(bytes)
	if err != nil {
		return err
	}
	defer release()
	body, size, err := c.file(s.Target.MaxSize)
	if err != nil {
		return err
	}
	arriving := &arrival{size: size}
	s.arrival = arriving
	summed := &summedBody{from: body}
	phase := s.Phase
	if phase != phaseDone {
		s, err = h.keeper.finish(c.Context(), s, func(ctx context.Context, key string) (*storage.Attrs, error) {
			opts := s.upload(optionsFor[storage.UploadOption](h.keeper.firstTarget(s)))
			maximum := arriving.most
			if size >= 0 {
				opts = append(opts, storage.WithSize(size))
			} else if maximum > 0 {
				summed.from = bodylimit.New(body, maximum, tooLarge("body", maximum))
			}
			attrs, err := h.bucket.Upload(ctx, key, summed, opts...)
			if err != nil || s.Target.Overwrite {
				return attrs, err
			}
			// An earlier request with the same URL may have stored its file while this body was
			// read, so compare this body with the stored object.
			return attrs, summed.compare(attrs, exists())
		})
	}
	if err == nil && phase != phaseOpen {
		err = h.repeatSingle(c.Context(), s, summed, phase)
	}
	if err != nil {
		return err
	}
	header := c.w.Header()
	header.Set("ETag", `"`+rand.Text()+`"`) // Uppy fails without an ETag
	if s.location() != "" {
		header.Set("Location", s.location())
	}
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// repeatSingle responds to a client that sends its file again after the file was stored. If the
// body equals the stored file, the request succeeds. A failure would make the client begin a new
// upload and store its file twice. The request fails with Completed in these cases:
//
//   - The body differs from the stored file.
//   - The stored file was removed.
//   - The upload was done before this request, and the store has no CRC32C of the file. The body
//     could then be another file.
//
// phase is that of the session before this request.
func (h *handler) repeatSingle(ctx context.Context, s *session, body *summedBody, phase string) error {
	attrs, err := h.bucket.Attrs(ctx, s.Target.Key)
	if storage.CodeOf(err) == storage.ObjectNotFound { // the application has removed the file
		return s.completed()
	}
	if err == nil && phase == phaseDone && !attrs.CRC32C.Known {
		return s.completed()
	}
	if err == nil {
		err = body.compare(attrs, s.completed())
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

// compare reads the rest of the body. If the body differs from the stored object in size or CRC32C,
// it returns the error passed as other.
func (b *summedBody) compare(attrs *storage.Attrs, other *Error) error {
	if _, err := io.Copy(io.Discard, b); err != nil {
		return &storage.Error{Code: storage.BodyFailed, Err: err}
	}
	if attrs.Size != b.bytes || attrs.CRC32C.Known && attrs.CRC32C.Sum != b.crc {
		return other
	}
	return nil
}

func (b *summedBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.bytes, b.crc = b.bytes+int64(n), crc32c.Update(b.crc, p[:n])
	return n, err
}

// boundedBody returns the request's body. limit is the greatest permitted length in
// bytes, and 0 means no limit. If the body is longer, boundedBody or a later Read fails. Read also
// fails if the client sends too slowly.
func (c *call) boundedBody(limit int64) (io.Reader, error) {
	if limit <= 0 {
		return intake.Body(c.w, c.Request), nil
	}
	if c.ContentLength > limit {
		return nil, tooLarge("Content-Length", limit)
	}
	return bodylimit.New(intake.Body(c.w, c.Request), limit, tooLarge("body", limit)), nil
}

// file returns a reader of a file that is sent in one request, and the file's length in bytes, or
// -1 if it is not known. For a POST, the file is a field of a form; otherwise it is the body. The
// argument limit is the greatest permitted length of the file in bytes, and 0 means no limit.
// Reading fails if the file is longer, or if the client sends too slowly.
func (c *call) file(limit int64) (io.Reader, int64, error) {
	if c.Method == http.MethodPost {
		file, err := c.formFile(limit)
		return file, -1, err
	}
	body, err := c.boundedBody(limit)
	return body, c.ContentLength, err
}

// formFile returns a reader of the field "file" of a form. It skips the fields before the file, and
// does not read those after it.
func (c *call) formFile(limit int64) (io.Reader, error) {
	all := limit
	if limit > 0 {
		all += maxFieldBytes
	}
	body, err := c.boundedBody(all)
	if err != nil {
		return nil, tooLarge("Content-Length", limit)
	}
	form, err := newFormReader(c, body, fileField, maxFieldBytes)
	if err != nil {
		return nil, err
	}
	part, err := form.next()
	if err == io.EOF {
		return nil, noFile()
	}
	if err != nil || limit <= 0 {
		return part, err
	}
	return bodylimit.New(part, limit, tooLarge("body", limit)), nil
}

package s3routes

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// beginSingle begins an upload of a file in one request, whose bytes pass through the handler because Uppy
// does not say how many there are. Room for them is reserved when they arrive.
func (h *Handler) beginSingle(c *intake.Call) error {
	if err := checkSender(c); err != nil {
		return err
	}

	// Create the session. The size is not known yet.
	metadata, err := queryMetadata(c.URL.Query())
	if err != nil {
		return err
	}
	request := session.Request{
		Name:     c.URL.Query().Get("filename"),
		Type:     c.URL.Query().Get("type"),
		Size:     -1,
		Metadata: metadata,
	}
	s, err := h.Uploads.Begin(c.Request, c.User, session.KindSingle, request, "size")
	if err != nil {
		return err
	}

	// The session expires together with the URL that the response has.
	ttl := min(h.TTL, h.URLTTL)
	s.Expires = h.Store.Now().Add(ttl).UTC()

	// Fail now if there is no room for any file. The PUT reserves the room, when it knows more of the size.
	if err := h.Uploads.CheckRoom(c.Context(), s); err != nil {
		return err
	}
	if err := h.Store.Save(c.Context(), s); err != nil {
		return err
	}

	return c.JSON(http.StatusOK, signedRequest{
		Method:  http.MethodPut,
		URL:     h.publicURL(c.Request) + "/s3/single/" + url.PathEscape(s.ID),
		Fields:  map[string]string{"key": s.Key()},
		Headers: map[string]string{},
		Expires: int64(ttl / time.Second),
	})
}

// queryMetadata returns the metadata in a query, in parameters such as metadata[color]=blue.
func queryMetadata(query url.Values) (map[string]string, error) {
	values := map[string]any{}
	for param, texts := range query {
		inner, hasPrefix := strings.CutPrefix(param, "metadata[")
		name, hasSuffix := strings.CutSuffix(inner, "]")
		if hasPrefix && hasSuffix {
			values[name] = texts[0]
		}
	}
	return textMetadata(values)
}

// checkSender fails if the browser says that a page of another site sends the request, unless the origin is allowed, or
// that no script sends it. A GET has the cookies of the user in these cases, too: a script of another site may send it,
// and so may an image or a link on a page of the same site.
func checkSender(c *intake.Call) error {
	if dest := c.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "empty" {
		return refusal.New("Sec-Fetch-Dest", refusal.CodeNotAllowed, "Only a script may do this.")
	}
	isCrossSite := c.Header.Get("Sec-Fetch-Site") == "cross-site"
	isAllowedOrigin := c.W.Header().Get("Access-Control-Allow-Origin") != ""
	if isCrossSite && !isAllowedOrigin {
		return refusal.New("Origin", refusal.CodeNotAllowed, "Pages of other sites may not do this.")
	}
	return nil
}

// putSingle stores a file that is sent in one request, to a URL that is secret and needs no login.
func (h *Handler) putSingle(c *intake.Call) error {
	s, err := h.loadSigned(c)
	if err != nil {
		return err
	}
	if s.Kind != session.KindSingle {
		return refusal.NotFound()
	}

	// Wait for a share of the memory that the file needs.
	bufferSize := int64(intake.FileHeld)
	if s.Target.MaxSize > 0 {
		bufferSize = min(bufferSize, s.Target.MaxSize)
	}
	release, err := c.Share(bufferSize)
	if err != nil {
		return err
	}
	defer release()

	s, err = h.storeSingle(c, s)
	if err != nil {
		return err
	}

	// Uppy fails without an ETag.
	header := c.W.Header()
	header.Set("ETag", `"`+rand.Text()+`"`)
	if s.URL() != "" {
		header.Set("Location", s.URL())
	}
	c.W.WriteHeader(http.StatusOK)
	return nil
}

// storeSingle stores the file that a request sends, and returns the session of its finished upload. If an earlier
// request has made the file, or may have, this request must send the same file.
func (h *Handler) storeSingle(c *intake.Call, s *session.Session) (*session.Session, error) {
	file, size, err := sentFile(c, s.Target.MaxSize)
	if err != nil {
		return nil, err
	}
	s.Arrival = &session.Arrival{Size: size}
	body := &summedBody{src: file}

	isFirst := s.Phase == session.PhaseOpen // no earlier request has tried to make the file
	wasDone := s.Phase == session.PhaseDone
	if !wasDone {
		s, err = h.finishSingle(c.Context(), s, body)
		if err != nil {
			return nil, err
		}
	}
	if isFirst {
		return s, nil
	}

	// An earlier request may have stored other bytes than this one sends.
	if err := h.checkRepeated(c.Context(), s, body, wasDone); err != nil {
		return nil, err
	}
	return s, nil
}

// finishSingle makes the file of a session from the body of this request.
func (h *Handler) finishSingle(
	ctx context.Context, s *session.Session, body *summedBody,
) (*session.Session, error) {
	arrival := s.Arrival // Finish sets its field MaxSize before it calls the function below
	file := body.src
	return h.Uploads.Finish(ctx, s, func(ctx context.Context, key string) (*storage.Attrs, error) {
		body.src = limitFile(file, arrival)
		return h.storeFile(ctx, s, arrival.Size, key, body)
	})
}

// limitFile limits a file of unknown length to the room that Finish has reserved for it.
func limitFile(file io.Reader, arrival *session.Arrival) io.Reader {
	if arrival.Size >= 0 || arrival.MaxSize <= 0 {
		return file
	}
	return bodyio.LimitReader(file, arrival.MaxSize, refusal.TooLarge("body", arrival.MaxSize))
}

// storeFile stores the body of a request, which has size bytes, as the object with this key. If the size is unknown, it
// is below 0.
func (h *Handler) storeFile(
	ctx context.Context, s *session.Session, size int64, key string, body *summedBody,
) (*storage.Attrs, error) {
	opts := s.UploadOptions(session.OptionsFor[storage.UploadOption](h.Uploads.FirstTarget(s)))
	if size >= 0 {
		opts = append(opts, storage.WithSize(size))
	}
	attrs, err := h.Store.Bucket.Upload(ctx, key, body, opts...)
	if err != nil || s.Target.Overwrite {
		return attrs, err
	}

	// Upload overwrites nothing, so the object may be that of an earlier request with the same URL. That
	// request must have sent the same file.
	return attrs, body.compare(attrs, refusal.Exists())
}

// checkRepeated checks that a client that sends its file again, after it was stored, sends the same file. It
// fails with Completed for any other file, or if the stored one was removed. If the upload was done before this
// request (wasDone), it also fails with Completed if the store has no checksum to compare.
func (h *Handler) checkRepeated(ctx context.Context, s *session.Session, body *summedBody, wasDone bool) error {
	attrs, err := h.Store.Bucket.Attrs(ctx, s.Target.Key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		// The application has removed the file.
		return s.Completed()
	}
	if err != nil {
		return refusal.StoreFailed(err)
	}
	if wasDone && !attrs.CRC32C.Known {
		return s.Completed()
	}
	err = body.compare(attrs, s.Completed())
	if err != nil {
		return refusal.StoreFailed(err)
	}
	return nil
}

// A summedBody counts the bytes of a body, and has their CRC32C.
type summedBody struct {
	src   io.Reader
	bytes int64
	crc   uint32
}

// compare reads the rest of the body, and returns mismatch if the whole body differs from the stored object
// in size or CRC32C.
func (b *summedBody) compare(attrs *storage.Attrs, mismatch *refusal.Error) error {
	_, err := io.Copy(io.Discard, b)
	if err != nil {
		return &storage.Error{Code: storage.BodyFailed, Err: err}
	}
	if attrs.Size != b.bytes {
		return mismatch
	}
	if attrs.CRC32C.Known && attrs.CRC32C.Sum != b.crc {
		return mismatch
	}
	return nil
}

// Read reads from the body, and updates the length and the checksum of what was read.
func (b *summedBody) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	b.bytes += int64(n)
	b.crc = crc32c.Update(b.crc, p[:n])
	return n, err
}

// sentFile returns a reader of the file that a request sends as its body or, with POST, as a field of a
// form. It also returns the length of the file, or -1 if the length is not known. Reading fails after limit
// bytes, unless the limit is 0.
func sentFile(c *intake.Call, limit int64) (file io.Reader, length int64, err error) {
	if c.Method == http.MethodPost {
		file, err := formFile(c, limit)
		return file, -1, err
	}
	body, err := c.BoundedBody(limit)
	return body, c.ContentLength, err
}

// maxFieldBytes limits the bytes of all fields without a file.
const maxFieldBytes = 64 << 10

// formFile returns a reader of the field "file" of a form, which fails after limit bytes unless the limit is
// 0. It skips the fields before the file, and does not read those after it.
func formFile(c *intake.Call, limit int64) (io.Reader, error) {
	isLimited := limit > 0
	// The body may be longer than the file by the other fields.
	bodyLimit := limit
	if isLimited {
		bodyLimit += maxFieldBytes
	}
	body, err := c.BoundedBody(bodyLimit)
	if err != nil {
		return nil, refusal.TooLarge("Content-Length", limit)
	}

	form, err := intake.NewFormReader(c, body, refusal.FileField, maxFieldBytes)
	if err != nil {
		return nil, err
	}

	// Find the file.
	part, err := form.Next()
	if err == io.EOF {
		return nil, refusal.NoFile()
	}
	if err != nil {
		return nil, err
	}

	if !isLimited {
		return part, nil
	}
	// The length of the file itself is limited, too.
	return bodyio.LimitReader(part, limit, refusal.TooLarge("body", limit)), nil
}

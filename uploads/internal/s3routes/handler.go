// Package s3routes receives files by the routes of Uppy's companion for S3, in parts or in one request.
// Its main type is [Handler].
package s3routes

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/partsize"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

const (
	maxParts = 4 << 20  // bytes of a JSON document with the ETags of 10,000 parts
	maxBegin = 64 << 10 // bytes of a JSON document that begins an upload
	maxBatch = 1000     // number of parts that the handler signs at most in response to one request
	maxNamed = 50_000   // number of parts that a client may list; Azure allows no more
)

// A beginRequest is the JSON of a request that begins an upload in parts. Uppy sends only the first
// three fields.
type beginRequest struct {
	Name     string         `json:"filename"`
	Type     string         `json:"type"`
	Metadata map[string]any `json:"metadata"`
	// Size is the size of the file in bytes. If the client sends Size, the server knows the size of
	// each part. A store that can check sizes then refuses a part of any other size.
	Size *int64 `json:"size"`
	// Checksum is "crc32c" if the client will send a checksum with each part. The store then
	// verifies the checksums.
	Checksum string `json:"checksum"`
}

// A begunUpload is the JSON of a new upload in parts.
type begunUpload struct {
	Key         string    `json:"key"`
	UploadID    string    `json:"uploadId"`
	PartSize    int64     `json:"partSize"` // a part size that fits this file, in bytes
	MinPartSize int64     `json:"minPartSize"`
	MaxPartSize int64     `json:"maxPartSize,omitempty"`
	MaxParts    int       `json:"maxParts,omitempty"`
	ExpiresAt   time.Time `json:"expiresAt"`
	// Checksum is "crc32c" if the client must send the checksum of each part.
	Checksum string `json:"checksum,omitempty"`
}

// A Handler handles the S3 routes.
type Handler struct {
	Store      *session.Store
	Uploads    Uploads
	Memory     *intake.Memory
	ProxyParts bool          // Config.ProxyParts
	BaseURL    string        // Config.BaseURL
	TTL        time.Duration // Config.TTL
	URLTTL     time.Duration // Config.UploadTTL
}

// Uploads begins and ends uploads by the rules of the service.
type Uploads interface {
	// Load returns the session with this ID, if it belongs to this user. LoadAny returns that of any user.
	Load(ctx context.Context, id string, user session.User) (*session.Session, error)
	LoadAny(ctx context.Context, id string) (*session.Session, error)
	// Begin returns a new session, which is not saved.
	Begin(r *http.Request, user session.User, kind string, n session.Request, sizeField string) (*session.Session, error)
	// Reserve reserves room for the file. Unreserve releases it if the session was not saved because of err.
	// CheckRoom reserves nothing.
	Reserve(ctx context.Context, s *session.Session, replaces ...string) error
	Unreserve(ctx context.Context, s *session.Session, err error)
	CheckRoom(ctx context.Context, s *session.Session) error
	// BeginUpload begins the multipart upload of a session in the store.
	BeginUpload(ctx context.Context, s *session.Session, extra ...storage.MultipartOption) (storage.MultipartUpload, error)
	// FirstTarget returns the Target for the first object that has the bytes of a session.
	FirstTarget(s *session.Session) session.Target
	// Finish ends an upload whose bytes have arrived, and Abort any other.
	Finish(ctx context.Context, s *session.Session, make session.Maker) (*session.Session, error)
	Abort(ctx context.Context, s *session.Session) error
}

// Register registers the routes: with forUser those that need a user, and with forAll those whose URL is
// secret or signed.
func (h *Handler) Register(forUser, forAll func(pattern string, f func(*intake.Call) error)) {
	forUser("POST /s3/multipart", h.beginParts)
	forUser("GET /s3/multipart/{id}", h.listParts)
	forUser("GET /s3/multipart/{id}/{part}", h.signPart)
	forUser("GET /s3/multipart/{id}/batch", h.signParts)
	forUser("POST /s3/multipart/{id}/complete", h.completeParts)
	forUser("DELETE /s3/multipart/{id}", h.abortParts)
	forUser("GET /s3/params", h.beginSingle)
	forAll("PUT /s3/single/{id}", h.putSingle)
	// Uppy 6 sends the file in a form.
	forAll("POST /s3/single/{id}", h.putSingle)
	forAll("PUT /s3/part/{id}/{part}", h.putPart)
}

// beginParts begins an upload in parts, and sends its ID and the limits of its parts.
func (h *Handler) beginParts(c *intake.Call) error {
	var req beginRequest
	if err := c.ReadJSON(&req, maxBegin); err != nil {
		return err
	}

	n, err := req.sessionRequest()
	if err != nil {
		return err
	}

	// Create the session and reserve room for the file.
	s, err := h.Uploads.Begin(c.Request, c.User, session.KindParts, n, "size")
	if err != nil {
		return err
	}
	s.Checked = req.Checksum != ""
	s.Proxied = h.ProxyParts
	if err := h.Uploads.Reserve(c.Context(), s); err != nil {
		return err
	}
	limits, err := h.saveParts(c.Context(), s)
	if err != nil {
		h.Uploads.Unreserve(c.Context(), s, err)
		return err
	}

	// Describe the upload to the client.
	begun := begunUpload{
		Key:         s.Key(),
		UploadID:    s.ID,
		PartSize:    s.PartSize,
		MinPartSize: limits.MinSize,
		MaxPartSize: limits.MaxSize,
		MaxParts:    limits.MaxParts,
		ExpiresAt:   s.Expires,
	}
	if s.Checked {
		begun.Checksum = req.Checksum
	}
	return c.JSON(http.StatusOK, begun)
}

// sessionRequest checks the request, and converts it to one for a session. A size that is not known is -1.
func (r *beginRequest) sessionRequest() (session.Request, error) {
	request := session.Request{Name: r.Name, Type: r.Type, Size: -1}
	if r.Size != nil {
		request.Size = *r.Size
		if request.Size < 0 {
			return session.Request{}, refusal.Invalid("size", "The size of a file is not negative.")
		}
	}
	if r.Checksum != "" && r.Checksum != "crc32c" {
		return session.Request{}, refusal.Invalid("checksum", `Only "crc32c" is known.`)
	}
	metadata, err := textMetadata(r.Metadata)
	if err != nil {
		return session.Request{}, err
	}
	request.Metadata = metadata
	return request, nil
}

// saveParts begins the multipart upload of a session in the store, chooses the size of its parts, and saves
// the session. If it fails, it abandons the multipart upload.
func (h *Handler) saveParts(ctx context.Context, s *session.Session) (storage.PartLimits, error) {
	upload, err := h.beginSignable(ctx, s)
	if err != nil {
		return storage.PartLimits{}, err
	}

	limits := h.limits(s, upload)
	s.PartSize = partsize.For(limits, s.Size, h.Store.BasePart)
	maximum := s.PartSize * int64(limits.MaxParts)
	if limits.MaxParts > 0 && s.Size > maximum {
		session.Abandon(ctx, upload)
		return storage.PartLimits{}, refusal.TooLarge("size", maximum)
	}
	if err := h.Store.Save(ctx, s); err != nil {
		session.Abandon(ctx, upload)
		return storage.PartLimits{}, err
	}
	return limits, nil
}

// beginSignable begins a multipart upload in the store whose parts can be signed, with checksums if the store
// can verify them. If the store cannot sign parts at all, they are to pass through the handler.
//
// Only an attempt shows what the store can sign. If it cannot sign a part, beginSignable begins again with less: first
// with s.Checked set to false, and then with s.Proxied set to true.
func (h *Handler) beginSignable(ctx context.Context, s *session.Session) (storage.MultipartUpload, error) {
	opts := []storage.MultipartOption{}
	isSizeUnknown := s.Size < 0
	if isSizeUnknown && s.Target.MaxSize > 0 {
		opts = append(opts, storage.WithMaxSize(s.Target.MaxSize))
	}
	if s.Proxied {
		s.Secret = rand.Text()
		return h.Uploads.BeginUpload(ctx, s, opts...)
	}

	// Begin an upload whose parts have checksums, or need none.
	if !s.Checked {
		opts = append(opts, storage.WithUncheckedParts())
	}
	upload, err := h.Uploads.BeginUpload(ctx, s, opts...)
	if err != nil {
		return nil, err
	}
	signErr := trySigning(ctx, upload, s.Checked)
	if signErr == nil {
		return upload, nil
	}

	session.Abandon(ctx, upload)
	if storage.CodeOf(signErr) != storage.Unsupported {
		return nil, refusal.StoreFailed(signErr)
	}

	// Begin again without checksums or, if the store cannot sign parts at all, without signatures.
	if s.Checked && storage.Supports(h.Store.Bucket, storage.SignedParts) {
		s.Checked = false
	} else {
		s.Proxied = true
	}
	return h.beginSignable(ctx, s)
}

// trySigning signs a part as a trial, which makes no request, and fails if that is not possible. If isChecked is
// true, the signature includes a checksum, here of no bytes.
func trySigning(ctx context.Context, upload storage.MultipartUpload, isChecked bool) error {
	opts := []storage.SignedPartOption{}
	if isChecked {
		opts = append(opts, storage.WithCRC32C(0))
	}
	_, err := upload.SignPart(ctx, 1, opts...)
	return err
}

// loadParts returns the session of an upload in parts.
func (h *Handler) loadParts(c *intake.Call) (*session.Session, error) {
	s, err := h.Uploads.Load(c.Context(), c.PathValue("id"), c.User)
	if err != nil {
		return nil, err
	}
	if s.Kind != session.KindParts {
		return nil, refusal.NotFound()
	}

	// Uppy sends the key that the response to the beginning had. If the file had no key then, that is
	// the ID.
	query := c.URL.Query()
	if !query.Has("key") {
		return s, nil
	}
	key := query.Get("key")
	isSameUpload := key == s.Target.Key || key == s.ID
	if !isSameUpload {
		return nil, refusal.NotFound()
	}
	return s, nil
}

// openParts returns the session of an open upload, and its multipart upload in the store. If an earlier call
// was killed while it completed the upload, openParts completes it, and fails with Completed.
func (h *Handler) openParts(c *intake.Call) (*session.Session, storage.MultipartUpload, error) {
	s, err := h.loadParts(c)
	if err != nil {
		return nil, nil, err
	}
	if s.Phase == session.PhaseDone {
		return nil, nil, s.Completed()
	}
	if h.Store.IsClaimed(s) {
		return nil, nil, refusal.BeingCompleted()
	}

	// A killed call has left the upload half completed.
	if s.Phase != session.PhaseOpen {
		final, err := h.finishParts(c.Context(), s)
		if err != nil {
			return nil, nil, err
		}
		return nil, nil, final.Completed()
	}

	upload, err := storage.ContinueUpload(c.Context(), h.Store.Bucket, s.Token)
	if err != nil {
		return nil, nil, refusal.StoreFailed(err)
	}
	return s, upload, nil
}

// A listedPart describes a part in JSON with the field names of S3.
type listedPart struct {
	Number int    `json:"PartNumber"`
	Size   int64  `json:"Size"`
	ETag   string `json:"ETag"`
	CRC32C string `json:"ChecksumCRC32C,omitempty"` // base64
}

// listParts responds with a list of the parts that the store has.
func (h *Handler) listParts(c *intake.Call) error {
	_, upload, err := h.openParts(c)
	if err != nil {
		return err
	}
	parts, listErr := upload.Parts(c.Context())
	if listErr != nil {
		// Another request may have completed the upload since openParts, so that its parts are gone.
		completed, err := h.sessionIfCompleted(c, refusal.UploadFailed(listErr))
		if err != nil {
			return err
		}
		return completed.Completed()
	}

	listed := make([]listedPart, len(parts))
	for i, part := range parts {
		listed[i] = listedPart{Number: part.Number, Size: part.Size, ETag: etagOf(part)}
		if part.CRC32C.Known {
			listed[i].CRC32C = crc32c.Encode(part.CRC32C.Sum)
		}
	}
	return c.JSON(http.StatusOK, listed)
}

// etagOf returns the ETag of a part. Azure has no ETags for parts, but Uppy needs one, so etagOf
// makes one up.
func etagOf(p storage.UploadedPart) string {
	return cmp.Or(p.ETag, fmt.Sprintf(`"%d-%d"`, p.Number, p.Size))
}

// abortParts aborts an upload. If the object of the upload may exist already, abortParts completes the upload
// instead, and fails with Completed.
func (h *Handler) abortParts(c *intake.Call) error {
	s, err := h.loadParts(c)
	if err != nil {
		return err
	}
	if s.IsFinishing() {
		// An earlier call may have made the object, so it is too late to abort. Abort below then fails, because
		// the upload is complete.
		s, err = h.finishParts(c.Context(), s)
		if err != nil {
			return err
		}
	}
	if err := h.Uploads.Abort(c.Context(), s); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct{}{})
}

// textMetadata converts the values of metadata in JSON to texts. It leaves out null, and refuses lists and
// objects.
func textMetadata(values map[string]any) (map[string]string, error) {
	texts := map[string]string{}
	length := 0
	for name, value := range values {
		switch value.(type) {
		case nil:
			continue
		case string, json.Number, bool:
			texts[name] = fmt.Sprint(value)
		default:
			return nil, refusal.Invalid("metadata", "Values of metadata are texts.")
		}
		length += len(name) + len(texts[name])
	}
	if len(texts) > session.MaxMetadata || length > session.MaxMetadataBytes {
		return nil, refusal.Invalid("metadata",
			"There is too much metadata: at most "+words.Bytes(session.MaxMetadataBytes)+" are allowed.")
	}
	return texts, nil
}

// publicURL returns the public URL of the handler, which it derives from the request unless it is
// configured.
func (h *Handler) publicURL(r *http.Request) string {
	if h.BaseURL != "" {
		return h.BaseURL
	}
	scheme := "http"
	isProxyHTTPS := strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
	if r.TLS != nil || isProxyHTTPS {
		scheme = "https"
	}

	// The path that the client sent includes the prefix at which the handler is mounted.
	path, _, _ := strings.Cut(r.RequestURI, "?")
	mountPath := strings.TrimSuffix(path, r.URL.EscapedPath())
	if !strings.HasPrefix(mountPath, "/") {
		mountPath = ""
	}
	return scheme + "://" + r.Host + mountPath
}

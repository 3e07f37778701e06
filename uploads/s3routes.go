package uploads

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
	"github.com/omnibucket/storage/uploads/internal/partsize"
)

const (
	maxParts = 4 << 20 // bytes of a JSON document with the ETags of 10,000 parts
	maxBegin = 64 << 10
	maxBatch = 1000   // number of parts that the handler signs at most in response to one request
	maxNamed = 50_000 // number of parts that a client may list; Azure allows no more
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

func (h *handler) beginParts(c *call) (err error) {
	var req beginRequest
	if err := readJSON(c, &req, maxBegin, false); err != nil {
		return err
	}
	n := Request{Name: req.Name, Type: req.Type, Size: -1}
	if req.Size != nil {
		n.Size = *req.Size
		if n.Size < 0 {
			return invalid("size", "The size of a file is not negative.")
		}
	}
	if req.Checksum != "" && req.Checksum != "crc32c" {
		return invalid("checksum", `Only "crc32c" is known.`)
	}
	if n.Metadata, err = textMetadata(req.Metadata); err != nil {
		return err
	}
	s, err := h.keeper.begin(c, kindParts, n, "size")
	if err != nil {
		return err
	}
	if e := h.keeper.reserve(c.Context(), s); e != nil {
		return e
	}
	defer func() { h.keeper.unreserve(c.Context(), s, err) }()
	s.Checked = req.Checksum != ""
	s.Proxied = h.config.ProxyParts
	upload, err := h.beginSignable(c.Context(), s)
	if err != nil {
		return err
	}
	limits := h.limits(s, upload)
	s.PartSize = partsize.For(limits, n.Size, h.keeper.basePart)
	if maximum := s.PartSize * int64(limits.MaxParts); limits.MaxParts > 0 && n.Size > maximum {
		abandon(c.Context(), upload)
		return tooLarge("size", maximum)
	}
	if err := h.keeper.save(c.Context(), s); err != nil {
		abandon(c.Context(), upload)
		return err
	}
	resp := begunUpload{
		Key:         s.key(),
		UploadID:    s.id,
		PartSize:    s.PartSize,
		MinPartSize: limits.MinSize,
		MaxPartSize: limits.MaxSize,
		MaxParts:    limits.MaxParts,
		ExpiresAt:   s.Expires,
	}
	if s.Checked {
		resp.Checksum = req.Checksum
	}
	return c.json(http.StatusOK, resp)
}

// beginSignable begins a multipart upload in the store, and signs one part as a trial. If the store
// cannot verify the checksums of signed parts, beginSignable begins another multipart upload
// without checksums. If the store cannot sign parts, clients send the parts through the handler.
func (h *handler) beginSignable(ctx context.Context, s *session) (storage.MultipartUpload, error) {
	opts := []storage.MultipartOption{}
	if s.Size < 0 && s.Target.MaxSize > 0 {
		opts = append(opts, storage.WithMaxSize(s.Target.MaxSize))
	}
	if s.Proxied {
		s.Secret = rand.Text()
		return h.keeper.beginUpload(ctx, s, opts...)
	}
	trial := []storage.SignedPartOption{}
	if s.Checked {
		trial = append(trial, storage.WithCRC32C(0))
	} else {
		opts = append(opts, storage.WithUncheckedParts())
	}
	upload, err := h.keeper.beginUpload(ctx, s, opts...)
	if err != nil {
		return nil, err
	}
	_, err = upload.SignPart(ctx, 1, trial...) // signing makes no request
	if err == nil {
		return upload, nil
	}
	abandon(ctx, upload)
	if storage.CodeOf(err) != storage.Unsupported {
		return nil, storeFailed(err)
	}
	if s.Checked && storage.Supports(h.bucket, storage.SignedParts) {
		s.Checked = false
	} else {
		s.Proxied = true
	}
	return h.beginSignable(ctx, s)
}

// abandon aborts an upload and its parts, even if the sender has disconnected. If that fails, the
// parts stay until a lifecycle rule removes them.
func abandon(ctx context.Context, upload storage.MultipartUpload) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpFor)
	defer cancel()
	_ = upload.Abort(ctx)
}

func (h *handler) loadParts(c *call) (*session, error) {
	s, err := h.keeper.load(c.Context(), c.PathValue("id"), c.user)
	if err != nil {
		return nil, err
	}
	if s.Kind != kindParts {
		return nil, notFound()
	}
	if c.URL.Query().Has("key") && c.URL.Query().Get("key") != s.Target.Key && c.URL.Query().Get("key") != s.id {
		return nil, notFound()
	}
	return s, nil
}

// openParts returns the session of an open upload, and the multipart upload in the store. An
// earlier call may have begun to complete the upload, and then failed or been killed. In that case,
// openParts completes the upload, and fails with Completed.
func (h *handler) openParts(c *call) (*session, storage.MultipartUpload, error) {
	s, err := h.loadParts(c)
	if err != nil {
		return nil, nil, err
	}
	if s.Phase == phaseDone {
		return nil, nil, s.completed()
	}
	if h.keeper.claimed(s) {
		return nil, nil, beingCompleted()
	}
	if s.Phase != phaseOpen {
		if s, err = h.finishParts(c.Context(), s); err != nil {
			return nil, nil, err
		}
		return nil, nil, s.completed()
	}
	upload, err := storage.ContinueUpload(c.Context(), h.bucket, s.Token)
	if err != nil {
		return nil, nil, storeFailed(err)
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

func (h *handler) listParts(c *call) error {
	_, upload, err := h.openParts(c)
	if err != nil {
		return err
	}
	parts, err := upload.Parts(c.Context())
	if err != nil {
		s, err := h.completedOr(c, uploadFailed(err))
		if err == nil {
			err = s.completed()
		}
		return err
	}
	listed := make([]listedPart, len(parts))
	for i, p := range parts {
		listed[i] = listedPart{Number: p.Number, Size: p.Size, ETag: etagOf(p)}
		if p.CRC32C.Known {
			listed[i].CRC32C = crc32c.Encode(p.CRC32C.Sum)
		}
	}
	return c.json(http.StatusOK, listed)
}

// uploadFailed returns the response for an error of an upload in the store. If that upload no
// longer exists, the response is NotFound.
func uploadFailed(err error) *Error {
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return notFound()
	}
	return storeFailed(err)
}

// etagOf returns the ETag of a part. Azure has no ETags for parts, but Uppy needs one, so etagOf
// makes one up.
func etagOf(p storage.UploadedPart) string {
	return cmp.Or(p.ETag, fmt.Sprintf(`"%d-%d"`, p.Number, p.Size))
}

func (h *handler) abortParts(c *call) error {
	s, err := h.loadParts(c)
	if err == nil && s.finishing() {
		s, err = h.finishParts(c.Context(), s)
	}
	if err != nil {
		return err
	}
	if err := h.keeper.abort(c.Context(), s); err != nil {
		return err
	}
	return c.json(http.StatusOK, struct{}{})
}

const (
	maxMetadata      = 100
	maxMetadataBytes = 8 << 10
)

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
			return nil, invalid("metadata", "Values of metadata are texts.")
		}
		length += len(name) + len(texts[name])
	}
	if len(texts) > maxMetadata || length > maxMetadataBytes {
		return nil, invalid("metadata", "There is too much metadata: at most "+words.Bytes(maxMetadataBytes)+" are allowed.")
	}
	return texts, nil
}

// baseURL returns the public URL of the handler.
func (h *handler) baseURL(r *http.Request) string {
	if h.config.BaseURL != "" {
		return h.config.BaseURL
	}
	scheme := "http"
	if r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https") {
		scheme = "https"
	}
	// the path that the client sent, including the prefix at which the handler is mounted
	path, _, _ := strings.Cut(r.RequestURI, "?")
	mounted := strings.TrimSuffix(path, r.URL.EscapedPath())
	if !strings.HasPrefix(mounted, "/") {
		mounted = ""
	}
	return scheme + "://" + r.Host + mounted
}

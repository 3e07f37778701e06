package s3routes

import (
	"crypto/hmac"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// shortestTTL is the shortest time for which a store signs a URL.
const shortestTTL = time.Second

// A requestedPart is a part for which a client asks for a signed request.
type requestedPart struct {
	number int
	size   int64          // bytes; -1 if the client did not send the size
	sum    storage.CRC32C // set only if the upload has checksums
}

// readPart returns the part that the client asks for. Its number is in text, and its size and CRC32C are in
// the query. An error about the number names field.
func (h *Handler) readPart(
	c *intake.Call, s *session.Session, limits storage.PartLimits, field, text string,
) (requestedPart, error) {
	number, err := partNumber(field, text, limits)
	if err != nil {
		return requestedPart{}, err
	}
	size, err := partSizeOf(c, s, limits)
	if err != nil {
		return requestedPart{}, err
	}
	sum, err := checksumOf(s, c)
	if err != nil {
		return requestedPart{}, err
	}
	return requestedPart{number: number, size: size, sum: sum}, nil
}

// signProxied returns a signed request for a part that passes through this handler. Like a request that
// the store has signed, it is valid only for this part, until it expires.
func (h *Handler) signProxied(c *intake.Call, s *session.Session, p requestedPart, ttl time.Duration) *signedRequest {
	expires := h.Store.Now().Add(ttl).UTC().Truncate(time.Second)
	part := strconv.Itoa(p.number)
	query := url.Values{"expires": {strconv.FormatInt(expires.Unix(), 10)}}
	if p.size >= 0 {
		query.Set("size", strconv.FormatInt(p.size, 10))
	}
	if p.sum.Known {
		query.Set("crc32c", crc32c.Encode(p.sum.Sum))
	}
	query.Set("signature", partSignature(s, part, query))
	return &signedRequest{
		URL:       h.publicURL(c.Request) + "/s3/part/" + s.ID + "/" + part + "?" + query.Encode(),
		Method:    http.MethodPut,
		Headers:   map[string]string{},
		Expires:   int64(ttl / time.Second),
		ExpiresAt: expires,
	}
}

// partSignature returns the signature of the URL of a part.
func partSignature(s *session.Session, part string, query url.Values) string {
	mac := session.MAC([]byte(s.Secret), part, query.Get("expires"), query.Get("size"), query.Get("crc32c"))
	return base64.RawURLEncoding.EncodeToString(mac)
}

// isSigned reports whether signProxied has signed the URL of a request, and it has not expired yet.
func isSigned(s *session.Session, c *intake.Call, now time.Time) bool {
	query := c.URL.Query()
	expires, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	if err != nil || now.Unix() > expires {
		return false
	}
	signature := partSignature(s, c.PathValue("part"), query)
	return hmac.Equal([]byte(query.Get("signature")), []byte(signature))
}

// putPart stores one part of an upload whose parts pass through the handler, and responds with the ETag of
// the part.
func (h *Handler) putPart(c *intake.Call) error {
	s, err := h.loadProxied(c)
	if err != nil {
		return err
	}
	upload, err := storage.ContinueUpload(c.Context(), h.Store.Bucket, s.Token)
	if err != nil {
		return refusal.StoreFailed(err)
	}

	limits := h.limits(s, upload)
	requested, err := h.readPart(c, s, limits, "partNumber", c.PathValue("part"))
	if err != nil {
		return err
	}

	// Wait for a share of the memory that the part needs.
	maximum := limits.MaxSize
	if s.Limit() > 0 {
		maximum = min(maximum, s.Limit())
	}
	release, err := c.Share(maximum)
	if err != nil {
		return err
	}
	defer release()

	// The address was made for a part of one size, or of any size up to the maximum.
	body, err := c.BoundedBody(maximum)
	if err != nil {
		return err
	}
	isOtherSize := requested.size >= 0 && c.ContentLength >= 0 && c.ContentLength != requested.size
	if isOtherSize {
		return refusal.Invalid("Content-Length", "The address is for a part of another size.")
	}

	// Store the part.
	opts := requested.options(c.ContentLength)
	part, err := upload.PutPart(c.Context(), requested.number, body, opts...)
	if err != nil {
		return partError(err)
	}
	c.W.Header().Set("ETag", etagOf(*part))
	c.W.WriteHeader(http.StatusOK)
	return nil
}

// options returns the options for storing the part, whose body has contentLength bytes. A length or size that is not
// known is -1.
func (p *requestedPart) options(contentLength int64) []storage.PartOption {
	opts := []storage.PartOption{}
	size := max(p.size, contentLength)
	if size >= 0 {
		opts = append(opts, storage.WithSize(size))
	}
	if p.sum.Known {
		opts = append(opts, storage.WithCRC32C(p.sum.Sum))
	}
	return opts
}

// partError returns the refusal for a part that could not be stored because of err.
func partError(err error) *refusal.Error {
	switch storage.CodeOf(err) {
	case storage.TooLarge:
		return refusal.New("body", refusal.CodeTooLarge, "The part is too large.")
	case storage.ChecksumMismatch:
		return refusal.New("crc32c", refusal.CodeChecksumMismatch, "The bytes were damaged on their way. Send them again.")
	}
	return refusal.UploadFailed(err)
}

// limits returns the limits of the parts of an upload, which are smaller if the handler must hold a whole
// part in memory.
func (h *Handler) limits(s *session.Session, upload storage.MultipartUpload) storage.PartLimits {
	limits := upload.Limits()
	maximum := h.Memory.LargestPart()
	if s.Proxied && (limits.MaxSize == 0 || limits.MaxSize > maximum) {
		limits.MaxSize = maximum
	}
	return limits
}

// loadSigned returns the session of a request that needs no login, because its URL is secret or signed. The
// user of the session counts as the sender.
func (h *Handler) loadSigned(c *intake.Call) (*session.Session, error) {
	s, err := h.Uploads.LoadAny(c.Context(), c.PathValue("id"))
	if err != nil {
		return nil, err
	}
	c.User.ID = s.User
	return s, nil
}

// loadProxied returns the open session of a part that passes through the handler, if the URL is signed.
func (h *Handler) loadProxied(c *intake.Call) (*session.Session, error) {
	s, err := h.loadSigned(c)
	if err != nil {
		return nil, err
	}
	if !s.Proxied || s.Kind != session.KindParts || !isSigned(s, c, h.Store.Now()) {
		return nil, refusal.NotFound()
	}
	if s.Phase == session.PhaseDone {
		return nil, s.Completed()
	}
	if s.Phase != session.PhaseOpen {
		return nil, refusal.BeingCompleted()
	}
	return s, nil
}

// A signedRequest is a request that stores one part of a file, or a whole file.
type signedRequest struct {
	URL       string            `json:"url"`
	Method    string            `json:"method"`
	Fields    map[string]string `json:"fields,omitempty"` // form fields to send with a file in one request
	Headers   map[string]string `json:"headers"`
	Expires   int64             `json:"expires"`            // seconds until the request expires
	ExpiresAt time.Time         `json:"expiresAt,omitzero"` // set for a part
}

// signPart responds with a signed request for one part.
func (h *Handler) signPart(c *intake.Call) error {
	s, upload, err := h.openParts(c)
	if err != nil {
		return err
	}
	req, err := h.sign(c, s, upload, "partNumber", c.PathValue("part"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, req)
}

// signParts responds with signed requests for several parts, which have no checksums.
func (h *Handler) signParts(c *intake.Call) error {
	s, upload, err := h.openParts(c)
	if err != nil {
		return err
	}
	numbers := strings.Split(c.URL.Query().Get("partNumbers"), ",")
	if len(numbers) > maxBatch {
		return refusal.Invalid("partNumbers", fmt.Sprintf("At most %d parts are signed at once.", maxBatch))
	}

	urls := map[string]string{}
	headers := map[string]map[string]string{}
	for _, number := range numbers {
		req, err := h.sign(c, s, upload, "partNumbers", number)
		if err != nil {
			return err
		}
		urls[number] = req.URL
		headers[number] = req.Headers
	}
	return c.JSON(http.StatusOK, map[string]any{"presignedUrls": urls, "headers": headers})
}

// partNumber parses the number of a part, which must be within the limits. Its error names the field.
func partNumber(field, text string, limits storage.PartLimits) (int, error) {
	number, err := strconv.Atoi(text)
	// A sign or a zero at the beginning would make two addresses for one part.
	isPlain := err == nil && strconv.Itoa(number) == text
	isTooLarge := limits.MaxParts > 0 && number > limits.MaxParts
	if isPlain && number >= 1 && !isTooLarge {
		return number, nil
	}

	numbers := "from 1"
	if limits.MaxParts > 0 {
		numbers = fmt.Sprintf("from 1 to %d", limits.MaxParts)
	}
	return 0, refusal.Invalid(field, "Parts are numbered "+numbers+".")
}

// sign returns a signed request by which the client stores one part. The part's number is in text, and an
// error calls it by the name in field.
func (h *Handler) sign(
	c *intake.Call, s *session.Session, upload storage.MultipartUpload, field, text string,
) (*signedRequest, error) {
	part, err := h.readPart(c, s, h.limits(s, upload), field, text)
	if err != nil {
		return nil, err
	}

	// The request must not outlive the session.
	ttl := min(h.URLTTL, s.Expires.Sub(h.Store.Now()).Truncate(time.Second))
	if ttl < shortestTTL {
		return nil, refusal.NotFound()
	}
	if s.Proxied {
		return h.signProxied(c, s, part, ttl), nil
	}

	// Sign the length and the checksum of the part, where they are known.
	opts := []storage.SignedPartOption{storage.WithTTL(ttl)}
	if part.size >= 0 && storage.Supports(h.Store.Bucket, storage.SignedSize) {
		opts = append(opts, storage.WithSize(part.size))
	}
	if part.sum.Known {
		opts = append(opts, storage.WithCRC32C(part.sum.Sum))
	}
	signedURL, err := upload.SignPart(c.Context(), part.number, opts...)
	if err != nil {
		return nil, refusal.StoreFailed(err)
	}

	// In the response, each header has one text.
	headers := map[string]string{}
	for name, values := range signedURL.Header {
		headers[name] = strings.Join(values, ",")
	}
	return &signedRequest{
		URL:       signedURL.URL,
		Method:    signedURL.Method,
		Headers:   headers,
		ExpiresAt: signedURL.ExpiresAt,
		Expires:   max(1, int64(signedURL.ExpiresAt.Sub(h.Store.Now())/time.Second)),
	}, nil
}

// partSizeOf reads the size of a part in bytes from the query, and returns -1 if it is not there.
func partSizeOf(c *intake.Call, s *session.Session, limits storage.PartLimits) (int64, error) {
	text := c.URL.Query().Get("size")
	if text == "" {
		return -1, nil
	}
	size, err := strconv.ParseInt(text, 10, 64)
	if err != nil || size < 0 {
		return 0, refusal.Invalid("size", "The size of a part is a number of bytes.")
	}
	if limits.MaxSize > 0 && size > limits.MaxSize {
		return 0, refusal.TooLarge("size", limits.MaxSize)
	}
	// Limit returns -1 if the size of the whole file is not limited.
	if s.Limit() >= 0 && size > s.Limit() {
		return 0, refusal.TooLarge("size", s.Limit())
	}
	return size, nil
}

// checksumOf reads the CRC32C of a part from the query. It is not known if the upload has no checksums.
func checksumOf(s *session.Session, c *intake.Call) (storage.CRC32C, error) {
	if !s.Checked {
		return storage.CRC32C{}, nil
	}
	sum, ok := crc32c.Decode(c.URL.Query().Get("crc32c"))
	if !ok {
		return storage.CRC32C{}, refusal.Invalid("crc32c", "The CRC32C of the part is four bytes in base64.")
	}
	return storage.CRC32C{Sum: sum, Known: true}, nil
}

package uploads

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
)

// signProxied returns the request for a part that passes through this handler. As one of
// the store, it is for this part only, and until it expires.
func (h *companion) signProxied(c *call, s *session, number int, size int64, sum storage.CRC32C, ttl time.Duration) *signedPart {
	expires := h.config.Now().Add(ttl).UTC().Truncate(time.Second)
	query := url.Values{"expires": {strconv.FormatInt(expires.Unix(), 10)}}
	if size >= 0 {
		query.Set("size", strconv.FormatInt(size, 10))
	}
	if sum.Known {
		query.Set("crc32c", encodeCRC32C(sum.Sum))
	}
	query.Set("signature", s.partSignature(number, query))
	return &signedPart{
		URL:     fmt.Sprintf("%s/s3/part/%s/%d?%s", h.baseURL(c.Request), s.id, number, query.Encode()),
		Method:  http.MethodPut,
		Headers: map[string]string{}, Expires: int64(ttl / time.Second), ExpiresAt: expires,
	}
}

// partSignature signs the parameters of a part's address.
func (s *session) partSignature(number int, query url.Values) string {
	mac := hmac.New(sha256.New, []byte(s.Secret))
	_, _ = fmt.Fprintf(mac, "%d\n%q\n%q\n%q", number, query.Get("expires"), query.Get("size"), query.Get("crc32c"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// permits reports whether the address is one of signProxied that has not expired.
func (s *session) permits(c *call, now time.Time) bool {
	query := c.URL.Query()
	number, err := strconv.Atoi(c.PathValue("part"))
	if err != nil || !hmac.Equal([]byte(query.Get("signature")), []byte(s.partSignature(number, query))) {
		return false
	}
	expires, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	return err == nil && now.Unix() <= expires
}

// putPart stores one part of an upload whose parts pass through the handler.
func (h *companion) putPart(c *call) error {
	s, err := h.loadProxied(c)
	if err != nil {
		return err
	}
	release, err := h.share(c, s)
	if err != nil {
		return err
	}
	defer release()
	upload, err := storage.ContinueUpload(c.Context(), h.bucket, s.Token)
	if err != nil {
		return storeFailed(err)
	}
	limits := upload.Limits()
	number, err := partNumber("partNumber", c.PathValue("part"), limits)
	if err != nil {
		return err
	}
	most := limits.MaxSize
	for _, bound := range []int64{s.Size, s.Target.MaxSize} {
		if bound > 0 && (most == 0 || bound < most) {
			most = bound
		}
	}
	body, err := c.boundedBody(most)
	if err != nil {
		return err
	}
	opts, err := h.proxiedPartOptions(c, s, limits)
	if err != nil {
		return err
	}
	part, err := upload.PutPart(c.Context(), number, body, opts...)
	switch storage.CodeOf(err) {
	case "":
	case storage.ObjectNotFound:
		return notFound()
	case storage.TooLarge:
		return refuse("body", TooLarge, "The part is too large.")
	case storage.ChecksumMismatch:
		return refuse("crc32c", ChecksumMismatch, "The bytes were damaged on their way. Send them again.")
	default:
		return storeFailed(err)
	}
	c.w.Header().Set("ETag", etagOf(*part))
	c.w.WriteHeader(http.StatusOK)
	return nil
}

// share takes the memory of a request whose address is the permission, for the user of its session.
func (h *companion) share(c *call, s *session) (release func(), err error) {
	c.user.ID = s.User
	return c.share(feedBytes)
}

// loadProxied reads the session of a part that passes through the handler. The address is the
// permission.
func (h *companion) loadProxied(c *call) (*session, error) {
	s, err := h.keeper.loadAny(c.Context(), c.PathValue("id"))
	switch {
	case err != nil:
		return nil, err
	case !s.Proxied, s.Kind != kindParts, s.Phase == phaseAborted, !h.config.Now().Before(s.Expires),
		!s.permits(c, h.config.Now()):
		return nil, notFound()
	case s.Phase == phaseDone:
		return nil, s.completed()
	case s.Phase != phaseOpen:
		return nil, beingCompleted()
	}
	return s, nil
}

// proxiedPartOptions returns the size and checksum that the part must have.
func (h *companion) proxiedPartOptions(c *call, s *session, limits storage.PartLimits) (opts []storage.PartOption, err error) {
	size, err := h.partSizeOf(c, s, limits)
	switch {
	case err != nil:
		return nil, err
	case size >= 0 && c.ContentLength >= 0 && c.ContentLength != size:
		return nil, invalid("Content-Length", "The address is for a part of another size.")
	case max(size, c.ContentLength) >= 0:
		opts = append(opts, storage.WithSize(max(size, c.ContentLength)))
	}
	sum, err := s.checksumOf(c)
	if err == nil && sum.Known {
		opts = append(opts, storage.WithCRC32C(sum.Sum))
	}
	return opts, err
}

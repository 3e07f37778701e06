package resumable

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
func (h *Handler) signProxied(c *call, s *session, number int, size int64, sum storage.CRC32C, ttl time.Duration) *signedPart {
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

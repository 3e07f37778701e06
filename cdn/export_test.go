package cdn

import (
	"testing"
	"time"

	"github.com/omnibucket/storage"
)

// At makes signers sign as if it were t.
func (s *CloudFrontSigner) At(t time.Time) { s.site.now = func() time.Time { return t } }
func (s *CloudCDNSigner) At(t time.Time)   { s.site.now = func() time.Time { return t } }
func (s *BunnySigner) At(t time.Time)      { s.site.now = func() time.Time { return t } }

// Expiry returns the time at which a signature expires that was made at the time now with a TTL.
func Expiry(t *testing.T, now time.Time, ttl time.Duration) time.Time {
	t.Helper()
	expires, err := expiry(now, &storage.SignOptions{TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	return expires
}

package s3server

import (
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
)

const longestTTL = 7 * 24 * 60 * 60 // seconds

// queryClaim reads a signature in the query.
func queryClaim(r *request) (*claim, error) {
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"} {
		if len(r.query[name]) != 1 || r.query.Get(name) == "" {
			return nil, wrongQuery("%s", s3error.New("AuthorizationQueryParametersError").Message)
		}
	}
	if r.query.Get("X-Amz-Algorithm") != sign.Algorithm {
		return nil, wrongQuery("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"")
	}
	c := &claim{
		presigned: true,
		timestamp: r.query.Get("X-Amz-Date"),
		signature: r.query.Get("X-Amz-Signature"),
		signed:    strings.Split(r.query.Get("X-Amz-SignedHeaders"), ";"),
		payload:   sign.UnsignedPayload,
	}
	if err := c.credential(r.query.Get("X-Amz-Credential"), wrongCredential); err != nil {
		return nil, err
	}
	// A client may still sign a hash, in a header or a parameter.
	if hash := r.Header.Get("X-Amz-Content-Sha256"); hash != "" {
		c.payload = hash
	} else if hash := r.query.Get("X-Amz-Content-Sha256"); hash != "" {
		c.payload = hash
	}
	if err := checkRegion(r, c, wrongCredential); err != nil {
		return nil, err
	}
	return c, checkExpiry(r, c)
}

func wrongQuery(format string, args ...any) *s3error.Error {
	return s3error.New("AuthorizationQueryParametersError").WithMessage(format, args...)
}

func wrongCredential(format string, args ...any) *s3error.Error {
	return wrongQuery("Error parsing the X-Amz-Credential parameter; "+format, args...)
}

// checkExpiry refuses a presigned URL before and after its time.
func checkExpiry(r *request, c *claim) error {
	at, err := time.Parse(sign.TimestampForm, c.timestamp)
	if err != nil {
		return wrongQuery("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
	}
	if date := c.timestamp[:8]; date != c.scope.Date {
		return wrongCredential("Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", c.scope.Date, date)
	}
	ttl, err := strconv.Atoi(r.query.Get("X-Amz-Expires"))
	switch {
	case err != nil:
		return wrongQuery("X-Amz-Expires should be a number")
	case ttl < 0:
		return wrongQuery("X-Amz-Expires must be non-negative")
	case ttl > longestTTL:
		return wrongQuery("X-Amz-Expires must be less than a week (in seconds) that is %d", longestTTL)
	}
	now, end := r.now(), at.Add(time.Duration(ttl)*time.Second)
	if at.Sub(now) > maxSkew {
		return s3error.New("AccessDenied", "X-Amz-Date", c.timestamp, "ServerTime", now.Format(time.RFC3339)).WithMessage("Request is not valid yet")
	}
	if now.After(end) {
		return s3error.New("AccessDenied", "X-Amz-Expires", strconv.Itoa(ttl), "Expires", end.Format(time.RFC3339),
			"ServerTime", now.Format(time.RFC3339)).WithMessage("Request has expired")
	}
	return nil
}

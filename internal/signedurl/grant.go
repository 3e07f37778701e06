package signedurl

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/urlpath"
)

// Features are what this package signs.
const Features = storage.SignedURLs | storage.SignedContentType | storage.SignedSize | storage.SignedIfAbsent | storage.SignedForms | storage.SignedHead |
	storage.SignedTags | storage.SignedLocks | storage.SignedParts | storage.SignedPartChecksums

// A Grant is what a signature permits.
type Grant struct {
	Method  string // GET, HEAD or PUT, or POST for a form
	Key     string
	Version string
	Upload  string // the driver's name of an open upload: the body is its part Part
	Part    int    // from 1; 0 without Upload
	Expires int64  // Unix time in seconds; the grant is refused from then on

	MinSize, MaxSize int64          // of the body, in bytes; -1 and -1 permit any size
	CRC32C           storage.CRC32C // of the body; not known: permits any
	Attributes       []Attribute

	ResponseType, ResponseDisposition string
}

// maxLifetime is how far in the future a grant may end: the longest TTL, and some
// minutes because clocks of several machines differ.
const maxLifetime = 7*24*time.Hour + 15*time.Minute

// A Status is the result of verifying a signature.
type Status int

// The statuses of a signature. A signature is also Invalid if its grant ends too far in
// the future: this package signs no such grant.
const (
	Invalid Status = iota
	Expired
	Valid
)

func (g *Grant) status(now time.Time) Status {
	switch ends := time.Unix(g.Expires, 0); {
	case !now.Before(ends):
		return Expired
	case ends.Sub(now) > maxLifetime:
		return Invalid
	}
	return Valid
}

func newGrant(r *driver.SignRequest, now time.Time) (*Grant, error) {
	if r.BaseURL == "" || r.Condition.Revision != "" || r.Condition.NotRevision != "" {
		return nil, storage.Unsupported
	}
	g := &Grant{Method: r.Method, Key: r.Key, Expires: expiry(now, r.TTL), MinSize: -1, MaxSize: -1}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		g.Version, g.ResponseType, g.ResponseDisposition = r.Version, r.ResponseType, r.ResponseDisposition()
	case http.MethodPut, http.MethodPost:
		g.MinSize, g.MaxSize = r.MinSize, r.MaxSize
		g.Attributes, g.CRC32C = attributesOf(r), r.CRC32C
	default:
		return nil, storage.Unsupported
	}
	return g, nil
}

// expiry returns the end of ttl, rounded up to a whole second: never earlier than
// requested.
func expiry(now time.Time, ttl time.Duration) int64 {
	end := now.Add(ttl)
	if end.Nanosecond() > 0 {
		return end.Unix() + 1
	}
	return end.Unix()
}

// SignWith calls sign, which is SignURL, SignPart or SignForm, with the keys of the bucket.
func SignWith[R, S any](
	ctx context.Context, keys func(context.Context) (Keys, error), sign func(Keys, string, R, time.Time) (S, error),
	bucket string, r R, now time.Time,
) (signed S, err error) {
	k, err := keys(ctx)
	if err != nil {
		return signed, err
	}
	return sign(k, bucket, r, now)
}

// SignURL returns the signed URL that r requests for the bucket.
func SignURL(k Keys, bucket string, r *driver.SignRequest, now time.Time) (*storage.SignedURL, error) {
	g, err := newGrant(r, now)
	if err != nil {
		return nil, err
	}
	if g.Method == http.MethodPost {
		return nil, storage.Unsupported
	}
	return g.sign(k, bucket, r.BaseURL)
}

// SignPart returns the signed URL that r requests for the bucket.
func SignPart(k Keys, bucket string, r *driver.SignPartRequest, now time.Time) (*storage.SignedURL, error) {
	if r.BaseURL == "" || r.Upload == "" || r.Number < 1 {
		return nil, storage.Unsupported
	}
	g := &Grant{
		Method: http.MethodPut, Key: r.Key, Upload: r.Upload, Part: r.Number, Expires: expiry(now, r.TTL),
		MinSize: r.Size, MaxSize: r.Size, CRC32C: r.CRC32C,
	}
	return g.sign(k, bucket, r.BaseURL)
}

func (g *Grant) sign(k Keys, bucket, baseURL string) (*storage.SignedURL, error) {
	if k.Empty() {
		return nil, storage.Unsupported
	}
	query := g.query(k.all[0].id)
	signature := k.all[0].sign(g.signedParts(bucket, query)...)
	header := http.Header{}
	for _, a := range g.Attributes {
		header.Set(a.Name, a.Value)
	}
	return &storage.SignedURL{
		URL:       baseURL + urlpath.Escape(g.Key) + "?" + query + signatureParam + signature,
		Method:    g.Method,
		Header:    header,
		ExpiresAt: time.Unix(g.Expires, 0).UTC(),
	}, nil
}

func (g *Grant) signedParts(bucket, query string) []string {
	parts := []string{"omnibucket url 1", bucket, g.Method, g.Key, query}
	for _, a := range g.Attributes {
		parts = append(parts, a.Name, a.Value)
	}
	return parts
}

// VerifyURL verifies a request by the signature in its query. Each signed header must
// be in header exactly once, with the signed value. It returns a Grant only with
// [Valid].
func VerifyURL(k Keys, bucket, method, objectKey, query string, header http.Header, now time.Time) (*Grant, Status) {
	unsignedQuery, signature, found := strings.Cut(query, signatureParam)
	if !found {
		return nil, Invalid
	}
	g, id := parseQuery(unsignedQuery)
	key, known := k.find(id)
	if !known {
		return nil, Invalid
	}
	g.Method, g.Key = method, objectKey
	for i := range g.Attributes {
		a := &g.Attributes[i]
		values := header[http.CanonicalHeaderKey(a.Name)]
		if len(values) != 1 {
			return nil, Invalid
		}
		a.Value = values[0]
	}
	if !key.verify(signature, g.signedParts(bucket, unsignedQuery)...) {
		return nil, Invalid
	}
	if s := g.status(now); s != Valid {
		return nil, s
	}
	return g, Valid
}

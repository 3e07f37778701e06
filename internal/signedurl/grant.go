package signedurl

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/escape"
)

// Features is the set of features of signed URLs that this package supports.
const Features = storage.SignedURLs | storage.SignedContentType | storage.SignedSize | storage.SignedIfAbsent | storage.SignedForms | storage.SignedHead |
	storage.SignedTags | storage.SignedLocks | storage.SignedParts | storage.SignedPartChecksums |
	storage.SignedRemovals | storage.StableURLs

// A Grant is the request that a signature permits.
type Grant struct {
	Method  string // GET, HEAD, PUT, DELETE, or POST for a form
	Key     string
	Version string
	Upload  string // driver's name of an open multipart upload, or ""
	Part    int    // number of the part in Upload, from 1; 0 if Upload is ""
	Expires int64  // Unix time in seconds at which the grant ends

	MinSize, MaxSize int64          // limits of the body's length in bytes; both are -1 if any length is permitted
	CRC32C           storage.CRC32C // required checksum of the body; if it is unknown, any body is permitted
	Attributes       []Attribute

	ResponseType, ResponseDisposition, ResponseCacheControl string
}

// maxLifetime is the longest time until a valid grant can end. It is the longest TTL, plus a few
// minutes because the clocks of machines differ.
const maxLifetime = 7*24*time.Hour + 15*time.Minute

// A Status says whether a signature is valid.
type Status int

// A signature is also Invalid if its grant ends too far in the future, because this package never
// signs such a grant.
const (
	Invalid Status = iota
	Expired
	Valid
)

// status says whether a grant with a valid signature has ended. One that ends later than this
// package permits is Invalid.
func (g *Grant) status(now time.Time) Status {
	end := time.Unix(g.Expires, 0)
	if !now.Before(end) {
		return Expired
	}
	if end.Sub(now) > maxLifetime {
		return Invalid
	}
	return Valid
}

// newGrant returns the grant that r requests. Which fields are set depends on the method of the
// request. It fails with Unsupported if a grant cannot express the request.
func newGrant(r *driver.SignRequest, now time.Time) (*Grant, error) {
	if r.BaseURL == "" {
		// The store has no address of its own, so a URL needs WithSigningBaseURL.
		return nil, storage.Unsupported
	}
	if r.Condition.Revision != "" || r.Condition.NotRevision != "" {
		// A grant has no field for a revision.
		return nil, storage.Unsupported
	}

	start, duration := r.Term(now)
	g := &Grant{
		Method:  r.Method,
		Key:     r.Key,
		Expires: expiry(start, duration),
		// Any length of the body is permitted, unless an upload sets limits below.
		MinSize: -1,
		MaxSize: -1,
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		g.Version = r.Version
		g.ResponseType = r.ResponseType
		g.ResponseDisposition = r.ResponseDisposition()
		g.ResponseCacheControl = r.ResponseCacheControl
	case http.MethodDelete:
		g.Version = r.Version
	case http.MethodPut, http.MethodPost:
		g.MinSize = r.MinSize
		g.MaxSize = r.MaxSize
		g.Attributes = attributesOf(r)
		g.CRC32C = r.CRC32C
	default:
		return nil, storage.Unsupported
	}
	return g, nil
}

// expiry returns the Unix time in seconds, rounded up, at which ttl has passed, so that a grant
// never ends earlier than requested.
func expiry(now time.Time, ttl time.Duration) int64 {
	end := now.Add(ttl)
	if end.Nanosecond() > 0 {
		return end.Unix() + 1
	}
	return end.Unix()
}

// SignWith gets the signing keys of the bucket from keys, and calls sign with them, which is
// [SignURL], [SignPart] or [SignForm].
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

// SignPart returns the signed URL with which a client can upload the part that r describes. It fails
// with Unsupported if r has no address for the URL, or does not name a part of an upload.
func SignPart(k Keys, bucket string, r *driver.SignPartRequest, now time.Time) (*storage.SignedURL, error) {
	if r.BaseURL == "" || r.Upload == "" || r.Number < 1 {
		return nil, storage.Unsupported
	}
	g := &Grant{
		Method:  http.MethodPut,
		Key:     r.Key,
		Upload:  r.Upload,
		Part:    r.Number,
		Expires: expiry(now, r.TTL),
		MinSize: r.Size,
		MaxSize: r.Size,
		CRC32C:  r.CRC32C,
	}
	return g.sign(k, bucket, r.BaseURL)
}

// sign returns the URL of the grant, signed with the first key.
func (g *Grant) sign(k Keys, bucket, baseURL string) (*storage.SignedURL, error) {
	if k.Empty() {
		return nil, storage.Unsupported
	}

	signer := k.all[0]
	query := g.query(signer.id)
	signature := signer.sign(g.signedParts(bucket, query)...)
	header := http.Header{}
	for _, a := range g.Attributes {
		header.Set(a.Name, a.Value)
	}
	return &storage.SignedURL{
		URL:       baseURL + escape.Path(g.Key) + "?" + query + signatureParam + signature,
		Method:    g.Method,
		Header:    header,
		ExpiresAt: time.Unix(g.Expires, 0).UTC(),
	}, nil
}

// signedParts returns the texts that the signature of a URL with this query covers.
func (g *Grant) signedParts(bucket, query string) []string {
	parts := []string{"omnibucket url 1", bucket, g.Method, g.Key, query}
	for _, a := range g.Attributes {
		parts = append(parts, a.Name, a.Value)
	}
	return parts
}

// VerifyURL verifies the signature in the query of a request. The request must have each signed
// header exactly once, with the signed value. VerifyURL returns a Grant only if the status is
// [Valid].
func VerifyURL(k Keys, bucket, method, objectKey, query string, header http.Header, now time.Time) (*Grant, Status) {
	unsignedQuery, signature, ok := strings.Cut(query, signatureParam)
	if !ok {
		return nil, Invalid
	}

	g, id := parseQuery(unsignedQuery)
	key, known := k.find(id)
	if !known {
		return nil, Invalid
	}
	g.Method = method
	g.Key = objectKey

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

package gcs

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/httpheader"
	"github.com/omnibucket/storage/internal/sigv4"
)

// signFeatures are all or none: Google enforces whatever is signed.
func signFeatures(a *account) storage.Features {
	if a.signerFinder == nil {
		return 0
	}
	return storage.SignURLs | storage.SignContentType | storage.SignSize | storage.SignIfAbsent | storage.SignForms | storage.SignHead
}

// Sign makes no request where the service account's key is here; else IAM is
// asked for each signature. Everything that the result promises is a signed
// header or a signed part of the query, so that whoever holds it can change
// nothing. It outlives the token that IAM was asked with.
func (d *driver) Sign(ctx context.Context, r *storage.SignRequest) (*storage.SignedURL, error) {
	return d.sign(ctx, r, time.Now())
}

func (d *driver) sign(ctx context.Context, r *storage.SignRequest, now time.Time) (*storage.SignedURL, error) {
	if len(r.Native) > 0 {
		return nil, storage.Unsupported
	}
	address, err := d.bucketURL(r.BaseURL)
	if err != nil {
		return nil, err
	}
	request := &v4Request{method: r.Method, address: objectURL(address, r.Key), header: http.Header{}}
	switch r.Method {
	case http.MethodPut:
		if request.header, err = signedHeaders(r); err != nil {
			return nil, err
		}
	case http.MethodGet, http.MethodHead:
		request.query = readQuery(r)
	default:
		return nil, storage.Unsupported
	}
	term, err := d.signAt(ctx, r.TTL, now)
	if err != nil {
		return nil, err
	}
	signed, err := term.signURL(ctx, request)
	if err != nil {
		return nil, err
	}
	return &storage.SignedURL{URL: signed, Method: r.Method, Header: request.header, ExpiresAt: term.Until()}, nil
}

// signAt is a term of at least ttl, but of no more than the signatory's key
// holds: the address would die with it, whatever it says.
func (d *driver) signAt(ctx context.Context, ttl time.Duration, now time.Time) (*v4Term, error) {
	signer, err := d.signerFinder.get(ctx)
	if err != nil {
		return nil, err
	}
	return &v4Term{sigv4.NewTerm(now, ttl, signer.maxTerm()), signer}, nil
}

// bucketAddress is where a signed request finds the bucket, without a slash at
// its end: below the server's own address, or below base where clients outside
// reach the server by another name. A base that names the bucket in its host (a
// virtual host, a domain of the bucket's name) is the bucket's own.
func (d *driver) bucketURL(base string) (*url.URL, error) {
	own := base == "" // the server's host, however the bucket is called
	if own {
		base = d.root()
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, storage.InvalidArgument // the core has read it before
	}
	raw := strings.TrimSuffix(u.EscapedPath(), "/")
	u.Path = strings.TrimSuffix(u.Path, "/")
	host := u.Hostname()
	if own || net.ParseIP(host) != nil || !strings.Contains(host, ".") || host != d.bucket && !strings.HasPrefix(host, d.bucket+".") {
		u.Path += "/" + d.bucket
		raw += "/" + escape.Key(d.bucket)
	}
	u.RawPath = raw
	return u, nil
}

// keyAddress is the key's address in the bucket's: every byte but the
// unreserved ones and "/" is escaped, and the signature is of that.
func objectURL(bucket *url.URL, key string) *url.URL {
	u := *bucket
	u.RawPath = bucket.EscapedPath() + "/" + escape.Key(key)
	u.Path = bucket.Path + "/" + key
	return &u
}

// signedHeaders are what the uploader must send.
func signedHeaders(r *storage.SignRequest) (http.Header, error) {
	h := sigv4.Headers(r, "X-Goog-")
	for name, values := range h {
		if !isASCII(values[0]) {
			return nil, &storage.Error{
				Code: storage.Unsupported,
				Hint: "a browser sends headers in ASCII alone, and " + name + " is not: Upload and SignedUploadForm take it",
			}
		}
	}
	if r.Condition.Absent {
		h.Set("X-Goog-If-Generation-Match", "0")
	}
	if r.MaxSize >= 0 {
		h.Set("X-Goog-Content-Length-Range", strconv.FormatInt(max(r.MinSize, 0), 10)+","+strconv.FormatInt(r.MaxSize, 10))
	}
	if r.CRC32C != nil {
		h.Set("X-Goog-Hash", "crc32c="+httpheader.EncodeCRC32C(*r.CRC32C))
	}
	return h, nil
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r > 0x7e }) < 0
}

func readQuery(r *storage.SignRequest) url.Values {
	query := url.Values{}
	if r.Version != "" {
		query.Set("generation", r.Version)
	}
	if r.ResponseType != "" {
		query.Set("response-content-type", r.ResponseType)
	}
	if disposition := r.ResponseDisposition(); disposition != "" {
		query.Set("response-content-disposition", disposition)
	}
	return query
}

package gcs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/providers/internal/sigv4"
)

const (
	v4Algorithm = "GOOG4-RSA-SHA256"
	v4Time      = "20060102T150405Z"
	v4Day       = "20060102"
	v4Scope     = "/auto/storage/goog4_request" // with "auto", Google determines the bucket's region

	unsignedPayload = "UNSIGNED-PAYLOAD"
)

// A v4Request has the parts of a request that its V4 signature covers.
// https://cloud.google.com/storage/docs/authentication/canonical-requests
type v4Request struct {
	method  string
	address *url.URL    // scheme, host and escaped path, without the query
	query   url.Values  // without the parameters of the signature
	header  http.Header // headers that the request must have, in addition to Host
	payload string      // the body's SHA-256 in hexadecimal; "" if the body is not signed
}

// A v4Signer is a signer and the time for which its signature is valid.
type v4Signer struct {
	sigv4.Term // its Seconds are X-Goog-Expires
	signer     signer
}

func (s *v4Signer) date() string       { return s.From.Format(v4Time) }
func (s *v4Signer) scope() string      { return s.From.Format(v4Day) + v4Scope }
func (s *v4Signer) credential() string { return s.signer.email() + "/" + s.scope() }

func (s *v4Signer) signature(ctx context.Context, text []byte) (string, error) {
	signature, err := s.signer.sign(ctx, text)
	return hex.EncodeToString(signature), err
}

// signURL returns the URL of the request with its signature.
func (s *v4Signer) signURL(ctx context.Context, r *v4Request) (string, error) {
	names, headers := canonicalHeaders(r.address.Hostname(), r.header)

	query := url.Values{
		"X-Goog-Algorithm":     {v4Algorithm},
		"X-Goog-Credential":    {s.credential()},
		"X-Goog-Date":          {s.date()},
		"X-Goog-Expires":       {strconv.FormatInt(s.Seconds, 10)},
		"X-Goog-SignedHeaders": {names},
	}
	for name, values := range r.query {
		query[name] = append(query[name], values...)
	}

	path := r.address.EscapedPath()
	parameters := strings.ReplaceAll(query.Encode(), "+", "%20")
	payload := cmp.Or(r.payload, unsignedPayload)
	// The signature covers the request in this form, which Google also computes.
	canonical := r.method + "\n" + path + "\n" + parameters + "\n" + headers + "\n" + names + "\n" + payload
	sum := sha256.Sum256([]byte(canonical))

	text := v4Algorithm + "\n" + s.date() + "\n" + s.scope() + "\n" + hex.EncodeToString(sum[:])
	signature, err := s.signature(ctx, []byte(text))
	if err != nil {
		return "", err
	}
	return r.address.Scheme + "://" + r.address.Host + path + "?" + parameters + "&X-Goog-Signature=" + signature, nil
}

// canonicalHeaders returns the names of the signed headers, and the lines with names and values.
// The host is without its port, and each run of white space in a value becomes one space.
func canonicalHeaders(host string, header http.Header) (names, lines string) {
	values := map[string]string{"host": host}
	for name, all := range header {
		values[strings.ToLower(name)] = strings.Join(strings.Fields(strings.Join(all, ",")), " ")
	}

	sorted := slices.Sorted(maps.Keys(values))
	for _, name := range sorted {
		lines += name + ":" + values[name] + "\n"
	}
	return strings.Join(sorted, ";"), lines
}

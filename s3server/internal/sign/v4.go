// Package sign computes the signatures of S3 in versions 4 and 2. It also reads bodies whose chunks
// are signed.
package sign

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/internal/escape"
)

const (
	Algorithm     = "AWS4-HMAC-SHA256"
	Terminator    = "aws4_request"
	Service       = "s3"
	TimestampForm = "20060102T150405Z"
)

// A Scope is the day, region and service for which a signing key is valid.
type Scope struct{ Date, Region, Service string }

func (s Scope) String() string {
	return s.Date + "/" + s.Region + "/" + s.Service + "/" + Terminator
}

// Key derives the key that signs requests of a scope from the secret.
func Key(secret string, s Scope) []byte {
	key := []byte("AWS4" + secret)
	for _, step := range []string{s.Date, s.Region, s.Service, Terminator} {
		key = MAC(key, step)
	}
	return key
}

// MAC returns the HMAC-SHA256 of a message.
func MAC(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// HexMAC returns the HMAC-SHA256 of a message in hexadecimal.
func HexMAC(key []byte, message string) string { return hex.EncodeToString(MAC(key, message)) }

func hexSHA256(data string) string {
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:])
}

// Equal compares two signatures in constant time, so that the time of a response does not reveal
// how many characters match.
func Equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// CanonicalRequest returns AWS's canonical form of a request, whose hash is signed. names are the signed
// headers, and payload is the hash of the body.
func CanonicalRequest(r *http.Request, query url.Values, names []string, payload string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + canonicalPath(r.URL) + "\n" + canonicalQuery(query) + "\n")
	for _, name := range names {
		b.WriteString(name + ":" + canonicalHeader(r, query, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(names, ";") + "\n" + payload)
	return b.String()
}

// canonicalPath returns the path as S3 signs it: encoded once, and not normalized. It decodes a plus sign
// as a space, because the server does so for keys. Otherwise a signature for the key "a+b" would be
// valid for the key "a b".
func canonicalPath(u *url.URL) string {
	path, err := url.QueryUnescape(u.EscapedPath())
	if err != nil {
		// This cannot happen, because EscapedPath returns a valid path.
		path = u.Path
	}
	return escape.Path(cmp.Or(path, "/"))
}

// canonicalQuery returns the encoded and sorted parameters of a query without the signature itself.
func canonicalQuery(query url.Values) string {
	var pairs []string
	for name, values := range query {
		if name == "X-Amz-Signature" {
			continue
		}
		for _, value := range values {
			pairs = append(pairs, URIEncode(name)+"="+URIEncode(value))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// URIEncode escapes all characters but the unreserved ones of RFC 3986.
func URIEncode(s string) string { return escape.All(s) }

// canonicalHeader returns the values of a header with single spaces, or those of the query parameter of
// that name if there is no such header. As S3 accepts it, version 2 of the SDK for JavaScript signs such
// a parameter also as a header (https://github.com/aws/aws-sdk-js-v3/issues/5414).
func canonicalHeader(r *http.Request, query url.Values, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(max(0, r.ContentLength), 10)
	case "transfer-encoding":
		return strings.Join(r.TransferEncoding, ",")
	}

	values := slices.Clone(r.Header.Values(name))
	if values == nil {
		values = slices.Clone(query[name])
	}
	for i, value := range values {
		words := strings.FieldsFunc(value, func(c rune) bool { return c == ' ' || c == '\t' })
		values[i] = strings.Join(words, " ")
	}
	return strings.Join(values, ",")
}

// StringToSign returns the text that is signed with the signing key. canonical is the
// canonical request.
func StringToSign(timestamp string, s Scope, canonical string) string {
	return strings.Join([]string{Algorithm, timestamp, s.String(), hexSHA256(canonical)}, "\n")
}

// Spaced returns the bytes of text in hexadecimal with spaces, as in AWS's error responses.
func Spaced(text string) string { return fmt.Sprintf("% x", text) }

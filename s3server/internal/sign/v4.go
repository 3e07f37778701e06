// Package sign has the signatures of S3: the texts that a client signs in versions 4 and 2, and the
// bodies whose chunks are signed, too.
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

	"github.com/omnibucket/storage/internal/urlpath"
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

// Key returns the key for one scope.
func Key(secret string, s Scope) []byte {
	key := []byte("AWS4" + secret)
	for _, step := range []string{s.Date, s.Region, s.Service, Terminator} {
		key = MAC(key, step)
	}
	return key
}

// MAC signs a message.
func MAC(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// HexMAC returns the MAC in hexadecimal.
func HexMAC(key []byte, message string) string { return hex.EncodeToString(MAC(key, message)) }

func hexSHA256(data string) string {
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:])
}

// Equal compares in constant time.
func Equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// CanonicalRequest returns the text whose hash is signed.
func CanonicalRequest(r *http.Request, query url.Values, signed []string, payload string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + canonicalPath(r.URL) + "\n" + canonicalQuery(query) + "\n")
	for _, name := range signed {
		b.WriteString(name + ":" + canonicalHeader(r, query, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + payload)
	return b.String()
}

// canonicalPath encodes the path once and does not normalize it, unlike AWS's other services. It
// reads a plus sign as the server does, because otherwise the signature for the key "a+b" would
// also be one for the key "a b".
func canonicalPath(u *url.URL) string {
	path, err := url.QueryUnescape(u.EscapedPath())
	if err != nil {
		path = u.Path // the server has refused such a path
	}
	return urlpath.Escape(cmp.Or(path, "/"))
}

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
func URIEncode(s string) string { return urlpath.EscapeAll(s) }

// canonicalHeader returns the values of a header with single spaces. If the header is omitted, S3 takes the
// parameter: the SDK for JavaScript, version 2, signs both (https://github.com/aws/aws-sdk-js-v3/issues/5414).
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
		values[i] = strings.Join(strings.FieldsFunc(value, func(c rune) bool { return c == ' ' || c == '\t' }), " ")
	}
	return strings.Join(values, ",")
}

// StringToSign returns the text that the signing key signs.
func StringToSign(timestamp string, s Scope, canonical string) string {
	return strings.Join([]string{Algorithm, timestamp, s.String(), hexSHA256(canonical)}, "\n")
}

// Spaced returns bytes in hexadecimal, as AWS shows them for comparison.
func Spaced(text string) string { return fmt.Sprintf("% x", text) }

package s3server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	algorithm     = "AWS4-HMAC-SHA256"
	terminator    = "aws4_request"
	service       = "s3"
	timestampForm = "20060102T150405Z"
)

// A scope is what a signing key is valid for.
type scope struct{ date, region, service string }

func (s scope) String() string {
	return s.date + "/" + s.region + "/" + s.service + "/" + terminator
}

// signingKey returns the key for one scope.
func signingKey(secret string, s scope) []byte {
	key := []byte("AWS4" + secret)
	for _, step := range []string{s.date, s.region, s.service, terminator} {
		key = mac(key, step)
	}
	return key
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

func hexMAC(key []byte, message string) string { return hex.EncodeToString(mac(key, message)) }

func hexSHA256(data string) string {
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:])
}

// equalMACs compares in constant time.
func equalMACs(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// canonicalRequest returns the text whose hash is signed.
func canonicalRequest(r *http.Request, query url.Values, signed []string, payload string) string {
	var b strings.Builder
	for _, line := range []string{r.Method, canonicalPath(r.URL), canonicalQuery(query)} {
		b.WriteString(line + "\n")
	}
	for _, name := range signed {
		b.WriteString(name + ":" + canonicalHeader(r, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + payload)
	return b.String()
}

// canonicalPath encodes the path once and does not normalize it, unlike AWS's other
// services. It reads a plus sign as locate does: else the signature for the key "a+b" would be
// one for the key "a b", too.
func canonicalPath(u *url.URL) string {
	path, err := url.QueryUnescape(u.EscapedPath())
	if err != nil {
		path = u.Path // locate has refused it
	}
	setDefault(&path, "/")
	return strings.ReplaceAll(uriEncode(path), "%2F", "/")
}

func canonicalQuery(query url.Values) string {
	var pairs []string
	for name, values := range query {
		if name == "X-Amz-Signature" {
			continue
		}
		for _, value := range values {
			pairs = append(pairs, uriEncode(name)+"="+uriEncode(value))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// uriEncode escapes all characters but the unreserved ones of RFC 3986.
func uriEncode(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}

// canonicalHeader returns the values of a header with single spaces.
func canonicalHeader(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		return strconv.FormatInt(max(0, r.ContentLength), 10)
	case "transfer-encoding":
		return strings.Join(r.TransferEncoding, ",")
	}
	values := slices.Clone(r.Header.Values(name))
	for i, value := range values {
		values[i] = strings.Join(strings.FieldsFunc(value, func(c rune) bool { return c == ' ' }), " ")
	}
	return strings.Join(values, ",")
}

// stringToSign returns the text that the signing key signs.
func stringToSign(timestamp string, s scope, canonical string) string {
	return strings.Join([]string{algorithm, timestamp, s.String(), hexSHA256(canonical)}, "\n")
}

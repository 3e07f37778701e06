package s3

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// How a request is written down for its signature:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.

// A signedRequest is what a signature is of. All of its header is signed; a name
// has one value.
type signedRequest struct {
	method string
	host   string // without the port that goes without saying
	path   string // escaped, from "/" on; of an address, what comes before the key
	query  string // escaped, and in the order of its names
	header http.Header
	length int64 // of the body, signed where it is above 0
	sha256 string
	at     time.Time // UTC
}

// begin is the canonical request before its path and query.
func (s *signer) begin(method string) {
	s.canonical = append(s.canonical[:0], method...)
	s.canonical = append(s.canonical, '\n')
}

const (
	hostHeader   = "Host"
	lengthHeader = "Content-Length"
)

// end is the canonical request behind its query.
func (s *signer) end(r *signedRequest) {
	s.canonical = append(s.canonical, '\n')
	for _, name := range s.names {
		s.canonical = appendLower(s.canonical, name)
		s.canonical = append(s.canonical, ':')
		switch name {
		case hostHeader:
			s.canonical = append(s.canonical, r.host...)
		case lengthHeader:
			s.canonical = strconv.AppendInt(s.canonical, r.length, 10)
		default:
			s.canonical = appendTrimmed(s.canonical, r.header[name][0])
		}
		s.canonical = append(s.canonical, '\n')
	}
	s.canonical = append(s.canonical, '\n')
	s.canonical = s.appendNames(s.canonical, ";")
	s.canonical = append(s.canonical, '\n')
	s.canonical = append(s.canonical, r.sha256...)
}

func (s *signer) listNames(r *signedRequest) {
	s.names = append(s.names[:0], hostHeader)
	if r.length > 0 {
		s.names = append(s.names, lengthHeader)
	}
	for name := range r.header {
		s.names = append(s.names, name)
	}
	slices.SortFunc(s.names, compareLower)
}

func (s *signer) appendNames(dst []byte, between string) []byte {
	for i, name := range s.names {
		if i > 0 {
			dst = append(dst, between...)
		}
		dst = appendLower(dst, name)
	}
	return dst
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func appendLower(dst []byte, name string) []byte {
	for _, c := range []byte(name) {
		dst = append(dst, lower(c))
	}
	return dst
}

func compareLower(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

// appendTrimmed appends a header's value without spaces at its ends, and with
// one for several within.
func appendTrimmed(dst []byte, value string) []byte {
	value = strings.TrimSpace(value)
	for i := range len(value) {
		if value[i] != ' ' || value[i-1] != ' ' {
			dst = append(dst, value[i])
		}
	}
	return dst
}

// appendEscaped escapes all but the unreserved characters, as a signature has a
// query's values.
func appendEscaped(dst []byte, value string) []byte { return appendEscapedBut(dst, value, '~') }

// appendEscapedBut escapes all but the unreserved characters and one more: "/"
// for a key.
func appendEscapedBut(dst []byte, value string, kept byte) []byte {
	const hexadecimal = "0123456789ABCDEF"
	for _, c := range []byte(value) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9',
			c == '-', c == '.', c == '_', c == '~', c == kept:
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hexadecimal[c>>4], hexadecimal[c&15])
		}
	}
	return dst
}

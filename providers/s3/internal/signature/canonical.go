package signature

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The functions below make the canonical request of a signature:
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.

// A Request is the part of a request that a signature covers. All headers are
// signed. Each name has one value.
type Request struct {
	Method string
	Host   string // without the scheme's default port
	Path   string // escaped, beginning with "/"; for Presign, only the path before the key
	Query  string // escaped, sorted by name
	Header http.Header
	Length int64 // length of the body, which is signed if it is greater than 0
	SHA256 string
	At     time.Time // UTC
}

// startCanonical begins a canonical request. The caller appends the path, a line break and the
// query, and then calls finishCanonical.
func (s *signer) startCanonical(method string) {
	s.canonical = append(s.canonical[:0], method...)
	s.canonical = append(s.canonical, '\n')
}

const (
	hostHeader   = "Host"
	lengthHeader = "Content-Length"
)

// finishCanonical appends the rest of the canonical request, the text that SigV4 signs. After the
// query follow the signed headers, their names and the SHA-256 of the body.
func (s *signer) finishCanonical(r *Request) {
	s.canonical = append(s.canonical, '\n') // ends the query

	// Each header is a line "name:value".
	for _, name := range s.names {
		s.canonical = appendLower(s.canonical, name)
		s.canonical = append(s.canonical, ':')
		switch name {
		case hostHeader:
			s.canonical = append(s.canonical, r.Host...)
		case lengthHeader:
			s.canonical = strconv.AppendInt(s.canonical, r.Length, 10)
		default:
			s.canonical = appendTrimmed(s.canonical, r.Header[name][0])
		}
		s.canonical = append(s.canonical, '\n')
	}

	// An empty line separates the headers from their names.
	s.canonical = append(s.canonical, '\n')
	s.canonical = s.appendNames(s.canonical, ";")
	s.canonical = append(s.canonical, '\n')
	s.canonical = append(s.canonical, r.SHA256...)
}

// collectNames sets s.names to the names of the signed headers: Host, Content-Length if there is a
// body, and all of r.Header. They are sorted by their lower-case forms.
func (s *signer) collectNames(r *Request) {
	s.names = append(s.names[:0], hostHeader)
	if r.Length > 0 {
		s.names = append(s.names, lengthHeader)
	}
	for name := range r.Header {
		s.names = append(s.names, name)
	}
	slices.SortFunc(s.names, compareLower)
}

// appendNames appends the names of the signed headers in lower case, separated by separator.
func (s *signer) appendNames(dst []byte, separator string) []byte {
	for i, name := range s.names {
		if i > 0 {
			dst = append(dst, separator...)
		}
		dst = appendLower(dst, name)
	}
	return dst
}

// toLower returns an ASCII letter in lower case, and any other byte as it is.
func toLower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// appendLower appends an ASCII name in lower case to dst. Unlike strings.ToLower, it allocates no
// string.
func appendLower(dst []byte, name string) []byte {
	for _, c := range []byte(name) {
		dst = append(dst, toLower(c))
	}
	return dst
}

// compareLower compares two ASCII names as strings.Compare does, without regard to case.
func compareLower(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := toLower(a[i]), toLower(b[i]); x != y {
			return int(x) - int(y)
		}
	}
	return len(a) - len(b)
}

// appendTrimmed appends the value of a header, without the spaces at both ends and with one space
// in place of several.
func appendTrimmed(dst []byte, value string) []byte {
	// After TrimSpace, value[0] is not a space, so value[i-1] exists wherever it is read.
	value = strings.TrimSpace(value)
	for i := range len(value) {
		if value[i] != ' ' || value[i-1] != ' ' {
			dst = append(dst, value[i])
		}
	}
	return dst
}

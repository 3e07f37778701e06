package headertext

import (
	"net/http"
	"strings"
	"time"
)

// RangeApplies evaluates the If-Range header (RFC 9110, section 13.1.5) for an object with this
// ETag and modification time, which is zero if it is unknown.
//
// It returns false if the client has a part of an earlier object, so that the server must ignore
// the Range header. Entity tags are compared strongly, and dates to the second.
func RangeApplies(header http.Header, etag string, modified time.Time) bool {
	condition := strings.Trim(header.Get("If-Range"), " \t\r\n")
	if condition == "" {
		return true
	}
	if tag, _ := CutTag(condition); tag != "" {
		return StrongMatch(tag, etag)
	}
	date, err := http.ParseTime(condition)
	return err == nil && !modified.IsZero() && date.Unix() == modified.Unix()
}

// CutTag splits s after the entity tag at its beginning, such as "abc" or W/"abc" with its quotes.
// If s does not begin with one, tag is "".
func CutTag(s string) (tag, rest string) {
	quoted := strings.TrimPrefix(s, "W/")
	if quoted == "" || quoted[0] != '"' {
		return "", ""
	}

	afterQuote := len(s) - len(quoted) + 1
	for i := afterQuote; i < len(s); i++ {
		c := s[i]
		if c == '"' {
			return s[:i+1], s[i+1:]
		}
		isControlOrSpace := c <= ' ' || c == 0x7F
		if isControlOrSpace {
			return "", ""
		}
	}
	return "", ""
}

// StrongMatch compares entity tags by the strong comparison of RFC 9110, section 8.8.3.2.
func StrongMatch(a, b string) bool {
	return a == b && strings.HasPrefix(a, `"`)
}

package serve

import (
	"net/http"
	"strings"
	"time"
)

// judge weighs the conditions of a request in the order of RFC 9110, section
// 13.2.2, and with the leniency of http.ServeContent. It is the status of the
// answer that they end in, or 0.
func evaluatePreconditions(r *http.Request, etag string, modified time.Time) int {
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	if list := r.Header.Get("If-Match"); list != "" {
		if !matches(list, etag, strongMatch) {
			return http.StatusPreconditionFailed
		}
	} else if since, given := headerDate(r, "If-Unmodified-Since", modified); given && isAfter(modified, since) {
		return http.StatusPreconditionFailed
	}
	if list := r.Header.Get("If-None-Match"); list != "" {
		switch {
		case !matches(list, etag, weakMatch):
			return 0
		case read:
			return http.StatusNotModified
		}
		return http.StatusPreconditionFailed
	}
	if since, given := headerDate(r, "If-Modified-Since", modified); given && read && !isAfter(modified, since) {
		return http.StatusNotModified
	}
	return 0
}

// rangeApplies is If-Range: false where the client's part is of another object.
func rangeApplies(r *http.Request, etag string, modified time.Time) bool {
	condition := r.Header.Get("If-Range")
	if condition == "" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return true
	}
	if tag, _ := cutTag(trimSpace(condition)); tag != "" {
		return strongMatch(tag, etag)
	}
	date, err := http.ParseTime(condition)
	return err == nil && !modified.IsZero() && date.Unix() == modified.Unix()
}

// dateIn is a header's date; not given where it, or when the object was
// modified, is not known.
func headerDate(r *http.Request, header string, modified time.Time) (date time.Time, given bool) {
	value := r.Header.Get(header)
	if value == "" || !isKnown(modified) {
		return time.Time{}, false
	}
	date, err := http.ParseTime(value)
	return date, err == nil
}

// laterThan compares as whole seconds: headers tell no more.
func isAfter(modified, date time.Time) bool {
	return modified.Truncate(time.Second).After(date)
}

func isKnown(modified time.Time) bool {
	return !modified.IsZero() && modified.Unix() != 0
}

// matches reports whether a list of entity tags names etag, or anything ("*").
// What cannot be read ends the list.
func matches(list, etag string, same func(a, b string) bool) bool {
	for {
		list = strings.TrimLeft(list, ", \t\r\n")
		if list == "" {
			return false
		}
		if list[0] == '*' {
			return true
		}
		tag, rest := cutTag(list)
		if tag == "" {
			return false
		}
		if same(tag, etag) {
			return true
		}
		list = rest
	}
}

// cutTag takes the entity tag that s begins with; "" where there is none.
func cutTag(s string) (tag, rest string) {
	opaque := strings.TrimPrefix(s, "W/")
	if opaque == "" || opaque[0] != '"' {
		return "", ""
	}
	begin := len(s) - len(opaque) + 1
	for i := begin; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return s[:i+1], s[i+1:]
		case c <= ' ' || c == 0x7F:
			return "", ""
		}
	}
	return "", ""
}

// strongly and weakly compare entity tags as RFC 9110, section 8.8.3.2, has it.
func strongMatch(a, b string) bool {
	return a == b && strings.HasPrefix(a, `"`)
}

func weakMatch(a, b string) bool {
	return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}

func trimSpace(s string) string { return strings.Trim(s, " \t\r\n") }

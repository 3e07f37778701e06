package serve

import (
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/headertext"
)

// evaluatePreconditions evaluates the conditions of a request in the order of RFC 9110, section
// 13.2.2, and returns the status of the response, or 0 if the object is to be sent. Like
// http.ServeContent, it ignores malformed conditions.
func evaluatePreconditions(r *http.Request, etag string, modified time.Time) int {
	// Steps 1 and 2: If-Unmodified-Since counts only without If-Match.
	if list := r.Header.Get("If-Match"); list != "" {
		if !matches(list, etag, headertext.StrongMatch) {
			return http.StatusPreconditionFailed
		}
	} else {
		date, ok := headerDate(r, "If-Unmodified-Since", modified)
		if ok && isAfter(modified, date) {
			return http.StatusPreconditionFailed
		}
	}

	// Step 3.
	if list := r.Header.Get("If-None-Match"); list != "" {
		if !matches(list, etag, weakMatch) {
			return 0
		}
		if isRead(r) {
			return http.StatusNotModified
		}
		return http.StatusPreconditionFailed
	}

	// Step 4: If-Modified-Since counts only without If-None-Match, and only for GET and HEAD.
	date, ok := headerDate(r, "If-Modified-Since", modified)
	if ok && isRead(r) && !isAfter(modified, date) {
		return http.StatusNotModified
	}
	return 0
}

// isRead reports whether the method of a request is GET or HEAD.
func isRead(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

// rangeApplies returns false if the header If-Range names another revision of the object. The range
// must then be ignored. If-Range counts only for GET and HEAD.
func rangeApplies(r *http.Request, etag string, modified time.Time) bool {
	return !isRead(r) || headertext.RangeApplies(r.Header, etag, modified)
}

// headerDate returns the date in a header. It returns false if the header has no valid date, or if the
// object's modification time is unknown.
func headerDate(r *http.Request, header string, modified time.Time) (date time.Time, ok bool) {
	value := r.Header.Get(header)
	if value == "" || !isKnown(modified) {
		return time.Time{}, false
	}
	date, err := http.ParseTime(value)
	return date, err == nil
}

// isAfter reports whether modified is after date. It ignores fractions of a second, because headers
// have none.
func isAfter(modified, date time.Time) bool {
	return modified.Truncate(time.Second).After(date)
}

// isKnown reports whether modified is a real time. Stores without times return the zero time or the
// beginning of 1970.
func isKnown(modified time.Time) bool {
	return !modified.IsZero() && modified.Unix() != 0
}

// matches reports whether a list of entity tags contains "*", or a tag that match finds equal to etag.
// It stops at the first malformed tag.
func matches(list, etag string, match func(a, b string) bool) bool {
	for {
		list = strings.TrimLeft(list, ", \t\r\n")
		if strings.HasPrefix(list, "*") {
			return true
		}
		// At the end of the list, and before a malformed tag, tag is "".
		tag, rest := headertext.CutTag(list)
		if tag == "" {
			return false
		}
		if match(tag, etag) {
			return true
		}
		list = rest
	}
}

// weakMatch compares entity tags by RFC 9110, section 8.8.3.2.
func weakMatch(a, b string) bool {
	return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}

func trimSpace(s string) string { return strings.Trim(s, " \t\r\n") }

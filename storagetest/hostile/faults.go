package hostile

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// A fault is one way to break responses of the server.
type fault struct {
	name       string
	instead    bool                  // true if the request does not reach Store.Server
	success    bool                  // true if the response claims success
	fails      bool                  // true if the operation must fail
	codes      []storage.Code        // codes that the error may have; nil means any
	hint       string                // text that the hint of the error must contain
	stall      time.Duration         // stall limit of the bucket; 0 means the default
	attempts   int                   // attempts that the bucket makes for each request; 0 means 1
	requests   int                   // requests that the operation may make, if more than maxRequests
	quotes     bool                  // true if the response quotes the request
	large      bool                  // true if operations that send many bytes are tried, too
	firstOnly  bool                  // true if every try breaks the response to request 1
	selects    func(*operation) bool // selects operations; nil means all
	writes     bool                  // true if only operations with an effect are tried
	breaksOnce bool                  // true if only one response is broken
	// True if each try sends another status code. All tries use the same server.
	each    bool
	respond func(*exchange)
}

func (f *fault) maxRequests() int { return max(maxRequests, f.requests) }

// maxTime returns how long an operation may take. It allows more time if the fault allows more
// requests.
func (f *fault) maxTime() time.Duration {
	return maxTime * time.Duration(f.maxRequests()) / maxRequests
}

// concerns reports whether the fault is tried with the operation o.
func (f *fault) concerns(o *operation) bool {
	// If every response were 412, Update would try again for a very long time.
	if f.writes && !f.breaksOnce && o.name == "Update" {
		return false
	}
	if f.writes {
		return o.tookEffect != nil && !o.keyed
	}

	// Only the faults with f.writes are tried with the operations of the sweep.
	if o.sweeps {
		return false
	}

	// An operation with a customer's key is tried only with faults that might show the key.
	if o.keyed {
		return f.quotes
	}

	if f.selects != nil {
		return f.selects(o)
	}
	// Operations that send many bytes are slow.
	return !o.large || f.success || f.large
}

const (
	stallTime = 250 * time.Millisecond
	// endless is the number of bytes after which the server stops sending. It exceeds maxTaken, but
	// fits in memory.
	endless = 48 << 20

	// maxPages is how many empty pages in a row a listing may read. Some services send empty pages
	// when they filter.
	maxPages = 1_100
)

var unavailable = []storage.Code{storage.Unavailable}

// faults returns the faults that Run tries with the store.
func faults(s *Store) []fault {
	all := append(portals(), applied()...)
	all = append(all, redirects()...)
	all = append(all, sizes()...)
	all = append(all, framings()...)
	all = append(all, otherRanges()...)
	all = append(all, floods()...)
	all = append(all, quotes()...)
	all = append(all, fault{
		name:      "another size after a cut",
		firstOnly: true,
		fails:     true,
		attempts:  2,
		selects:   func(o *operation) bool { return o.name == "Download" },
		respond:   resize,
	})
	if s.EmptyPage != nil {
		all = append(all, emptyPages(s.EmptyPage)...)
	}
	return slices.DeleteFunc(all, func(f fault) bool { return !strings.HasPrefix(f.name, s.Only) })
}

// portals returns faults in which a proxy, such as a captive portal, responds instead of the store.
func portals() []fault {
	const page = "<!DOCTYPE html><html><head><title>Welcome</title></head><body><form>Log in</form></body></html>"
	portals := []fault{
		{
			name: "a login page",
			respond: func(x *exchange) {
				x.respond(http.StatusOK, "text/html", page)
			},
		},
		{
			name: "a login page without a length",
			respond: func(x *exchange) {
				x.beginBody("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n", page)
			},
		},
		{
			name: "an empty JSON object",
			respond: func(x *exchange) {
				x.respond(http.StatusOK, "application/json", "{}")
			},
		},
		{
			name: "another XML document",
			respond: func(x *exchange) {
				x.respond(http.StatusOK, "application/xml", `<?xml version="1.0"?><Welcome><To>nothing</To></Welcome>`)
			},
		},
		{
			name: "nothing",
			respond: func(x *exchange) {
				x.respond(http.StatusOK, "text/plain", "")
			},
		},
	}

	// Each response claims success, although the request had no effect.
	for i := range portals {
		portals[i].instead = true
		portals[i].success = true
		portals[i].fails = true
		portals[i].codes = unavailable
	}
	return append(portals, redirect("a redirect loop", http.StatusTemporaryRedirect, loopLocation))
}

// loopLocation returns the address of the same request, with a parameter that differs each time.
func loopLocation(x *exchange) string {
	separator := "?"
	if x.request.URL.RawQuery != "" {
		separator = "&"
	}
	return fmt.Sprintf("%s%sagain=%d", x.request.RequestURI, separator, x.number)
}

// redirects returns faults in which a proxy redirects to https.
func redirects() []fault {
	location := func(x *exchange) string { return "https://secure.invalid" + x.request.RequestURI }
	var faults []fault
	for _, status := range []int{301, 302, 303, 307, 308} {
		f := redirect(fmt.Sprintf("a redirect with status %d", status), status, location)
		f.hint = "https://secure.invalid: "
		faults = append(faults, f)
	}
	return faults
}

// redirect returns a fault that redirects requests. Whatever the status is, the error must say that
// the endpoint is wrong.
func redirect(name string, status int, location func(*exchange) string) fault {
	return fault{
		name:    name,
		instead: true,
		fails:   true,
		codes:   []storage.Code{storage.InvalidArgument},
		hint:    "endpoint",
		respond: func(x *exchange) {
			x.print(
				"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status,
				location(x),
			)
		},
	}
}

// applied returns faults in which a gateway reports an error after the store has made the change.
func applied() []fault {
	var faults []fault
	for _, status := range []int{499, 500, 502, 504, 507, 520, 524, 530, 598} {
		faults = append(faults, fault{
			name:  fmt.Sprintf("status %d after the effect", status),
			large: status == 520, // one status is enough for operations that send many bytes
			codes: unavailable,
			respond: func(x *exchange) {
				x.respond(status, "text/html", "<html><body>The gateway has given up.</body></html>")
			},
		})
	}
	return faults
}

// quotes returns faults in which the response quotes the request, as some gateways do.
func quotes() []fault {
	faults := []fault{{
		name:    "the request quoted in a header",
		quotes:  true,
		instead: true,
		fails:   true,
		respond: func(x *exchange) {
			x.print(
				"HTTP/1.1 400 %s\r\nX-Ms-Error-Code: %[1]s\r\nX-Amz-Request-Id: %[1]s\r\n"+
					"X-Guploader-Uploadid: %[1]s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
				x.quoted,
			)
		},
	}}
	for _, row := range []struct{ name, contentType, format string }{
		{
			name:        "in XML",
			contentType: "application/xml",
			format:      `<?xml version="1.0"?><Error><Code>Odd</Code><Message>%s</Message></Error>`,
		},
		{
			name:        "in JSON",
			contentType: "application/json",
			format:      `{"error":{"code":400,"message":%q,"errors":[{"reason":"odd","message":%[1]q}]}}`,
		},
		{
			name:        "as text",
			contentType: "text/plain",
			format:      "bad request: %s",
		},
		{
			name:        "as the name of an element",
			contentType: "application/xml",
			format:      `<?xml version="1.0"?><%s>`,
		},
	} {
		failure := fault{
			name:    "the request quoted " + row.name,
			quotes:  true,
			instead: true,
			fails:   true,
			respond: func(x *exchange) {
				x.quote(http.StatusBadRequest, row.contentType, row.format)
			},
		}
		success := fault{
			name:    "the request quoted " + row.name + " of a success",
			quotes:  true,
			instead: true,
			success: true,
			fails:   true,
			respond: func(x *exchange) {
				x.quote(http.StatusOK, row.contentType, row.format)
			},
		}
		faults = append(faults, failure, success)
	}
	return faults
}

// quote sends a response whose body quotes the request, in the given format.
func (x *exchange) quote(status int, contentType, format string) {
	text := x.quoted
	if contentType == "application/xml" {
		text = strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(text)
	}
	x.respond(status, contentType, fmt.Sprintf(format, text))
}

// emptyPages returns faults in which a listing never ends, because each page is empty and has a
// token. page makes the response to a listing.
func emptyPages(page func(*http.Request, string) (contentType, body string)) []fault {
	isListing := func(o *operation) bool { return o.lists }
	return []fault{
		{
			name:      "empty pages with a new token each",
			instead:   true,
			fails:     true,
			codes:     unavailable,
			firstOnly: true,
			requests:  maxPages,
			selects:   isListing,
			respond: func(x *exchange) {
				contentType, body := page(x.request, fmt.Sprintf("token-%d", x.number))
				x.respondPage(contentType, body)
			},
		},
		{
			name:      "empty pages with one token",
			instead:   true,
			fails:     true,
			codes:     unavailable,
			firstOnly: true,
			selects:   isListing,
			respond: func(x *exchange) {
				contentType, body := page(x.request, "token")
				x.respondPage(contentType, body)
			},
		},
	}
}

// respondPage sends an empty page, or an error for a request that is not a listing and after
// maxPages.
func (x *exchange) respondPage(contentType, body string) {
	isListing := contentType != ""
	// A driver that follows all pages would never end without maxPages.
	if !isListing || x.number > maxPages {
		x.respond(http.StatusBadRequest, "text/plain", "no listing")
		return
	}
	x.respond(http.StatusOK, contentType, body)
}

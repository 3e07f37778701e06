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
	name          string
	blocksRequest bool                  // true if the request does not reach Store.Server
	claimsSuccess bool                  // true if the response claims success
	mustFail      bool                  // true if the operation must fail
	codes         []storage.Code        // codes that the error may have; nil means any
	hint          string                // text that the hint of the error must contain
	stall         time.Duration         // stall limit of the bucket; 0 means the default
	attempts      int                   // attempts that the bucket makes for each request; 0 means 1
	requests      int                   // requests that the operation may make, if more than maxRequests
	quotesRequest bool                  // true if the response quotes the request
	large         bool                  // true if operations that send many bytes are tried, too
	fromFirstOnly bool                  // true if every try breaks the response to request 1
	appliesTo     func(*operation) bool // selects operations; nil means all
	onlyWrites    bool                  // true if only operations with an effect are tried
	breaksOnce    bool                  // true if only one response is broken
	// True if each try sends another status code. All tries use the same server.
	sweepsStatuses bool
	respond        func(*exchange)
}

func (f *fault) maxRequests() int { return max(maxRequests, f.requests) }

// maxTime returns how long an operation may take. It allows more time if the fault allows more
// requests.
func (f *fault) maxTime() time.Duration {
	return maxTime * time.Duration(f.maxRequests()) / maxRequests
}

// concerns reports whether the fault is tried with the operation o.
func (f *fault) concerns(o *operation) bool {
	if f.onlyWrites {
		return f.concernsWrite(o)
	}

	// Only the faults with f.onlyWrites are tried with the operations of the sweep.
	if o.sweeps {
		return false
	}

	// An operation with a customer's key is tried only with faults that might show the key.
	if o.keyed {
		return f.quotesRequest
	}

	if f.appliesTo != nil {
		return f.appliesTo(o)
	}

	// Operations that send many bytes are slow, so only these faults are tried with them.
	if o.large {
		return f.claimsSuccess || f.large
	}
	return true
}

// concernsWrite reports whether a fault for writes only is tried with the operation o.
func (f *fault) concernsWrite(o *operation) bool {
	// If every response were 412, Update would try again for a very long time.
	if o.name == "Update" && !f.breaksOnce {
		return false
	}
	hasEffect := o.tookEffect != nil
	return hasEffect && !o.keyed
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
		name:          "another size after a cut",
		fromFirstOnly: true,
		mustFail:      true,
		attempts:      2,
		appliesTo:     func(o *operation) bool { return o.name == "Download" },
		respond:       resize,
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
		portals[i].blocksRequest = true
		portals[i].claimsSuccess = true
		portals[i].mustFail = true
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

// redirects returns faults in which a proxy redirects to https, one for each status. The hint of the error
// must name the address.
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
		name:          name,
		blocksRequest: true,
		mustFail:      true,
		codes:         []storage.Code{storage.InvalidArgument},
		hint:          "endpoint",
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
		name:          "the request quoted in a header",
		quotesRequest: true,
		blocksRequest: true,
		mustFail:      true,
		respond: func(x *exchange) {
			// Each %[1]s is x.quoted, the request line and its headers.
			x.print(
				"HTTP/1.1 400 %[1]s\r\nX-Ms-Error-Code: %[1]s\r\nX-Amz-Request-Id: %[1]s\r\n"+
					"X-Guploader-Uploadid: %[1]s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
				x.quoted,
			)
		},
	}}
	for _, quotation := range []struct{ name, contentType, format string }{
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
		name := "the request quoted " + quotation.name
		faults = append(faults,
			quotedWith(name, http.StatusBadRequest, quotation.contentType, quotation.format),
			quotedWith(name+" of a success", http.StatusOK, quotation.contentType, quotation.format))
	}
	return faults
}

// quotedWith returns a fault that responds with the given status and with a body that quotes the request.
// format is that of the body, with a verb for the quotation.
func quotedWith(name string, status int, contentType, format string) fault {
	return fault{
		name:          name,
		quotesRequest: true,
		blocksRequest: true,
		claimsSuccess: status == http.StatusOK,
		mustFail:      true,
		respond: func(x *exchange) {
			x.quote(status, contentType, format)
		},
	}
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
	newTokens := endlessPages("empty pages with a new token each", page,
		func(x *exchange) string { return fmt.Sprintf("token-%d", x.number) })
	newTokens.requests = maxPages
	oneToken := endlessPages("empty pages with one token", page, func(*exchange) string { return "token" })
	return []fault{newTokens, oneToken}
}

// endlessPages returns a fault that responds to each listing request with an empty page and a token for
// the next one. page returns the page for a token, in the format of the store.
func endlessPages(
	name string, page func(*http.Request, string) (contentType, body string), token func(*exchange) string,
) fault {
	return fault{
		name:          name,
		blocksRequest: true,
		mustFail:      true,
		codes:         unavailable,
		fromFirstOnly: true,
		appliesTo:     func(o *operation) bool { return o.lists },
		respond: func(x *exchange) {
			contentType, body := page(x.request, token(x))
			x.respondPage(contentType, body)
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

package hostile

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// A fault is a way to break responses.
type fault struct {
	name      string
	instead   bool                  // the request does not reach the true server
	success   bool                  // the response says that the request succeeded
	fails     bool                  // the operation cannot succeed
	codes     []storage.Code        // codes that the error may have; nil means any
	hint      string                // text that the hint of the error must contain
	stall     time.Duration         // stall limit of the bucket; 0 means the default
	attempts  int                   // attempts for one request; 0 means 1
	requests  int                   // requests that the operation may make beyond maxRequests
	quotes    bool                  // the response shows parts of the request
	large     bool                  // also for operations that send many bytes
	firstOnly bool                  // only with broken responses from the first request on
	only      func(*operation) bool // nil means all operations
	writes    bool                  // only operations that change something, including those of the sweep
	once      bool                  // only one response is broken
	each      bool                  // the tries share one server, and each variant is a status
	respond   func(*exchange)
}

func (f *fault) maxRequests() int { return max(maxRequests, f.requests) }

// maxTime grows with the requests, so that a slow machine may make them all.
func (f *fault) maxTime() time.Duration {
	return maxTime * time.Duration(f.maxRequests()) / maxRequests
}

// concerns reports whether the fault is tried with the operation o.
func (f *fault) concerns(o *operation) bool {
	switch {
	case f.writes: // with a lasting 412, Update would meet conflicts for a very long time
		return o.done != nil && !o.keyed && (f.once || o.name != "Update")
	case o.sweeps:
		return false
	case o.keyed:
		return f.quotes
	case f.only != nil:
		return f.only(o)
	}
	return !o.large || f.success || f.large
}

const (
	stallTime = 250 * time.Millisecond
	endless   = 48 << 20 // bytes after which the server stops sending: more than maxTaken, and less than memory

	// maxPages is how many empty pages a listing may follow. Services that filter send some.
	maxPages = 1_100
)

var unavailable = []storage.Code{storage.Unavailable}

func faults(s *Store) []fault {
	all := append(portals(), applied()...)
	all = append(all, redirects()...)
	all = append(all, sizes()...)
	all = append(all, framings()...)
	all = append(all, otherRanges()...)
	all = append(all, floods()...)
	all = append(all, quotes()...)
	all = append(all, fault{name: "another size after a cut", firstOnly: true, fails: true, attempts: 2,
		only: func(o *operation) bool { return o.name == "Download" }, respond: resize})
	if s.EmptyPage != nil {
		all = append(all, emptyPages(s.EmptyPage)...)
	}
	return slices.DeleteFunc(all, func(f fault) bool { return !strings.HasPrefix(f.name, s.Only) })
}

// portals are responses of a proxy that did not pass the request on.
func portals() []fault {
	const page = "<!DOCTYPE html><html><head><title>Welcome</title></head><body><form>Log in</form></body></html>"
	portal := func(name string, respond func(*exchange)) fault {
		return fault{name: name, instead: true, success: true, fails: true, codes: unavailable, respond: respond}
	}
	return []fault{
		portal("a login page", func(x *exchange) { x.respond(http.StatusOK, "text/html", page) }),
		portal("a login page without a length", func(x *exchange) {
			x.print("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n")
			if x.request.Method != http.MethodHead {
				x.print("%s", page)
			}
		}),
		portal("an empty JSON object", func(x *exchange) { x.respond(http.StatusOK, "application/json", "{}") }),
		portal("another XML document", func(x *exchange) {
			x.respond(http.StatusOK, "application/xml", `<?xml version="1.0"?><Welcome><To>nothing</To></Welcome>`)
		}),
		portal("nothing", func(x *exchange) { x.respond(http.StatusOK, "text/plain", "") }),
		redirect("a redirect loop", http.StatusTemporaryRedirect, func(x *exchange) string {
			separator := "?"
			if x.request.URL.RawQuery != "" {
				separator = "&"
			}
			return fmt.Sprintf("%s%sagain=%d", x.request.RequestURI, separator, x.nth)
		}),
	}
}

// redirects are responses of a proxy that demands https.
func redirects() []fault {
	var all []fault
	for _, status := range []int{301, 302, 303, 307, 308} {
		f := redirect(fmt.Sprintf("a redirect with status %d", status), status, func(x *exchange) string {
			return "https://secure.invalid" + x.request.RequestURI
		})
		f.hint = "https://secure.invalid: "
		all = append(all, f)
	}
	return all
}

// redirect returns a fault whose response has one meaning, whatever its status is: the endpoint is
// not the store's.
func redirect(name string, status int, location func(*exchange) string) fault {
	return fault{
		name: name, instead: true, fails: true, codes: []storage.Code{storage.InvalidArgument}, hint: "endpoint",
		respond: func(x *exchange) {
			x.print(
				"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status,
				location(x),
			)
		},
	}
}

// applied are the errors of gateways that come after the store has made the change.
func applied() []fault {
	var all []fault
	for _, status := range []int{499, 500, 502, 504, 507, 520, 524, 530, 598} {
		all = append(
			all,
			fault{
				name: fmt.Sprintf("status %d after the effect", status), large: status == 520, codes: unavailable,
				respond: func(x *exchange) {
					x.respond(status, "text/html", "<html><body>The gateway has given up.</body></html>")
				},
			},
		)
	}
	return all
}

// quotes are responses that show the request, as gateways do.
func quotes() []fault {
	var all []fault
	for _, row := range []struct{ name, contentType, body string }{
		{"in XML", "application/xml", `<?xml version="1.0"?><Error><Code>Odd</Code><Message>%s</Message></Error>`},
		{"in JSON", "application/json", `{"error":{"code":400,"message":%q,"errors":[{"reason":"odd","message":%[1]q}]}}`},
		{"as text", "text/plain", "bad request: %s"},
		{"as the name of an element", "application/xml", `<?xml version="1.0"?><%s>`},
	} {
		respond := func(status int) func(*exchange) {
			return func(x *exchange) {
				text := x.quoted
				if row.contentType == "application/xml" {
					text = strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(text)
				}
				x.respond(status, row.contentType, fmt.Sprintf(row.body, text))
			}
		}
		all = append(
			all,
			fault{
				name: "the request quoted " + row.name, quotes: true, instead: true, fails: true,
				respond: respond(http.StatusBadRequest),
			},
			fault{
				name: "the request quoted " + row.name + " of a success", quotes: true, instead: true, success: true,
				fails:   true,
				respond: respond(http.StatusOK),
			},
		)
	}
	return append(
		all,
		fault{
			name: "the request quoted in a header", quotes: true, instead: true, fails: true,
			respond: func(x *exchange) {
				x.print(
					"HTTP/1.1 400 %s\r\nX-Ms-Error-Code: %[1]s\r\nX-Amz-Request-Id: %[1]s\r\nX-Guploader-Uploadid: %[1]s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
					x.quoted,
				)
			},
		},
	)
}

// emptyPages are listings that never end.
func emptyPages(page func(*http.Request, string) (contentType, body string)) []fault {
	listing := func(o *operation) bool { return o.lists }
	respond := func(token func(nth int) string) func(*exchange) {
		return func(x *exchange) {
			contentType, body := page(x.request, token(x.nth))
			if contentType == "" || x.nth > maxPages { // otherwise a driver that follows pages would take for ever
				x.respond(http.StatusBadRequest, "text/plain", "no listing")
				return
			}
			x.respond(http.StatusOK, contentType, body)
		}
	}
	return []fault{
		{
			name: "empty pages with a new token each", instead: true, fails: true, codes: unavailable, firstOnly: true,
			requests: maxPages, only: listing,
			respond: respond(func(nth int) string { return fmt.Sprintf("token-%d", nth) }),
		},
		{name: "empty pages with one token", instead: true, fails: true, codes: unavailable, firstOnly: true,
			only: listing, respond: respond(func(int) string { return "token" })},
	}
}

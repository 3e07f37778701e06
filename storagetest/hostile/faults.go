package hostile

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"regexp"
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

// framings are true responses that are framed in an unusual way.
func framings() []fault {
	return []fault{
		{name: "a response without a length", respond: func(x *exchange) {
			x.truth.header.Del("Content-Length")
			if !x.truth.hasBody(x.request) {
				x.write(x.truth.raw(x.request))
				return
			}
			x.truth.header.Set("Transfer-Encoding", "chunked")
			x.print("%s\r\n", x.truth.head())
			x.chunk(x.truth.body.Bytes())
			x.print("0\r\n\r\n")
		}},
		{name: "trailers", respond: func(x *exchange) {
			x.truth.header.Del("Content-Length")
			if !x.truth.hasBody(x.request) {
				x.write(x.truth.raw(x.request))
				return
			}
			x.truth.header.Set("Transfer-Encoding", "chunked")
			x.truth.header.Set("Trailer", "ETag, Content-Length")
			x.print("%s\r\n", x.truth.head())
			x.chunk(x.truth.body.Bytes())
			x.print("0\r\nETag: \"other\"\r\nContent-Length: 3\r\n\r\n")
		}},
		{name: "a cut within the response", firstOnly: true, respond: cut},
		{name: "each header twice", respond: func(x *exchange) {
			x.print("%s", x.truth.head())
			_ = x.truth.header.Write(writer{x})
			x.print("\r\n")
			if x.truth.hasBody(x.request) {
				x.write(x.truth.body.Bytes())
			}
		}},
		{name: "two lengths", respond: func(x *exchange) {
			x.print("%sContent-Length: 7\r\n\r\n", x.truth.head())
			if x.truth.hasBody(x.request) {
				x.write(x.truth.body.Bytes())
			}
		}},
		{name: "an encoding that is not true", respond: func(x *exchange) {
			x.truth.header.Set("Content-Encoding", "gzip")
			x.write(x.truth.raw(x.request))
		}},
		{name: "an encoding that nobody asked for", respond: func(x *exchange) {
			var packed bytes.Buffer
			to := gzip.NewWriter(&packed)
			_, _ = to.Write(x.truth.body.Bytes())
			_ = to.Close()
			if x.truth.hasBody(x.request) {
				x.truth.body = packed
				x.truth.header.Set("Content-Encoding", "gzip")
				x.truth.header.Set("Content-Length", fmt.Sprint(packed.Len()))
			}
			x.write(x.truth.raw(x.request))
		}},
		{name: "wrong checksums", respond: func(x *exchange) {
			for name := range x.truth.header {
				if lower := strings.ToLower(name); strings.Contains(lower, "checksum-crc") ||
					strings.Contains(lower, "goog-hash") ||
					strings.Contains(lower, "crc32c") {
					x.truth.header.Set(name, strings.Replace(x.truth.header.Get(name), "=", "A=", 1))
				}
			}
			x.write(x.truth.raw(x.request))
		}},
		{
			name: "a response that is no HTTP", instead: true, fails: true,
			respond: func(x *exchange) { x.print("220 mail.example.com ESMTP\r\n") },
		},
		{name: "a header without an end", instead: true, fails: true, respond: func(x *exchange) {
			if x.print("HTTP/1.1 200 OK\r\nX-Filler: ") {
				x.fill()
			}
		}},
		{name: "informational responses without an end", instead: true, fails: true, respond: func(x *exchange) {
			for range 100 {
				if !x.print(
					"%s", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n", 100),
				) {
					return
				}
			}
		}},
	}
}

// sizes are responses that are true except for the size of the object, and long pages.
func sizes() []fault {
	const size = 4 << 60
	asked := func(o *operation) bool { return o.name == "Attrs" || o.name == "Copy" || o.name == "Download" }
	all := []fault{{name: "an object of 4 EiB", only: asked, codes: unavailable, respond: func(x *exchange) {
		if x.truth.status == http.StatusOK && (x.request.Method == http.MethodHead || x.truth.body.String() == before) {
			x.truth.header.Set("Content-Length", fmt.Sprint(size))
		} else if found := resourceSize.ReplaceAll(x.truth.body.Bytes(), fmt.Appendf(nil, `"size":"%d"`, size)); len(found) != x.truth.body.Len() {
			x.truth.body = *bytes.NewBuffer(found)
			x.truth.header.Set("Content-Length", fmt.Sprint(len(found)))
		}
		x.write(x.truth.raw(x.request))
	}}}
	for _, status := range []int{http.StatusOK, http.StatusForbidden, http.StatusNotFound} {
		all = append(
			all,
			fault{
				name: fmt.Sprintf("a page of 60 KiB with status %d", status), instead: true,
				success: status == http.StatusOK,
				respond: func(x *exchange) {
					x.respond(
						status, "text/html",
						"<html><body>"+strings.Repeat("all the news ", 60<<10/13)+"</body></html>",
					)
				},
			},
		)
	}
	return all
}

var resourceSize = regexp.MustCompile(`"size":\s*"[0-9]+"`)

// otherRanges are responses with true bytes of the object, but not with those that the request
// asks for.
func otherRanges() []fault {
	partial := func(o *operation) bool { return o.name == "Download of a range" }
	respond := func(status int, contentRange, body string) func(*exchange) {
		return func(x *exchange) {
			if x.truth.status == http.StatusPartialContent {
				x.truth.status, x.truth.body = status, *bytes.NewBufferString(body)
				x.truth.header.Set("Content-Length", fmt.Sprint(len(body)))
				x.truth.header.Del("Content-Range")
				if contentRange != "" {
					x.truth.header.Set("Content-Range", contentRange)
				}
			}
			x.write(x.truth.raw(x.request))
		}
	}
	return []fault{
		{name: "the whole object in place of a range", only: partial, respond: respond(http.StatusOK, "", before)},
		{name: "another range", only: partial, fails: true,
			respond: respond(http.StatusPartialContent, fmt.Sprintf("bytes 0-6/%d", len(before)), before[:7])},
	}
}

// floods are responses whose bodies have no end, or never arrive completely.
func floods() []fault {
	document := func(o *operation) bool { return !o.reads }
	return []fault{
		{name: "an error body of 1 GiB", instead: true, fails: true, respond: func(x *exchange) {
			if x.print(
				"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n\r\n<Error><Code>AccessDenied</Code><Message>",
				1<<30,
			) &&
				x.request.Method != http.MethodHead {
				x.fill()
			}
		}},
		{name: "an error body of 1 GiB in JSON", instead: true, fails: true, respond: func(x *exchange) {
			if x.print(
				"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n\r\n{\"error\":{\"code\":403,\"message\":\"",
			) &&
				x.request.Method != http.MethodHead {
				x.fill()
			}
		}},
		{
			name: "an error body that trickles", instead: true, fails: true, stall: stallTime, firstOnly: true,
			respond: func(x *exchange) {
				if x.print(
					"HTTP/1.1 400 Bad Request\r\nContent-Type: application/xml\r\nContent-Length: 9000\r\n\r\n<Error><Code>InvalidRequest</Code><Message>",
				) &&
					x.request.Method != http.MethodHead {
					x.trickle()
				}
			},
		},
		{name: "a document without an end", fails: true, codes: unavailable,
			only: func(o *operation) bool { return document(o) && (o.lists || o.pages || o.name == "Tags") },
			respond: func(x *exchange) {
				body := x.truth.body.Bytes()
				x.truth.header.Set("Content-Length", fmt.Sprint(int64(3)<<30))
				if x.print("%s\r\n", x.truth.head()) && x.request.Method != http.MethodHead &&
					x.write(body[:middle(body)]) {
					x.fill()
				}
			}},
	}
}

// middle returns a place within a text of a document: after the first key, if there is one.
func middle(body []byte) int {
	if at := bytes.Index(body, []byte("hostile/")); at >= 0 {
		return at + len("hostile/")
	}
	return len(body) / 2
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

var contentRange = regexp.MustCompile(`^bytes (\d+)-(\d+)/(\d+)$`)

// resize cuts the first response off, and gives the object another size in the next one.
func resize(x *exchange) {
	if x.nth == 1 {
		raw := x.truth.raw(x.request)
		x.write(raw[:len(raw)-len(before)/2])
		return
	}
	if found := contentRange.FindStringSubmatch(x.truth.header.Get("Content-Range")); found != nil {
		x.truth.header.Set("Content-Range", fmt.Sprintf("bytes %s-%s/%s9", found[1], found[2], found[3]))
	}
	x.write(x.truth.raw(x.request))
}

// cut ends a response after a part of its bytes, which the variant chooses.
func cut(x *exchange) {
	raw := x.truth.raw(x.request)
	at := x.variant * max(1, len(raw)/40)
	if at >= len(raw)-1 {
		at = len(raw) - 1
	} else {
		x.oneMore()
	}
	x.write(raw[:at])
}

// fill sends letters until the client has enough.
func (x *exchange) fill() {
	letters := bytes.Repeat([]byte("x"), 64<<10)
	for sent := 0; sent < endless && x.write(letters); sent += len(letters) {
	}
}

// trickle sends a letter from time to time until the client has enough.
func (x *exchange) trickle() {
	next := time.NewTicker(stallTime / 5)
	defer next.Stop()
	for x.print("x") {
		<-next.C
	}
}

func (x *exchange) chunk(p []byte) {
	if len(p) > 0 {
		x.print("%x\r\n%s\r\n", len(p), p)
	}
}

// A writer is the client's side of an exchange as an io.Writer.
type writer struct{ x *exchange }

func (w writer) Write(p []byte) (int, error) {
	w.x.write(p)
	return len(p), nil
}

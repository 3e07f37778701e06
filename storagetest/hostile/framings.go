package hostile

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// framings returns faults whose responses are true, but framed in an unusual way, for example
// without a length.
func framings() []fault {
	return []fault{
		{
			name: "a response without a length",
			respond: func(x *exchange) {
				x.resp.header.Del("Content-Length")
				if !x.resp.hasBody(x.request) {
					x.write(x.resp.raw(x.request))
					return
				}
				x.resp.header.Set("Transfer-Encoding", "chunked")
				x.print("%s\r\n", x.resp.head())
				x.chunk(x.resp.body.Bytes())
				x.print("0\r\n\r\n")
			},
		},
		{
			name: "trailers",
			respond: func(x *exchange) {
				x.resp.header.Del("Content-Length")
				if !x.resp.hasBody(x.request) {
					x.write(x.resp.raw(x.request))
					return
				}
				x.resp.header.Set("Transfer-Encoding", "chunked")
				x.resp.header.Set("Trailer", "ETag, Content-Length")
				x.print("%s\r\n", x.resp.head())
				x.chunk(x.resp.body.Bytes())
				x.print("0\r\nETag: \"other\"\r\nContent-Length: 3\r\n\r\n")
			},
		},
		{name: "a cut within the response", fromFirstOnly: true, respond: cut},
		{
			name: "each header twice",
			respond: func(x *exchange) {
				x.print("%s", x.resp.head())
				_ = x.resp.header.Write(writer{x})
				x.print("\r\n")
				if x.resp.hasBody(x.request) {
					x.write(x.resp.body.Bytes())
				}
			},
		},
		{
			name: "two lengths",
			respond: func(x *exchange) {
				x.print("%sContent-Length: 7\r\n\r\n", x.resp.head())
				if x.resp.hasBody(x.request) {
					x.write(x.resp.body.Bytes())
				}
			},
		},
		{
			name: "an encoding that is not true",
			respond: func(x *exchange) {
				x.resp.header.Set("Content-Encoding", "gzip")
				x.write(x.resp.raw(x.request))
			},
		},
		{
			name: "an encoding that nobody asked for",
			respond: func(x *exchange) {
				var packed bytes.Buffer
				zw := gzip.NewWriter(&packed)
				_, _ = zw.Write(x.resp.body.Bytes())
				_ = zw.Close()
				if x.resp.hasBody(x.request) {
					x.resp.body = packed
					x.resp.header.Set("Content-Encoding", "gzip")
					x.resp.header.Set("Content-Length", fmt.Sprint(packed.Len()))
				}
				x.write(x.resp.raw(x.request))
			},
		},
		{
			name: "wrong checksums",
			respond: func(x *exchange) {
				for name := range x.resp.header {
					if isChecksumHeader(name) {
						wrong := strings.Replace(x.resp.header.Get(name), "=", "A=", 1)
						x.resp.header.Set(name, wrong)
					}
				}
				x.write(x.resp.raw(x.request))
			},
		},
		{
			name:          "a response that is no HTTP",
			blocksRequest: true,
			mustFail:      true,
			respond: func(x *exchange) {
				x.print("220 mail.example.com ESMTP\r\n")
			},
		},
		{
			name:          "a header without an end",
			blocksRequest: true,
			mustFail:      true,
			respond: func(x *exchange) {
				if x.print("HTTP/1.1 200 OK\r\nX-Filler: ") {
					x.fill()
				}
			},
		},
		{
			name:          "informational responses without an end",
			blocksRequest: true,
			mustFail:      true,
			respond: func(x *exchange) {
				for range 100 {
					if !x.print("%s",
						strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n", 100)) {
						return
					}
				}
			},
		},
	}
}

// sizes returns faults in which a response has a wrong size of the object, or a long error page.
func sizes() []fault {
	faults := []fault{{
		name:      "an object of 4 EiB",
		appliesTo: func(o *operation) bool { return o.name == "Attrs" || o.name == "Copy" || o.name == "Download" },
		codes:     unavailable,
		respond:   claimHugeSize,
	}}

	const words = "all the news "
	page := "<html><body>" + strings.Repeat(words, 60<<10/len(words)) + "</body></html>"
	for _, status := range []int{http.StatusOK, http.StatusForbidden, http.StatusNotFound} {
		faults = append(faults, fault{
			name:          fmt.Sprintf("a page of 60 KiB with status %d", status),
			blocksRequest: true,
			claimsSuccess: status == http.StatusOK,
			respond: func(x *exchange) {
				x.respond(status, "text/html", page)
			},
		})
	}
	return faults
}

// claimHugeSize sends the true response, but with 4 EiB as the size of the object. The size is the
// Content-Length, or a field of a JSON document.
func claimHugeSize(x *exchange) {
	const size = int64(4) << 60

	// The length is the size in a response to HEAD, and in one with the content of the object.
	isContent := x.resp.body.String() == before
	isSizeInLength := x.resp.status == http.StatusOK && (x.request.Method == http.MethodHead || isContent)
	if isSizeInLength {
		x.resp.header.Set("Content-Length", fmt.Sprint(size))
		x.write(x.resp.raw(x.request))
		return
	}

	// The size is a field of a document.
	document := resourceSize.ReplaceAll(x.resp.body.Bytes(), fmt.Appendf(nil, `"size":"%d"`, size))
	if len(document) != x.resp.body.Len() {
		x.resp.body = *bytes.NewBuffer(document)
		x.resp.header.Set("Content-Length", fmt.Sprint(len(document)))
	}
	x.write(x.resp.raw(x.request))
}

var resourceSize = regexp.MustCompile(`"size":\s*"[0-9]+"`)

// otherRanges returns faults in which the response has another range of the object than the request
// asked for.
func otherRanges() []fault {
	isRanged := func(o *operation) bool { return o.name == "Download of a range" }
	return []fault{
		{
			name:      "the whole object in place of a range",
			appliesTo: isRanged,
			respond: func(x *exchange) {
				x.replaceRange(http.StatusOK, "", before)
			},
		},
		{
			name:      "another range",
			appliesTo: isRanged,
			mustFail:  true,
			respond: func(x *exchange) {
				x.replaceRange(http.StatusPartialContent, fmt.Sprintf("bytes 0-6/%d", len(before)), before[:7])
			},
		},
	}
}

// replaceRange sends the true response, but other bytes if that is a range of the object. Without a
// contentRange, the response has no Content-Range.
func (x *exchange) replaceRange(status int, contentRange, body string) {
	if x.resp.status == http.StatusPartialContent {
		x.resp.status = status
		x.resp.body = *bytes.NewBufferString(body)
		x.resp.header.Set("Content-Length", fmt.Sprint(len(body)))
		x.resp.header.Del("Content-Range")
		if contentRange != "" {
			x.resp.header.Set("Content-Range", contentRange)
		}
	}
	x.write(x.resp.raw(x.request))
}

// floods returns faults in which the body of a response does not end, or never arrives completely.
func floods() []fault {
	return []fault{
		{
			name:          "an error body of 1 GiB",
			blocksRequest: true,
			mustFail:      true,
			respond: func(x *exchange) {
				if x.beginAnyBody("HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\n"+
					"Content-Length: 1073741824\r\n\r\n", "<Error><Code>AccessDenied</Code><Message>") {
					x.fill()
				}
			},
		},
		{
			name:          "an error body of 1 GiB in JSON",
			blocksRequest: true,
			mustFail:      true,
			respond: func(x *exchange) {
				if x.beginAnyBody("HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n\r\n",
					`{"error":{"code":403,"message":"`) {
					x.fill()
				}
			},
		},
		{
			name:          "an error body that trickles",
			blocksRequest: true,
			mustFail:      true,
			stall:         stallTime,
			fromFirstOnly: true,
			respond: func(x *exchange) {
				if x.beginAnyBody("HTTP/1.1 400 Bad Request\r\nContent-Type: application/xml\r\n"+
					"Content-Length: 9000\r\n\r\n", "<Error><Code>InvalidRequest</Code><Message>") {
					x.trickle()
				}
			},
		},
		{
			name:      "a document without an end",
			mustFail:  true,
			codes:     unavailable,
			appliesTo: readsDocument,
			respond: func(x *exchange) {
				x.resp.header.Set("Content-Length", fmt.Sprint(int64(3)<<30))
				document := x.resp.body.Bytes()
				if x.beginBody(x.resp.head()+"\r\n", string(document[:middle(document)])) {
					x.fill()
				}
			},
		},
	}
}

// beginBody sends the head of a response and the first bytes of its body, and reports whether more
// can be sent. To HEAD, it sends no body.
func (x *exchange) beginBody(head, start string) bool {
	if x.request.Method == http.MethodHead {
		x.write([]byte(head))
		return false
	}
	return x.write([]byte(head + start))
}

// beginAnyBody is like beginBody. After HEAD, it also sends the first bytes of the body, which HTTP
// does not permit.
func (x *exchange) beginAnyBody(head, start string) bool {
	return x.write([]byte(head+start)) && x.request.Method != http.MethodHead
}

// readsDocument reports whether the operation reads a document that may be long.
func readsDocument(o *operation) bool {
	if o.reads {
		return false
	}
	return o.lists || o.pages || o.name == "Tags"
}

// middle returns an offset within a document, and if there is a key, one within the first key.
func middle(body []byte) int {
	const keyStart = "hostile/"
	if index := bytes.Index(body, []byte(keyStart)); index >= 0 {
		return index + len(keyStart)
	}
	return len(body) / 2
}

var contentRange = regexp.MustCompile(`^bytes (\d+)-(\d+)/(\d+)$`)

// resize cuts the first response within the content, so that the client requests the rest. The later
// responses give the object another size.
func resize(x *exchange) {
	if x.number == 1 {
		// Leave out the second half of the content.
		raw := x.resp.raw(x.request)
		x.write(raw[:len(raw)-len(before)/2])
		return
	}
	if match := contentRange.FindStringSubmatch(x.resp.header.Get("Content-Range")); match != nil {
		first, last, size := match[1], match[2], match[3]
		otherSize := size + "9"
		x.resp.header.Set("Content-Range", fmt.Sprintf("bytes %s-%s/%s", first, last, otherSize))
	}
	x.write(x.resp.raw(x.request))
}

// cut ends a response early. Variant n sends n fortieths of its bytes, and the last variant sends all but
// the last byte.
func cut(x *exchange) {
	const cuts = 40
	raw := x.resp.raw(x.request)
	step := max(1, len(raw)/cuts)
	end := min(x.variant*step, len(raw)-1)
	if end < len(raw)-1 {
		// Another variant follows.
		x.setHasMore()
	}
	x.write(raw[:end])
}

// fill sends letters until the client closes the connection. It sends at most as many bytes as the
// constant endless says.
func (x *exchange) fill() {
	letters := bytes.Repeat([]byte("x"), 64<<10)
	for n := 0; n < endless && x.write(letters); n += len(letters) {
	}
}

// trickle sends one byte at a time until the client closes the connection. Its pauses are too short
// to count as stalled.
func (x *exchange) trickle() {
	ticker := time.NewTicker(stallTime / 5)
	defer ticker.Stop()
	for x.print("x") {
		<-ticker.C
	}
}

// chunk sends p as one chunk of a chunked body. It sends nothing if p is empty, because an empty
// chunk would end the body.
func (x *exchange) chunk(p []byte) {
	if len(p) > 0 {
		x.print("%x\r\n%s\r\n", len(p), p)
	}
}

// A writer writes to the client of an exchange.
type writer struct{ x *exchange }

func (w writer) Write(p []byte) (int, error) {
	w.x.write(p)
	return len(p), nil
}

// isChecksumHeader reports whether a header with this name has a checksum of the content.
func isChecksumHeader(name string) bool {
	lower := strings.ToLower(name)
	return strings.Contains(lower, "checksum-crc") || strings.Contains(lower, "goog-hash") || strings.Contains(lower, "crc32c")
}

package recorded

import (
	"bufio"
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// Break gives broken versions of the recorded responses to the driver, which retries as it does by
// default. A call may fail, but not panic or send requests without an end. If it succeeds, its result must
// be that of the unbroken response, or that of the broken one if nothing shows that it is broken. If
// usesAll is false, Break uses one response of each kind and status.
func Break(t *testing.T, s Store, r Recording, usesAll bool) {
	t.Helper()
	otherBodies := bodies(r)
	seen := map[string]bool{} // kinds and statuses
	runs := 0
	for i := range r.Exchanges {
		x := &r.Exchanges[i]
		kind := fmt.Sprint(x.Kind, " ", x.Response.Status)
		if seen[kind] && !usesAll {
			continue
		}
		if x.Response.Header.Get("Warning") != "" {
			// The recorder made this response after a connection was lost.
			continue
		}
		if s.skipReason(x) != "" {
			continue
		}
		seen[kind] = true
		runs += s.breakEach(t, x, otherBodies)
	}
	t.Logf("%s: %d broken responses of %d kinds", r.Name, runs, len(seen))
	require.Positive(t, runs)
}

// breakEach makes the call of x with each broken version of its response, and returns their number. It is
// 0 if the engine refuses the key of x and so sends no request.
func (s *Store) breakEach(t *testing.T, x *Exchange, otherBodies []Response) (runs int) {
	t.Helper()
	for _, m := range mutations(x, otherBodies) {
		if !s.breakOne(t, x, &m) {
			return runs
		}
		runs++
	}
	return runs
}

// A mutation is a broken version of a response.
type mutation struct {
	name   string
	wire   []byte   // bytes of the broken response, as the server sends them
	broken Exchange // the exchange with the response as its reader sees it
	// mustFail is true if the response shows that it is broken, so that the call must fail.
	mustFail bool
}

const (
	// maxBrokenRequests bounds the requests of one call. The engine makes a request 5 times, or 12
	// times if it is throttled, and a read of which a part has arrived begins again.
	maxBrokenRequests = 60
	maxBrokenTime     = 15 * time.Minute
)

// breakOne makes the call of x with a broken response. It returns false if the engine refuses the
// key.
func (s *Store) breakOne(t *testing.T, x *Exchange, m *mutation) (sentRequest bool) {
	t.Helper()
	var failure string
	synctest.Test(t, func(t *testing.T) {
		sentRequest, failure = s.checkCall(t, x, m)
	})
	if failure != "" {
		t.Errorf("%s: %s", m.name, failure)
	}
	return sentRequest
}

// checkCall makes the call of x with the broken response of m. The result failure is what is wrong with the
// call's result, or "". The result sentRequest is false if the engine refused the key, so that the call made no
// request.
func (s *Store) checkCall(t *testing.T, x *Exchange, m *mutation) (sentRequest bool, failure string) {
	const defaultAttempts = 0
	start := time.Now()
	rt := &replayTransport{store: s, x: x, answer: m.wire}
	got, err := s.call(t, rt, defaultAttempts)
	requests := len(rt.all)
	if requests == 0 && isKeyRefused(err) {
		return false, ""
	}

	// Retries must not go on forever.
	what := fmt.Sprintf("%s (%s, status %d); %d requests; error %v", x.Source, x.Kind, x.Response.Status, requests, err)
	if requests > maxBrokenRequests || time.Since(start) > maxBrokenTime {
		return true, fmt.Sprintf("the call had no end after %s: %s", time.Since(start), what)
	}
	if err != nil {
		// A call with a broken response may always fail.
		return true, ""
	}
	return true, m.wrongResult(x, got, what)
}

// wrongResult returns what is wrong with the result of a call that has succeeded, or "". The result must be
// that of the unbroken response in x or, unless the call must fail, that of the broken one. what describes
// the call.
func (m *mutation) wrongResult(x *Exchange, got Result, what string) string {
	normalize(&got)
	unbroken := x.Expected()
	normalize(&unbroken)
	if assert.ObjectsAreEqual(unbroken, got) {
		return ""
	}
	if m.mustFail {
		return fmt.Sprintf("the call succeeded: %s", what)
	}
	broken := m.broken.Expected()
	normalize(&broken)
	if assert.ObjectsAreEqual(broken, got) {
		return ""
	}
	return fmt.Sprintf("the result is %s and not %s: %s", got.text(), broken.text(), what)
}

// mutations returns broken versions of the response of x, some with the bodies of other responses.
func mutations(x *Exchange, others []Response) []mutation {
	mutations := cuts(x)
	for _, name := range slices.Sorted(maps.Keys(x.Response.Header)) {
		mutations = append(mutations, withoutHeader(x, name))
	}

	for _, status := range []int{200, 201, 202, 204, 206, 304, 400, 403, 404, 409, 412, 416, 429, 500, 503} {
		isEmptyOfGoogle := x.Provider == Google && len(x.Response.Body) == 0
		if isEmptyOfGoogle && status == http.StatusRequestedRangeNotSatisfiable {
			// This is Google's own response for an empty object, whose attributes the driver then requests.
			continue
		}
		if status != x.Response.Status {
			mutations = append(mutations, withStatus(x, status))
		}
	}

	for i := range others {
		name := fmt.Sprintf("the body of another response (%d)", i)
		mutations = append(mutations, withBody(x, others[i].Body, name))
	}
	if len(x.Response.Body) > 1 {
		half := x.Response.Body[:len(x.Response.Body)/2]
		mutations = append(mutations, withBody(x, half, "half of its body, with the right length"))
	}
	return mutations
}

// cuts returns the response of x cut after each line of its header, and in the middle of its body.
func cuts(x *Exchange) []mutation {
	wire := x.Response.Wire(x.Request.Method)
	header, body, _ := bytes.Cut(wire, []byte("\r\n\r\n"))

	var mutations []mutation
	end := 0
	for line := range bytes.Lines(wire[:len(header)+len("\r\n")]) {
		end += len(line)
		name := fmt.Sprintf("cut after byte %d of the header", end)
		mutations = append(mutations, mutation{name: name, wire: wire[:end], mustFail: true})
	}

	// A body of two bytes or more can be cut in its middle.
	if len(body) > 1 {
		bodyStart := len(wire) - len(body)
		half := wire[:bodyStart+len(body)/2]
		mutations = append(mutations, mutation{name: "cut in the body", wire: half, mustFail: true})
	}
	return mutations
}

// with returns a copy of x with a changed response.
func (x *Exchange) with(change func(*Response)) Exchange {
	broken := *x
	broken.Response.Header = x.Response.Header.Clone()
	change(&broken.Response)
	return broken
}

// withoutHeader returns a mutation of the response of x that lacks a header. The mutation requires that the
// call fails if the driver could otherwise take a part of an object for the whole, or return wrong attributes.
// If any other header is missing, the result only lacks its attribute.
func withoutHeader(x *Exchange, name string) mutation {
	broken := x.with(func(r *Response) {
		r.Header.Del(name)
	})
	m := mutation{
		name:   "without " + name,
		broken: broken,
		wire:   broken.Response.Wire(x.Request.Method),
	}
	switch name {
	case "Cache-Control":
		// net/http reads the older header Pragma as a Cache-Control, so the reader sees that.
		if broken.Response.Header.Get("Pragma") == "no-cache" {
			broken.Response.Header.Set(name, "no-cache")
		}
	case "Content-Length":
		// Wire adds the header again. Without it, the body ends with the connection, and a reader cannot
		// know whether it is whole.
		line := fmt.Sprintf("Content-Length: %d\r\n", len(x.Response.Body))
		m.wire = bytes.Replace(m.wire, []byte(line), nil, 1)

		// Google sends the attributes as a document, which has the size.
		hasSizeInHeader := x.Kind == Head && x.Provider != Google
		m.mustFail = hasSizeInHeader || x.Kind == Get || x.Kind == GetRange
	case "Content-Encoding":
		// Google sends none if it has decompressed the content on the way, which a driver must refuse.
		m.mustFail = x.Provider == Google
	case "Content-Range", "X-Goog-Generation":
		m.mustFail = true
	}
	return m
}

// withStatus returns the response of x with another status.
func withStatus(x *Exchange, status int) mutation {
	broken := x.with(func(r *Response) {
		r.Status = status
	})
	m := mutation{
		name:   fmt.Sprintf("with status %d", status),
		broken: broken,
		wire:   broken.Response.Wire(x.Request.Method),
	}
	if x.Kind == Delete || x.Kind == DeleteIf || x.Kind == DeleteBucket {
		// A removal has no result that could be missing, and succeeds even with status 404.
		return m
	}

	isSuccess := status < http.StatusMultipleChoices
	wasSuccess := x.Response.Status < http.StatusMultipleChoices
	if isSuccess && wasSuccess {
		// A response with status 204 has no body, and a range must have the status 206.
		wasRange := x.Response.Status == http.StatusPartialContent
		m.mustFail = status == http.StatusNoContent || wasRange
		return m
	}

	// A failure must be reported as such, and the error document of a failure is no result.
	m.mustFail = true
	return m
}

// withBody returns a mutation in which body replaces the body of the response of x. The mutation requires
// that the call fails if a checksum, the range or the kind of the document shows that the body is wrong.
func withBody(x *Exchange, body []byte, name string) mutation {
	broken := x.with(func(r *Response) {
		r.Body = body
		if r.Header.Get("Content-Length") != "" && x.Request.Method != http.MethodHead {
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		}
	})
	m := mutation{
		name:   name,
		broken: broken,
		wire:   broken.Response.Wire(x.Request.Method),
	}
	if x.Response.Status >= http.StatusMultipleChoices {
		// The driver knows the failure by the status, so the call may return it whatever the body is.
		return m
	}

	switch x.Kind {
	case Get:
		sum := crc32cOf(x)
		m.mustFail = sum.Known && crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != sum.Sum
	case GetRange:
		m.mustFail = len(body) != len(x.Response.Body)
	default:
		m.mustFail = hasDocument(x) && !isSameDocument(x.Response.Body, body)
	}
	return m
}

// crc32cOf returns the checksum in the headers of a response with an object.
func crc32cOf(x *Exchange) storage.CRC32C {
	for _, sums := range x.Response.Header.Values("X-Goog-Hash") {
		_, text, ok := strings.Cut(sums, "crc32c=")
		if !ok {
			continue
		}
		if sum := crc32C(text); sum.Known {
			return sum
		}
	}
	return crc32C(x.Response.Header.Get("X-Amz-Checksum-Crc32c"))
}

// hasDocument reports whether a driver reads the result of x from the body.
func hasDocument(x *Exchange) bool {
	switch x.Kind {
	case Head, Put, PutIf, BucketInfo, CreateBucket, UpdateBucket, ListBuckets, GetPolicy, SetPolicy, Patch, Compose:
		return x.Provider == Google
	case Copy, CopyIf:
		return x.Provider != Azure
	case List, ListVersions:
		return true
	}
	return false
}

// isSameDocument reports whether two bodies are documents of the same kind.
func isSameDocument(a, b []byte) bool {
	return documentKind(a) != "" && documentKind(a) == documentKind(b)
}

// documentKind returns the kind of a JSON document of Google or the root of an XML document, or ""
// if the body is no whole document.
func documentKind(body []byte) string {
	if kind := jsonKind(body); kind != "" {
		return kind
	}
	return xmlRoot(body)
}

// bodies returns a response with a body of each kind of document, and one with an object.
func bodies(r Recording) []Response {
	const maxBody = 1 << 16
	byKind := map[string]Response{}
	for i := range r.Exchanges {
		resp := r.Exchanges[i].Response
		if len(resp.Body) == 0 || len(resp.Body) >= maxBody {
			continue
		}
		kind := documentKind(resp.Body)
		if _, exists := byKind[kind]; !exists {
			byKind[kind] = resp
		}
	}

	var responses []Response
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		responses = append(responses, byKind[kind])
	}
	return responses
}

// readResponse parses the bytes of a response to r.
func readResponse(wire []byte, r *http.Request) (*http.Response, error) {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(wire)), r)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return resp, err
}

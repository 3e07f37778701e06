package recorded

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
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
// default. If a call succeeds, its result must be that of the unbroken response, or what the broken
// response says, if nothing in it shows that it is broken. No call may panic, or send requests
// without an end. If all is false, Break uses one response of each kind and status.
func Break(t *testing.T, s Store, r Recording, all bool) {
	t.Helper()
	others := bodies(r)
	groups := map[string]bool{}
	runs := 0
	for i := range r.Exchanges {
		x := &r.Exchanges[i]
		group := fmt.Sprint(x.Kind, " ", x.Response.Status)
		if s.unplayed(x) != "" || !all && groups[group] {
			continue
		}
		if x.Response.Header.Get("Warning") != "" {
			continue // the recorder's own response to a lost connection
		}
		groups[group] = true
		for _, m := range mutations(x, others) {
			if !s.breakOne(t, x, &m) {
				break // the key is refused
			}
			runs++
		}
	}
	t.Logf("%s: %d broken responses of %d kinds", r.Name, runs, len(groups))
	require.Positive(t, runs)
}

// A mutation is a broken version of a response.
type mutation struct {
	name   string
	wire   []byte
	broken Exchange // the exchange with the response as its reader sees it
	// visible is true if the response shows that it is broken, so that the call must fail.
	visible bool
}

const (
	// maxBrokenRequests bounds the requests of one call. The engine makes a request 5 times, or 12
	// times if it is throttled, and a read of which a part has arrived begins again.
	maxBrokenRequests = 60
	maxBrokenTime     = 15 * time.Minute
)

// breakOne makes the call of x, and gives it a broken response. It returns false if the engine
// refuses the key.
func (s *Store) breakOne(t *testing.T, x *Exchange, m *mutation) (played bool) {
	t.Helper()
	var failure string
	synctest.Test(t, func(t *testing.T) {
		played, failure = s.judge(t, x, m)
	})
	if failure != "" {
		t.Errorf("%s: %s", m.name, failure)
	}
	return played
}

// judge makes the call of x, and returns what is wrong with its result, or "".
func (s *Store) judge(t *testing.T, x *Exchange, m *mutation) (played bool, failure string) {
	start := time.Now()
	w := &wire{store: s, x: x, answer: m.wire}
	got, err := s.call(t, w, 0)
	if len(w.all) == 0 && isKeyRefused(err) {
		return false, ""
	}
	what := fmt.Sprintf("%s (%s, status %d); %d requests; error %v", x.Source, x.Kind, x.Response.Status, len(w.all), err)
	if len(w.all) > maxBrokenRequests || time.Since(start) > maxBrokenTime {
		return true, fmt.Sprintf("the call had no end after %s: %s", time.Since(start), what)
	}
	if err != nil {
		return true, ""
	}
	normalize(&got)
	want := x.Expected()
	normalize(&want)
	said := m.broken.Expected()
	normalize(&said)
	if assert.ObjectsAreEqual(want, got) || !m.visible && assert.ObjectsAreEqual(said, got) {
		return true, ""
	}
	if m.visible {
		return true, fmt.Sprintf("the call succeeded: %s", what)
	}
	return true, fmt.Sprintf("the result is %s and not %s: %s", got.text(), said.text(), what)
}

// mutations returns the broken versions of the response of x.
func mutations(x *Exchange, others []Response) []mutation {
	method := x.Request.Method
	wire := x.Response.Wire(method)
	head := bytes.Index(wire, []byte("\r\n\r\n"))
	var all []mutation
	for pos := 0; pos < head; {
		next := bytes.Index(wire[pos:], []byte("\r\n"))
		pos += next + 2
		all = append(all, mutation{name: fmt.Sprintf("cut after byte %d of the header", pos), wire: wire[:pos], visible: true})
	}
	if body := wire[head+4:]; len(body) > 1 {
		all = append(all, mutation{name: "cut in the body", wire: wire[:head+4+len(body)/2], visible: true})
	}
	for _, name := range slices.Sorted(maps.Keys(x.Response.Header)) {
		all = append(all, withoutHeader(x, name))
	}
	for _, status := range []int{200, 201, 202, 204, 206, 304, 400, 403, 404, 409, 412, 416, 429, 500, 503} {
		if status == http.StatusRequestedRangeNotSatisfiable && x.Provider == Google && len(x.Response.Body) == 0 {
			continue // Google's own response for an empty object, whose attributes the driver then requests
		}
		if status != x.Response.Status {
			all = append(all, withStatus(x, status))
		}
	}
	for i := range others {
		all = append(all, withBody(x, others[i].Body, fmt.Sprintf("the body of another response (%d)", i)))
	}
	if len(x.Response.Body) > 1 {
		all = append(all, withBody(x, x.Response.Body[:len(x.Response.Body)/2], "half of its body, with the right length"))
	}
	return all
}

func (x *Exchange) with(change func(*Response)) Exchange {
	broken := *x
	broken.Response.Header = x.Response.Header.Clone()
	change(&broken.Response)
	return broken
}

func withoutHeader(x *Exchange, name string) mutation {
	broken := x.with(func(r *Response) {
		r.Header.Del(name)
	})
	m := mutation{name: "without " + name, broken: broken, wire: broken.Response.Wire(x.Request.Method)}
	if name == "Cache-Control" && broken.Response.Header.Get("Pragma") == "no-cache" {
		broken.Response.Header.Set(name, "no-cache") // as net/http does
	}
	if name == "Content-Length" {
		// Without a length, the body ends with the connection.
		m.wire = bytes.Replace(m.wire, []byte(fmt.Sprintf("Content-Length: %d\r\n", len(x.Response.Body))), nil, 1)
		m.visible = x.Kind == Head && x.Provider != Google || x.Kind == Get || x.Kind == GetRange
	}
	m.visible = m.visible || name == "Content-Range" || name == "X-Goog-Generation" ||
		name == "Content-Encoding" && x.Provider == Google
	return m
}

func withStatus(x *Exchange, status int) mutation {
	broken := x.with(func(r *Response) {
		r.Status = status
	})
	m := mutation{name: fmt.Sprintf("with status %d", status), broken: broken, wire: broken.Response.Wire(x.Request.Method)}
	isSuccess := status < http.StatusMultipleChoices
	wasSuccess := x.Response.Status < http.StatusMultipleChoices
	hasResult := x.Kind != Delete && x.Kind != DeleteIf && x.Kind != DeleteBucket
	switch {
	case isSuccess && !wasSuccess:
		m.visible = hasResult
	case isSuccess:
		m.visible = hasResult && (status == http.StatusNoContent || x.Response.Status == http.StatusPartialContent)
	default:
		m.visible = hasResult // a removal with status 404 succeeds
	}
	return m
}

func withBody(x *Exchange, body []byte, name string) mutation {
	broken := x.with(func(r *Response) {
		r.Body = body
		if r.Header.Get("Content-Length") != "" && x.Request.Method != http.MethodHead {
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		}
	})
	m := mutation{name: name, broken: broken, wire: broken.Response.Wire(x.Request.Method)}
	switch {
	case x.Response.Status >= http.StatusMultipleChoices:
	case x.Kind == Get:
		sum := crc32cOf(x)
		m.visible = sum.Known && crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != sum.Sum
	case x.Kind == GetRange:
		m.visible = len(body) != len(x.Response.Body)
	default:
		m.visible = hasDocument(x) && !isSameDocument(x.Response.Body, body)
	}
	return m
}

// crc32cOf returns the checksum in the headers of a response with an object.
func crc32cOf(x *Exchange) storage.CRC32C {
	for _, sums := range x.Response.Header.Values("X-Goog-Hash") {
		if _, text, ok := strings.Cut(sums, "crc32c="); ok {
			raw, err := base64.StdEncoding.DecodeString(text)
			if err == nil && len(raw) == 4 {
				return storage.CRC32C{Sum: binary.BigEndian.Uint32(raw), Known: true}
			}
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

// documentKind returns the kind of a whole JSON document of Google, or the root of a whole XML
// document, or "".
func documentKind(body []byte) string {
	if kind := jsonKind(body); kind != "" {
		return kind
	}
	return xmlRoot(body)
}

// bodies returns one body of each kind of document, and one of an object.
func bodies(r Recording) []Response {
	byKind := map[string]Response{}
	for i := range r.Exchanges {
		x := &r.Exchanges[i]
		kind := documentKind(x.Response.Body)
		if _, ok := byKind[kind]; !ok && len(x.Response.Body) > 0 && len(x.Response.Body) < 1<<16 {
			byKind[kind] = x.Response
		}
	}
	var all []Response
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		all = append(all, byKind[kind])
	}
	return all
}

// readResponse parses the bytes of a response.
func readResponse(wire []byte, r *http.Request) (*http.Response, error) {
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(wire)), r)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return response, err
}

package recorded

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/recording"
)

// A StandIn is a server that imitates a provider in tests.
type StandIn struct {
	Name string
	// Begin returns what sends the requests of one file to a server without objects.
	Begin func(t *testing.T) func(*http.Request) *http.Response
	// Unrepeatable returns why the server does not get a request, or "". It may be nil.
	Unrepeatable func(x *Exchange) string
	// Varying has the names of further headers and fields whose values differ in every run.
	Varying []string
	// OnlyStatus compares status and bytes, and neither headers nor documents.
	OnlyStatus bool
	// Differences are the differences that stay, with the reason for each.
	Differences map[string]string
}

// Repeat sends the recorded requests to a stand-in in their order, and requires that its responses
// differ from the provider's only as s.Differences says.
func Repeat(t *testing.T, s StandIn, recordings ...Recording) {
	t.Helper()
	diffs := map[string][]string{} // maps a difference to the sources of the exchanges that have it
	var summaries []RequestSummary
	for _, r := range recordings {
		summaries = append(summaries, s.repeat(t, r, diffs))
	}

	for _, difference := range slices.Sorted(maps.Keys(diffs)) {
		if s.Differences[difference] == "" {
			t.Errorf("%s, in %d responses, such as %s", difference, len(diffs[difference]), diffs[difference][0])
		}
	}
	for difference := range s.Differences {
		require.Contains(t, diffs, difference, "a row that no response needs")
	}

	for i := range summaries {
		summaries[i].Report(t)
	}
}

// The reasons why a request cannot be repeated.
const (
	needsRights   = "the response depends on the rights of the caller"
	wasTemporary  = "the provider limited the rate of requests, or had a failure"
	lacksItsWrite = "the object, or the bucket, is not of a repeated request of the same file"
)

// repeat sends the requests of one recording to the stand-in, and compares the responses with the recorded
// ones. For each difference, it adds the sources of the exchanges to diffs.
func (s *StandIn) repeat(t *testing.T, r Recording, diffs map[string][]string) RequestSummary {
	t.Helper()
	require.NotEmpty(t, r.Exchanges, "%s has no exchange", r.Name)
	summary := RequestSummary{
		Kind:     "requests",
		Name:     r.Name,
		Provider: r.Exchanges[0].Provider,
		Server:   s.Name,
		Requests: len(r.Exchanges),
		Skipped:  map[string]int{},
	}

	var send func(*http.Request) *http.Response
	var c *comparison
	file := ""
	for i := range r.Exchanges {
		x := &r.Exchanges[i]

		// Each file gets an empty stand-in and a comparison of its own.
		name, _, _ := strings.Cut(x.Source, "#")
		if name != file {
			file = name
			send = s.Begin(t)
			c = &comparison{standIn: s, written: map[string]bool{}, ownValues: map[string]string{}}
		}

		if reason := c.unrepeatable(x); reason != "" {
			summary.Skipped[reason]++
			continue
		}
		resp := readAll(t, send(c.request(t, x)))
		summary.Repeated++

		// The tokens and revisions in this response may be needed for the comparison, and for later requests.
		c.remember(x, resp)
		differences := c.differences(x, resp)
		if len(differences) > 0 {
			summary.Differing++
		}
		for _, difference := range differences {
			diffs[difference] = append(diffs[difference], x.Source)
		}
	}
	require.Positive(t, summary.Repeated)
	return summary
}

// readAll reads a response to its end.
func readAll(t *testing.T, resp *http.Response) *Response {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}
}

// A comparison has what is known of the objects of one file.
type comparison struct {
	standIn   *StandIn
	written   map[string]bool   // by bucket and key
	ownValues map[string]string // maps tokens, generations and entity tags of the provider to the stand-in's
}

// unrepeatable returns why a request cannot have the same response again, or "" if it can.
func (c *comparison) unrepeatable(x *Exchange) string {
	status := x.Response.Status
	isRefused := status == http.StatusUnauthorized || status == http.StatusForbidden
	if isRefused {
		return needsRights
	}
	isTemporary := status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
	if isTemporary {
		return wasTemporary
	}
	if c.standIn.Unrepeatable != nil {
		if reason := c.standIn.Unrepeatable(x); reason != "" {
			return reason
		}
	}

	// A failed request, and one about buckets, can be repeated without any object.
	needsNoObject := status >= http.StatusMultipleChoices || x.Kind == CreateBucket || x.Kind == ListBuckets
	if needsNoObject || c.hasObjects(x) {
		return ""
	}
	return lacksItsWrite
}

// hasObjects reports whether repeated requests have written the objects that a request reads or
// lists.
func (c *comparison) hasObjects(x *Exchange) bool {
	if x.CopySource != "" && !c.written[x.Bucket+"/"+x.CopySource] {
		return false
	}
	if x.Key != "" {
		return x.isWrite() || c.written[x.Bucket+"/"+x.Key]
	}

	// The request lists a bucket. Each key and each common prefix in the response needs an object.
	for _, prefix := range listed(x) {
		if !c.hasPrefix(x.Bucket + "/" + prefix) {
			return false
		}
	}
	return true
}

// hasPrefix reports whether an object was written whose bucket and key begin with prefix.
func (c *comparison) hasPrefix(prefix string) bool {
	for name := range c.written {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// isWrite reports whether a request makes an object, or a part of one.
func (x *Exchange) isWrite() bool {
	isBlock := x.Provider == Azure && x.Request.Method == http.MethodPut && x.Key != ""
	return isBlock || slices.Contains([]Kind{Put, PutIf, Copy, CopyIf, Compose}, x.Kind)
}

// listed returns the keys and the common prefixes in the response to a listing.
func listed(x *Exchange) []string {
	if x.Kind != List && x.Kind != ListVersions {
		return nil
	}
	document := fields(x.Response.Body)
	return slices.Concat(
		document["/items/name"],
		document["/prefixes"],
		document["/EnumerationResults/Blobs/Blob/Name"],
		document["/EnumerationResults/Blobs/BlobPrefix/Name"],
	)
}

// remember records what later requests need. After a successful write, that is the object. After any request,
// it is the tokens, generations and entity tags that the stand-in has sent in place of the provider's.
func (c *comparison) remember(x *Exchange, resp *Response) {
	if resp.Status < http.StatusMultipleChoices && x.isWrite() {
		c.written[x.Bucket+"/"+x.Key] = true
	}

	// Each of these fields occurs at most once in a document.
	recorded := fields(x.Response.Body)
	repeated := fields(resp.Body)
	for _, path := range []string{"/nextPageToken", "/EnumerationResults/NextMarker", "/generation", "/resource/generation"} {
		if len(recorded[path]) > 0 && len(repeated[path]) > 0 {
			c.ownValues[recorded[path][0]] = repeated[path][0]
		}
	}
	for _, name := range []string{"Etag", "X-Goog-Generation"} {
		if value := x.Response.Header.Get(name); value != "" {
			c.ownValues[value] = resp.Header.Get(name)
		}
	}
}

// request returns the recorded request without credentials, for the stand-in.
func (c *comparison) request(t *testing.T, x *Exchange) *http.Request {
	t.Helper()

	// The stand-in has other tokens and entity tags than the provider. c.ownValues maps the provider's to
	// those of the stand-in.
	address := *x.Request.URL
	query := url.Values{}
	for name, values := range x.Query {
		query.Set(name, cmp.Or(c.ownValues[values[0]], values[0]))
	}
	address.RawQuery = query.Encode()

	body := bytes.Join(x.Request.Parts, nil)
	contentType := x.Request.Type
	if contentType == "multipart/related" {
		body, contentType = related(t, x.Request.Parts)
	}
	req, err := http.NewRequestWithContext(t.Context(), x.Request.Method, address.String(), bytes.NewReader(body))
	require.NoError(t, err)

	// Copy the headers whose values are recorded.
	for name, values := range x.Request.Header {
		value := values[0]
		isRecorded := name != "Content-Length" && value != recording.Cleared
		if isRecorded {
			req.Header.Set(name, cmp.Or(c.ownValues[value], value))
		}
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req
}

// related returns a body of multipart/related with these parts, which are a resource and its
// content, and its content type.
func related(t *testing.T, parts [][]byte) (body []byte, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, part := range parts {
		pw, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/octet-stream"}})
		require.NoError(t, err)
		_, err = pw.Write(part)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes(), "multipart/related; boundary=" + w.Boundary()
}

// ignored are the headers of the connection and of the front ends.
var ignored = strings.Fields("Date Server Expires Alt-Svc Connection Keep-Alive Transfer-Encoding Content-Length")

// differences returns the differences between the provider's response and resp. Values that vary
// need only be there in both.
func (c *comparison) differences(x *Exchange, resp *Response) []string {
	what := fmt.Sprintf("%s, status %d", x.Kind, x.Response.Status)
	if resp.Status != x.Response.Status {
		return []string{fmt.Sprintf("%s: the stand-in sends %d", what, resp.Status)}
	}

	// The headers must be equal, unless the stand-in sends too little.
	var differences []string
	if !c.standIn.OnlyStatus {
		isMissing := len(resp.Body) == 0 && len(x.Response.Body) > 0
		if isMissing {
			return []string{what + ": the stand-in sends no document"}
		}
		differences = c.headerDifferences(what, x.Response.Header, resp.Header)
	}

	// The response to HEAD has no body.
	if x.Request.Method == http.MethodHead {
		return differences
	}

	// The bytes of an object must be equal, and so must the fields of a document.
	isRead := x.Kind == Get || x.Kind == GetRange
	isContent := isRead && x.Request.Method == http.MethodGet && resp.Status < http.StatusMultipleChoices
	if isContent {
		if !bytes.Equal(x.Response.Body, resp.Body) {
			differences = append(differences, what+": other bytes")
		}
		return differences
	}
	if c.standIn.OnlyStatus {
		return differences
	}
	return append(differences, c.fieldDifferences(what, fields(x.Response.Body), fields(resp.Body))...)
}

// headerDifferences returns the differences between two headers, without the names in ignored.
func (c *comparison) headerDifferences(what string, want, got http.Header) []string {
	var differences []string
	for name, values := range want {
		if slices.Contains(ignored, name) {
			continue
		}
		if len(got[name]) == 0 {
			differences = append(differences, "header "+name+" is missing")
			continue
		}
		if !c.varies(name, values) && !slices.Equal(values, got[name]) {
			differences = append(differences,
				fmt.Sprintf("%s: header %s is %q and not %q", what, name, got[name], values))
		}
	}

	for name := range got {
		if len(want[name]) == 0 && !slices.Contains(ignored, name) {
			differences = append(differences, "header "+name+" is one that the provider does not send")
		}
	}
	return differences
}

// fieldDifferences returns the differences between the fields of two documents: want is recorded, and got
// comes from the stand-in. The keys of the maps are the paths of the fields.
func (c *comparison) fieldDifferences(what string, want, got map[string][]string) []string {
	var differences []string
	for path, values := range want {
		if len(got[path]) == 0 {
			differences = append(differences, "field "+path+" is missing")
			continue
		}

		// If the values differ in each run, only their number is compared.
		name := path[strings.LastIndex(path, "/")+1:]
		isEqual := slices.Equal(values, got[path])
		if c.varies(name, values) {
			isEqual = len(values) == len(got[path])
		}
		if !isEqual {
			differences = append(differences,
				fmt.Sprintf("%s: field %s is %q and not %q", what, path, got[path], values))
		}
	}

	for path := range got {
		if want[path] == nil {
			differences = append(differences, "field "+path+" is one that the provider does not send")
		}
	}
	return differences
}

// varies reports whether the values of a header or field differ in every run.
func (c *comparison) varies(name string, values []string) bool {
	return slices.Contains(c.standIn.Varying, name) || values[0] == recording.Cleared
}

// fields returns the values of a document in JSON or XML by their paths, such as "/items/name".
func fields(document []byte) map[string][]string {
	const byteOrderMark = "\xef\xbb\xbf"
	document = bytes.TrimPrefix(document, []byte(byteOrderMark))
	isXML := bytes.HasPrefix(document, []byte("<"))
	if isXML {
		return xmlFields(document)
	}

	// A document that is malformed has no fields.
	values := map[string][]string{}
	var value any
	if err := json.Unmarshal(document, &value); err != nil {
		return values
	}
	addJSON(values, "", value)
	return values
}

// xmlFields returns the texts of the elements of an XML document by their paths.
func xmlFields(document []byte) map[string][]string {
	values := map[string][]string{}
	decoder := xml.NewDecoder(bytes.NewReader(document))
	path := "" // the names of the open elements
	for {
		token, err := decoder.Token()
		if err != nil {
			return values
		}
		switch token := token.(type) {
		case xml.StartElement:
			path += "/" + token.Name.Local
			values[path] = append(values[path], "")
		case xml.CharData:
			if texts := values[path]; len(texts) > 0 {
				texts[len(texts)-1] += strings.TrimSpace(string(token))
			}
		case xml.EndElement:
			path = path[:strings.LastIndex(path, "/")]
		}
	}
}

// addJSON adds the values of a JSON document by their paths. The elements of an array have the same
// path.
func addJSON(values map[string][]string, path string, value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			addJSON(values, path+"/"+name, member)
		}
	case []any:
		for _, element := range value {
			addJSON(values, path, element)
		}
	case float64:
		// fmt would write a large number with an exponent.
		values[path] = append(values[path], strconv.FormatFloat(value, 'f', -1, 64))
	default:
		values[path] = append(values[path], fmt.Sprint(value))
	}
}

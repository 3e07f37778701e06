package s3server_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/recorded"
	"github.com/omnibucket/storage/s3server"
)

// recordedDifferences are the known differences between the responses of Amazon and those of the server, each with the
// reason.
var recordedDifferences = map[string]string{
	"a listing with markers, status 200: element /ListBucketResult/Contents/Owner/DisplayName is one that Amazon does not send": "Amazon sent it until November 2025, and clients read it",
	`attributes of an object, status 200: header Content-Type is "binary/octet-stream" and not ""`:                              emptyType,
	`bytes of an object, status 200: header Content-Type is "binary/octet-stream" and not ""`:                                   emptyType,
}

const emptyType = "the request had an empty Content-Type, which the recording does not tell"

// The server responds to recorded requests of other clients as Amazon did, apart from the differences in
// recordedDifferences. The test repeats the requests in the same order.
func TestRecordedRequestsOfAmazon(t *testing.T) {
	recording := recorded.GoCloud(t, recorded.Amazon)
	summary := recorded.RequestSummary{
		Kind:     "requests",
		Name:     recording.Name,
		Provider: recorded.Amazon,
		Server:   "`s3server`",
		Requests: len(recording.Exchanges),
		Skipped:  map[string]int{},
	}

	// Repeat the requests of each file on a server of their own.
	var (
		file         string
		server       *s3server.Handler
		tokens       map[string]string // the server's continuation tokens, by those of Amazon
		repeatedKeys map[string]bool   // the keys of objects that repeated requests have written
	)
	sources := map[string][]string{} // of the exchanges that have a difference, by the difference
	for i := range recording.Exchanges {
		x := &recording.Exchanges[i]

		// A new file begins with a new server.
		if name, _, _ := strings.Cut(x.Source, "#"); name != file {
			file = name
			server = newRecordedServer(t)
			tokens = map[string]string{}
			repeatedKeys = map[string]bool{}
		}

		// Some requests cannot be repeated.
		if x.Query.Has("X-Amz-Algorithm") || x.Response.Status == http.StatusForbidden {
			summary.Skipped["its signature is cleared, or the caller had no right"]++
			continue
		}
		if !isRepeatable(x, repeatedKeys) {
			summary.Skipped["the object is not of a repeated request of the same file"]++
			continue
		}

		// Repeat the request, and compare the response with that of Amazon.
		summary.Repeated++
		got := sendRecorded(t, server, x, tokens)
		if x.Request.Method == http.MethodPut && got.StatusCode == http.StatusOK {
			repeatedKeys[x.Key] = true
		}
		all := differences(x, got, tokens)
		if len(all) > 0 {
			summary.Differing++
		}
		for _, difference := range all {
			sources[difference] = append(sources[difference], x.Source)
		}
	}
	require.Positive(t, summary.Repeated)

	// All differences are known, and all known differences occur.
	for _, difference := range slices.Sorted(maps.Keys(sources)) {
		if recordedDifferences[difference] == "" {
			t.Errorf("%s, in %d responses, such as %s", difference, len(sources[difference]), sources[difference][0])
		}
	}
	for difference := range recordedDifferences {
		require.Contains(t, sources, difference, "a row that no response needs")
	}
	summary.Report(t)
}

// newRecordedServer returns a server with the bucket, the region and the credentials of the recorded requests.
func newRecordedServer(t *testing.T) *s3server.Handler {
	t.Helper()
	server := s3server.New(s3server.Config{
		Buckets: []string{"go-cloud-testing-2"},
		Region:  "us-west-1",
		Credentials: []s3server.Credential{{
			AccessKeyID: recordedCredentials.AccessKeyID,
			SecretKey:   recordedCredentials.SecretAccessKey,
		}},
	})
	t.Cleanup(server.Close)
	return server
}

var recordedCredentials = aws.Credentials{
	AccessKeyID:     "AKIDRECORDED",
	SecretAccessKey: "secret key of the test",
}

// isRepeatable reports whether a repeated request can have the same response. This is impossible if
// the request is about objects whose writes are not in the same file.
func isRepeatable(x *recorded.Exchange, keys map[string]bool) bool {
	if x.Response.Status >= http.StatusMultipleChoices || x.Request.Method == http.MethodDelete {
		return true
	}
	if x.Key != "" {
		return x.Request.Method == http.MethodPut && (x.CopySource == "" || keys[x.CopySource]) || keys[x.Key]
	}
	document := elements(x.Response.Body)
	for _, key := range document["/ListBucketResult/Contents/Key"] {
		if !keys[key] {
			return false
		}
	}
	for _, prefix := range document["/ListBucketResult/CommonPrefixes/Prefix"] {
		hasPrefix := func(key string) bool {
			return strings.HasPrefix(key, prefix)
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(keys)), hasPrefix) {
			return false
		}
	}
	return true
}

// sendRecorded sends a recorded request to the server. It replaces Amazon's tokens of listings by
// the server's own tokens. The keys of the map tokens are those of Amazon.
func sendRecorded(
	t *testing.T, server http.Handler, x *recorded.Exchange, tokens map[string]string,
) *http.Response {
	t.Helper()

	// The query has the tokens of the server.
	query := url.Values{}
	for name, values := range x.Query {
		query[name] = slices.Clone(values)
	}
	for _, name := range []string{"continuation-token", "marker"} {
		if token := tokens[query.Get(name)]; token != "" {
			query.Set(name, token)
		}
	}

	// The request has the recorded body and header.
	address := "http://127.0.0.1/" + x.Bucket + x.Request.URL.EscapedPath() + "?" + query.Encode()
	request := httptest.NewRequestWithContext(t.Context(), x.Request.Method, address,
		bytes.NewReader(bytes.Join(x.Request.Parts, nil)))
	maps.Copy(request.Header, x.Request.Header)
	request.Header.Del("X-Amz-Date")
	if x.Request.Type != "" {
		request.Header.Set("Content-Type", x.Request.Type)
	}

	// The request is signed again, because its date and its address have changed.
	signer := v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true
	})
	hash := request.Header.Get("X-Amz-Content-Sha256")
	require.NoError(t,
		signer.SignHTTP(t.Context(), recordedCredentials, request, hash, "s3", "us-west-1", time.Now()))

	response := httptest.NewRecorder()
	server.ServeHTTP(response, request)
	return response.Result()
}

// unlike are the headers and elements whose values differ in every run.
var unlike = strings.Fields("Date Server X-Amz-Id-2 X-Amz-Request-Id Last-Modified Content-Length RequestId HostId LastModified ID")

// differences returns a sentence for each difference of got from Amazon's response. A difference
// can be in the status, a header, the bytes of an object or an element of a document. The function
// adds the server's tokens of listings to tokens, under Amazon's tokens.
func differences(x *recorded.Exchange, got *http.Response, tokens map[string]string) []string {
	var all []string
	kind := fmt.Sprintf("%s, status %d", x.Kind, x.Response.Status)
	if got.StatusCode != x.Response.Status {
		return []string{fmt.Sprintf("%s: the server sends %d", kind, got.StatusCode)}
	}

	// The headers must be those of Amazon, except the ones in unlike.
	for name := range x.Response.Header {
		want := x.Response.Header.Get(name)
		value := got.Header.Get(name)
		if name == "Content-Type" {
			want, _, _ = strings.Cut(want, ";") // the recording has no parameters of the request's type
			value, _, _ = strings.Cut(value, ";")
		}
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			continue // the recording has no metadata of requests
		}
		if !slices.Contains(unlike, name) && want != value {
			all = append(all, fmt.Sprintf("%s: header %s is %q and not %q", kind, name, value, want))
		}
	}
	for name := range got.Header {
		if x.Response.Header.Get(name) == "" && !slices.Contains(unlike, name) && name != "Content-Type" {
			all = append(all, fmt.Sprintf("%s: header %s is one that Amazon does not send", kind, name))
		}
	}

	// The body of an object has the same bytes.
	body, _ := io.ReadAll(got.Body)
	if x.Request.Method == http.MethodHead {
		return all
	}
	isObject := x.Kind == recorded.Get && got.StatusCode < http.StatusMultipleChoices || x.Kind == recorded.GetRange
	if isObject {
		if !bytes.Equal(body, x.Response.Body) {
			all = append(all, kind+": other bytes")
		}
		return all
	}

	// Any other body is a document. It may contain a token that the next recorded request sends.
	want := elements(x.Response.Body)
	gotElements := elements(body)
	for _, name := range []string{"/ListBucketResult/NextContinuationToken", "/ListBucketResult/NextMarker"} {
		if len(want[name]) > 0 && len(gotElements[name]) > 0 {
			tokens[want[name][0]] = gotElements[name][0]
		}
	}

	// The elements must be those of Amazon. If an element is in unlike, only the number of its
	// values must be the same.
	for name := range want {
		isUnlike := slices.ContainsFunc(unlike, func(u string) bool { return strings.HasSuffix(name, "/"+u) })
		if strings.HasSuffix(name, "Token") || isUnlike {
			if len(gotElements[name]) != len(want[name]) {
				all = append(all, fmt.Sprintf("%s: element %s is missing", kind, name))
			}
			continue
		}
		if !slices.Equal(want[name], gotElements[name]) {
			all = append(all,
				fmt.Sprintf("%s: element %s is %q and not %q", kind, name, gotElements[name], want[name]))
		}
	}
	for name := range gotElements {
		if want[name] == nil {
			all = append(all, fmt.Sprintf("%s: element %s is one that Amazon does not send", kind, name))
		}
	}
	return all
}

// elements returns the texts of the elements of a document, by path.
func elements(document []byte) map[string][]string {
	all := map[string][]string{}
	decoder := xml.NewDecoder(bytes.NewReader(document))
	path := ""
	for {
		token, err := decoder.Token()
		if err != nil {
			return all
		}
		switch token := token.(type) {
		case xml.StartElement:
			path += "/" + token.Name.Local
			all[path] = append(all[path], "")
		case xml.CharData:
			if texts := all[path]; len(texts) > 0 {
				texts[len(texts)-1] += strings.TrimSpace(string(token))
			}
		case xml.EndElement:
			path = path[:strings.LastIndex(path, "/")]
		}
	}
}

package s3

import (
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// A standIn is a server that answers with given replies in place of S3.
type standIn struct{ *wiretest.Server }

type reply = wiretest.Reply

// newStandIn starts a server that sends the replies in order, and then repeats the last one. Without
// replies, each response is an empty 200.
func newStandIn(t *testing.T, replies ...reply) *standIn {
	t.Helper()
	if len(replies) == 0 {
		replies = []reply{{}}
	}

	sized := make([]reply, len(replies))
	for i, r := range replies {
		sized[i] = withLength(r)
	}
	return &standIn{wiretest.NewServer(t, sized...)}
}

// withoutAmazonHeader is the header that makes a stand-in look like S3. If a reply has this header
// with an empty value, the response does not have it.
const withoutAmazonHeader = "X-Amz-Stand-In"

// withLength returns the reply with a header whose name begins with X-Amz-. Such a header makes the
// driver take the server for S3. A success also gets a Content-Length, even for HEAD, as real
// servers send it.
func withLength(r reply) reply {
	if r.Cut || r.Status == http.StatusNoContent || r.Header["Content-Length"] != "" {
		return r
	}
	header := map[string]string{"X-Amz-Stand-In": "yes"}
	// The status 0 stands for 200.
	if r.Status <= 299 {
		header["Content-Length"] = strconv.Itoa(len(r.Body))
	}
	maps.Copy(header, r.Header)
	r.Header = header
	return r
}

// gatewayReply returns an error page of a gateway between the driver and S3. It has no header of
// S3.
func gatewayReply(status int) reply {
	return reply{
		Status: status,
		Header: map[string]string{"Content-Type": "text/html", withoutAmazonHeader: ""},
		Body:   "<html><body>The gateway has given up.</body></html>",
	}
}

// newStandInWithoutLength starts a server whose responses have no Content-Length, because it flushes
// the header before the body.
func newStandInWithoutLength(t *testing.T, header map[string]string, body string) *standIn {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amz-Stand-In", "yes")
		for name, value := range header {
			w.Header().Set(name, value)
		}
		if header["Content-Range"] != "" {
			w.WriteHeader(http.StatusPartialContent)
		}
		if r.Method != http.MethodHead {
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, body)
		}
	}))
	t.Cleanup(server.Close)
	return &standIn{&wiretest.Server{Server: server}}
}

// newProfile returns a copy of the profile with the given name.
func newProfile(t *testing.T, name string) *Profile {
	t.Helper()
	profile, ok := NamedProfile(name)
	require.True(t, ok, name)
	return &profile
}

// openDriver opens the bucket "photos" at the server with a profile. The functions in change can
// change the configuration before that.
func (s *standIn) openDriver(t *testing.T, profile string, change ...func(*Config)) *objectDriver {
	t.Helper()
	c := Config{
		Bucket:      "photos",
		Endpoint:    s.URL,
		Profile:     newProfile(t, profile),
		AccessKeyID: "key",
		SecretKey:   "secret",
	}
	for _, f := range change {
		f(&c)
	}

	d, err := NewDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

// startTLS starts a server whose certificate is not trusted, and returns its URL.
func startTLS(t *testing.T) string {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// errorReply returns an error response of S3.
func errorReply(status int, code, message string) reply {
	const document = `<?xml version="1.0" encoding="UTF-8"?>` +
		`<Error><Code>%s</Code><Message>%s</Message><RequestId>R1</RequestId></Error>`
	return reply{
		Status: status,
		Header: map[string]string{"Content-Type": "application/xml", "X-Amz-Request-Id": "R1"},
		Body:   fmt.Sprintf(document, code, message),
	}
}

const etag = `"9b2cf535f27731c974343645a3985328"`

// stored is the response to a request that has stored an object or a part.
var stored = reply{Header: map[string]string{"ETag": etag}}

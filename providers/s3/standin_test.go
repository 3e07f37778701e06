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

// A standIn is a server with fixed responses.
type standIn struct{ server *wiretest.Server }

type reply = wiretest.Reply

func newStandIn(t *testing.T, replies ...reply) *standIn {
	t.Helper()
	sized := make([]reply, len(replies))
	for i, a := range replies {
		sized[i] = withLength(a)
	}
	if len(sized) == 0 {
		sized = []reply{withLength(reply{})}
	}
	return &standIn{wiretest.NewServer(t, sized...)}
}

// withLength adds a Content-Length to a successful response, also to HEAD, as servers do, and a
// header of the protocol to any.
func withLength(a reply) reply {
	if a.Cut || a.Status == http.StatusNoContent || a.Header["Content-Length"] != "" {
		return a
	}
	header := map[string]string{"X-Amz-Stand-In": "yes"}
	if a.Status <= 299 {
		header["Content-Length"] = strconv.Itoa(len(a.Body))
	}
	maps.Copy(header, a.Header)
	a.Header = header
	return a
}

// ofGateway returns an error page that has nothing of S3.
func ofGateway(status int) reply {
	return reply{Status: status, Header: map[string]string{"Content-Type": "text/html", "X-Amz-Stand-In": ""}, Body: "<html><body>The gateway has given up.</body></html>"}
}

// newUnsized starts a server whose responses have no Content-Length.
func newUnsized(t *testing.T, header map[string]string, body string) *standIn {
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

// on opens the bucket "photos" at the server with a profile.
func (w *standIn) on(t *testing.T, profile string, change ...func(*Config)) *objectDriver {
	t.Helper()
	p, ok := NamedProfile(profile)
	require.True(t, ok)
	c := Config{Bucket: "photos", Endpoint: w.server.URL, Profile: &p, AccessKeyID: "key", SecretKey: "secret"}
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

// failing returns an error response of S3.
func failing(status int, code, message string) reply {
	return reply{
		Status: status,
		Header: map[string]string{"Content-Type": "application/xml", "X-Amz-Request-Id": "R1"},
		Body:   fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message><RequestId>R1</RequestId></Error>`, code, message),
	}
}

const etag = `"9b2cf535f27731c974343645a3985328"`

var stored = reply{Header: map[string]string{"ETag": etag}}

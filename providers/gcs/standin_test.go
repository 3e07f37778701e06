package gcs

import (
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// A cannedServer stands in for Google. It sends its replies in order, and repeats the last one.
type cannedServer struct{ *wiretest.Server }

type reply = wiretest.Reply

// newCannedServer starts a server with the given replies. Each error gets the header by which the driver recognizes
// Google, unless the reply sets that header itself.
func newCannedServer(t *testing.T, replies ...reply) *cannedServer {
	t.Helper()
	fromGoogle := make([]reply, len(replies))
	for i, r := range replies {
		if r.Status >= http.StatusBadRequest {
			header := map[string]string{requestIDHeader: "R1"}
			maps.Copy(header, r.Header)
			r.Header = header
		}
		fromGoogle[i] = r
	}
	return &cannedServer{wiretest.NewServer(t, fromGoogle...)}
}

// openDriver opens the bucket "photos" at the server.
func (s *cannedServer) openDriver(t *testing.T, change ...func(*Config)) *objectDriver {
	t.Helper()
	config := Config{Bucket: "photos", Endpoint: s.URL}
	for _, f := range change {
		f(&config)
	}

	d, err := NewDriver(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

// gatewayError returns the error page of a gateway. Nothing in it comes from Google.
func gatewayError(status int) reply {
	return reply{
		Status: status,
		Header: map[string]string{"Content-Type": "text/html", requestIDHeader: ""},
		Body:   "<html><body>The gateway has given up.</body></html>",
	}
}

// jsonError returns an error as the JSON API sends it.
func jsonError(status int, reason, message string) reply {
	const body = `{"error":{"code":%d,"message":%q,"errors":[{"domain":"global","reason":%q,"message":%q}]}}`
	return reply{
		Status: status,
		Header: map[string]string{"Content-Type": "application/json; charset=UTF-8", requestIDHeader: "R1"},
		Body:   fmt.Sprintf(body, status, message, reason, message),
	}
}

// xmlError returns an error as the XML API sends it.
func xmlError(status int, code, message string) reply {
	const body = `<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code><Message>%s</Message></Error>`
	return reply{
		Status: status,
		Header: map[string]string{"Content-Type": "application/xml; charset=UTF-8", requestIDHeader: "R1"},
		Body:   fmt.Sprintf(body, code, message),
	}
}

// storedReply is the response to a write of "hello world", or to a request for the attributes of that object.
var storedReply = reply{
	Header: map[string]string{"Content-Type": "application/json; charset=UTF-8"},
	Body: `{"bucket":"photos","generation":"1700000000000001","metageneration":"1","etag":"CAE=",` +
		`"crc32c":"yZRlqg==","md5Hash":"XrY7u+Ae7tCTyyK7j1rNww==","size":"11","storageClass":"STANDARD",` +
		`"timeCreated":"2026-01-02T03:04:05.678Z","updated":"2026-01-02T03:04:05.678Z"}`,
}

// resumeReply returns the response to a chunk of a resumable upload. It tells that the server has the first bytes up
// to offset.
func resumeReply(offset int64) reply {
	if offset == 0 {
		return reply{Status: http.StatusPermanentRedirect}
	}
	return reply{
		Status: http.StatusPermanentRedirect,
		Header: map[string]string{"Range": fmt.Sprintf("bytes=0-%d", offset-1)},
	}
}

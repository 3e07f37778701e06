package azure

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// A cannedServer stands in for the emulator's account. It sends its replies in order, and repeats the last one.
type cannedServer struct{ *wiretest.Server }

type reply = wiretest.Reply

// newCannedServer starts a server with the given replies.
func newCannedServer(t *testing.T, replies ...reply) *cannedServer {
	t.Helper()
	server := &cannedServer{wiretest.NewServer(t, replies...)}
	server.Root = "/" + emulatorAccount
	server.Header = map[string]string{requestIDHeader: "R1", "ETag": etag}
	return server
}

// openDriver opens the container "photos" of the emulator's account at the server.
func (s *cannedServer) openDriver(t *testing.T, change ...func(*Config)) *objectDriver {
	t.Helper()
	config := Config{Bucket: "photos", Endpoint: s.URL + "/" + emulatorAccount}
	for _, f := range change {
		f(&config)
	}

	d, err := NewDriver(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

// errorReply returns an error as Azure sends it.
func errorReply(status int, code string) reply {
	const body = "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code>" +
		"<Message>What went wrong.\nRequestId:R1\nTime:2026-11-20T12:00:00.0000000Z</Message></Error>"
	return reply{
		Status: status,
		Header: map[string]string{
			"Content-Type":    "application/xml",
			"X-Ms-Request-Id": "R1",
			"X-Ms-Error-Code": code,
		},
		Body: fmt.Sprintf(body, code),
	}
}

const (
	etag         = `"0x8DE1F3A5B6C7D80"`
	lastModified = "Fri, 20 Nov 2026 12:00:00 GMT"
	version      = "2026-11-20T12:00:00.1234567Z"
)

// created is the response to a write.
var created = reply{
	Status: http.StatusCreated,
	Header: map[string]string{"ETag": etag, "Last-Modified": lastModified},
}

// accepted is the response to a completed copy.
var accepted = reply{Status: http.StatusAccepted, Header: created.Header}

// objectReply returns the response to a GET or HEAD of a whole object. The further headers are pairs of a name and a
// value.
func objectReply(text string, headers ...string) reply {
	object := reply{
		Header: map[string]string{
			"ETag":           etag,
			"Last-Modified":  lastModified,
			"Content-Length": fmt.Sprint(len(text)),
			"Content-Type":   "text/plain",
		},
		Body: text,
	}
	for i := 0; i < len(headers); i += 2 {
		object.Header[headers[i]] = headers[i+1]
	}
	return object
}

package azure

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// A script is a server with canned responses for the emulator's account.
type script struct{ server *wiretest.Server }

type said = wiretest.Reply

func newScript(t *testing.T, answers ...said) *script {
	t.Helper()
	s := &script{wiretest.NewServer(t, answers...)}
	s.server.Root = "/" + emulatorAccount
	s.server.Header = map[string]string{requestIDHeader: "R1", "ETag": etag}
	return s
}

// driver opens the container "photos" of the emulator's account at the server.
func (s *script) driver(t *testing.T, change ...func(*Config)) *objectDriver {
	t.Helper()
	c := Config{Bucket: "photos", Endpoint: s.server.URL + "/" + emulatorAccount}
	for _, f := range change {
		f(&c)
	}
	d, err := NewDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

// refusing returns an error as Azure sends it.
func refusing(status int, code string) said {
	return said{
		Status: status,
		Header: map[string]string{"Content-Type": "application/xml", "X-Ms-Request-Id": "R1", "X-Ms-Error-Code": code},
		Body:   fmt.Sprintf("\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>%s</Code><Message>What went wrong.\nRequestId:R1\nTime:2026-11-20T12:00:00.0000000Z</Message></Error>", code),
	}
}

const (
	etag    = `"0x8DE1F3A5B6C7D80"`
	aTime   = "Fri, 20 Nov 2026 12:00:00 GMT"
	version = "2026-11-20T12:00:00.1234567Z"
)

var created = said{Status: http.StatusCreated, Header: map[string]string{"ETag": etag, "Last-Modified": aTime}}

// accepted returns the response to a completed copy.
var accepted = said{Status: http.StatusAccepted, Header: created.Header}

// anObject returns a whole response to GET or HEAD.
func anObject(text string, pairs ...string) said {
	a := said{Header: map[string]string{"ETag": etag, "Last-Modified": aTime, "Content-Length": fmt.Sprint(len(text)), "Content-Type": "text/plain"}, Body: text}
	for i := 0; i < len(pairs); i += 2 {
		a.Header[pairs[i]] = pairs[i+1]
	}
	return a
}

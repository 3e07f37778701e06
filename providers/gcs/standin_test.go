package gcs

import (
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// A standIn is a server with canned responses.
type standIn struct{ server *wiretest.Server }

type reply = wiretest.Reply

func newStandIn(t *testing.T, answers ...reply) *standIn {
	t.Helper()
	asGoogle := make([]reply, len(answers))
	for i, a := range answers {
		if a.Status >= http.StatusBadRequest { // a gateway's response has none
			header := map[string]string{requestIDHeader: "R1"}
			maps.Copy(header, a.Header)
			a.Header = header
		}
		asGoogle[i] = a
	}
	return &standIn{wiretest.NewServer(t, asGoogle...)}
}

// ofGateway returns an error page that has nothing of Google's.
func ofGateway(status int) reply {
	return reply{Status: status, Header: map[string]string{"Content-Type": "text/html", requestIDHeader: ""}, Body: "<html><body>The gateway has given up.</body></html>"}
}

// on opens the bucket "photos" at the server.
func (w *standIn) on(t *testing.T, change ...func(*Config)) *objectDriver {
	t.Helper()
	c := Config{Bucket: "photos", Endpoint: w.server.URL}
	for _, f := range change {
		f(&c)
	}
	d, err := NewDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

// failing returns an error as the JSON API sends it.
func failing(status int, reason, message string) reply {
	return reply{
		Status: status,
		Header: map[string]string{"Content-Type": "application/json; charset=UTF-8", requestIDHeader: "R1"},
		Body:   fmt.Sprintf(`{"error":{"code":%d,"message":%q,"errors":[{"domain":"global","reason":%q,"message":%q}]}}`, status, message, reason, message),
	}
}

// failingXML returns an error as the XML API sends it.
func failingXML(status int, code, message string) reply {
	return reply{
		Status: status,
		Header: map[string]string{"Content-Type": "application/xml; charset=UTF-8", requestIDHeader: "R1"},
		Body:   fmt.Sprintf(`<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, message),
	}
}

// stored returns the response to a write.
var stored = reply{
	Header: map[string]string{"Content-Type": "application/json; charset=UTF-8"},
	Body:   `{"bucket":"photos","generation":"1700000000000001","metageneration":"1","etag":"CAE=","crc32c":"yZRlqg==","md5Hash":"XrY7u+Ae7tCTyyK7j1rNww==","size":"11","storageClass":"STANDARD","timeCreated":"2026-01-02T03:04:05.678Z","updated":"2026-01-02T03:04:05.678Z"}`,
}

// resumeHere returns the response to a chunk with the number of bytes that the
// server has.
func resumeHere(offset int64) reply {
	if offset == 0 {
		return reply{Status: http.StatusPermanentRedirect}
	}
	return reply{Status: http.StatusPermanentRedirect, Header: map[string]string{"Range": fmt.Sprintf("bytes=0-%d", offset-1)}}
}

package s3

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/wiretest"
)

// A standIn is a server of canned answers.
type standIn struct{ *wiretest.Server }

type reply = wiretest.Reply

func newStandIn(t *testing.T, answers ...reply) *standIn {
	t.Helper()
	return &standIn{wiretest.NewServer(t, answers...)}
}

// on opens the bucket "photos" at the server, under a profile.
func (w *standIn) on(t *testing.T, profile string, change ...func(*Config)) *driver {
	t.Helper()
	p, known := NamedProfile(profile)
	require.True(t, known)
	c := Config{Bucket: "photos", Endpoint: w.URL, Profile: &p, AccessKeyID: "key", SecretKey: "secret"}
	for _, f := range change {
		f(&c)
	}
	d, err := NewDriver(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*driver)
}

// startTLS is the address of a server whose certificate nobody trusts.
func startTLS(t *testing.T) string {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// failing is an error as S3 sends it.
func failing(status int, code, message string) reply {
	return reply{
		Status: status,
		Header: map[string]string{"Content-Type": "application/xml", "X-Amz-Request-Id": "R1"},
		Body:   fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message><RequestId>R1</RequestId></Error>`, code, message),
	}
}

const etag = `"9b2cf535f27731c974343645a3985328"`

var stored = reply{Header: map[string]string{"ETag": etag}}

package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/recorded"
)

// secrets are hidden in every place of an exchange.
var secrets = []string{
	"AKIDSECRET0001", "secret-key/of+the-account", "session-token==of/the+account", "customers-key-in-a-header",
	"billed-project-4711", "cookie-of-a-browser", "signature-in-the-query", "credential-in-the-query",
	"sig-of-azure-in-a-query", "acc0untname", "owner-id-in-xml", "display-name-in-xml", "string-that-was-signed",
	"project-number-in-json", "somebody@example.com", "own-bucket-suffix", "common-name-of-a-certificate",
	"host-of-a-certificate", "secret-in-metadata", "secret-in-the-content",
}

type answering func(r *http.Request) *http.Response

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) {
	_, err := io.Copy(io.Discard, r.Body)
	return f(r), err
}

// sendSecrets sends requests with all secrets.
func sendSecrets(t *testing.T, r *recorder) {
	t.Helper()
	bucket := "omnibucket-certify-" + secrets[15]
	bodies := map[string]string{
		"xml": `<?xml version="1.0"?><Error><Code>AccessDenied</Code><AWSAccessKeyId>` + secrets[0] + `</AWSAccessKeyId>` +
			`<StringToSign>` + secrets[12] + `</StringToSign><Owner><ID>` + secrets[10] + `</ID><DisplayName>` + secrets[11] +
			`</DisplayName></Owner><BucketName>` + bucket + `</BucketName></Error>`,
		"json": `{"kind":"storage#object","name":"a","bucket":"` + bucket + `","projectNumber":"` + secrets[13] +
			`","owner":"x","email":"` + secrets[14] + `","members":["user:` + secrets[14] + `"]}`,
		"plain":   "hello",
		"content": "it is " + secrets[19],
	}
	transport := &recordingTransport{recorder: r, base: answering(func(request *http.Request) *http.Response {
		name := request.URL.Query().Get("prefix")
		return &http.Response{
			StatusCode: http.StatusOK, Request: request, ContentLength: int64(len(bodies[name])),
			Header: http.Header{
				"Content-Type": {"text/plain"}, "Etag": {`"1"`}, "Set-Cookie": {secrets[5]}, "X-Amz-Request-Id": {secrets[0]},
				"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": {"arn:aws:kms:" + secrets[4]},
			},
			Body: io.NopCloser(strings.NewReader(bodies[name])),
			TLS: &tls.ConnectionState{ServerName: secrets[17], PeerCertificates: []*x509.Certificate{
				{Subject: pkix.Name{CommonName: secrets[16]}, DNSNames: []string{secrets[17]}},
			}},
		}
	})}
	addresses := []string{
		"https://" + bucket + ".s3.eu-west-1.amazonaws.com/a?",
		"https://127.0.0.1:9000/" + bucket + "/a?",
		"https://storage.googleapis.com/storage/v1/b/" + bucket + "/o/a?",
		"https://" + secrets[9] + ".blob.core.windows.net/" + bucket + "/a?restype=container&",
		"http://127.0.0.1:10000/" + secrets[9] + "/" + bucket + "/a?comp=list&",
		"https://" + bucket + ".s3.eu-west-1.amazonaws.com/" + secrets[9] + "/a?",
	}
	for _, address := range addresses {
		for name := range bodies {
			query := url.Values{
				"prefix": {name}, "X-Amz-Signature": {secrets[6]}, "X-Amz-Credential": {secrets[7]}, "sig": {secrets[8]},
				"userProject": {secrets[4]}, "project": {secrets[4]},
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, address+query.Encode(), strings.NewReader(bodies[name]))
			require.NoError(t, err)
			request.Header = http.Header{
				"Authorization":                             {"AWS4-HMAC-SHA256 Credential=" + secrets[0] + "/20260101/eu-west-1/s3, Signature=" + secrets[6]},
				"X-Amz-Security-Token":                      {secrets[2]},
				"X-Amz-Server-Side-Encryption-Customer-Key": {secrets[3]},
				"X-Goog-User-Project":                       {secrets[4]},
				"Cookie":                                    {secrets[5]},
				"X-Ms-Copy-Source":                          {"https://" + secrets[9] + ".blob.core.windows.net/" + bucket + "/b?sig=" + secrets[8]},
			}
			if name == "plain" && strings.HasSuffix(address, "/o/a?") {
				request.Header.Set("X-Goog-Meta-Note", base64.StdEncoding.EncodeToString([]byte(secrets[18])))
			}
			response, err := transport.RoundTrip(request)
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, response.Body)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
		}
	}
}

// Twenty secrets are in the address, the environment, and in names, headers, queries, bodies and
// certificates of the exchanges. None is in the files.
func TestRecordingsShowNoSecret(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "recording")
	require.NoError(t, os.Mkdir(dir, 0o755))
	address := "azblob://?endpoint=" + url.QueryEscape("https://"+secrets[9]+".blob.core.windows.net") + "&note=" + secrets[18]
	r := &recorder{dir: dir, scrubber: newScrubber(address, []string{
		"AWS_SECRET_ACCESS_KEY=" + secrets[1], "AZURE_STORAGE_KEY=" + secrets[19], "AWS_REGION=eu-west-1",
	})}
	sendSecrets(t, r)
	require.NoError(t, r.write())
	require.Equal(t, 10, r.left, "those whose content, key or metadata has a secret")

	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	text, err := os.ReadFile(files[0])
	require.NoError(t, err)
	recording := recorded.ReadFolder(t, recorded.Amazon, dir)
	require.Len(t, recording.Exchanges, 14)
	for i := range recording.Exchanges {
		x := &recording.Exchanges[i]
		text = append(text, bytes.Join(append(x.Request.Parts, x.Response.Body), nil)...)
	}
	for _, secret := range secrets {
		for _, form := range []string{
			secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)),
		} {
			require.NotContains(t, string(text), form, fmt.Sprintf("secret %q", secret))
		}
	}
	require.NotContains(t, string(text), "omnibucket-certify-")
	require.NotContains(t, string(text), "127.0.0.1")
}

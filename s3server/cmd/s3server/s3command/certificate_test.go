package s3command

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A client can connect only if it trusts the certificate that the server writes into the file of --ca-file.
func TestCertificateFileIsTrusted(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "it's a ca.pem")
	server := startServer(t, environment(), "--create", "photos", "--tls", "--ca-file", ca)
	require.True(t, strings.HasPrefix(server.url, "https://127.0.0.1:"), server.url)
	require.Regexp(t, `(?m)^# SHA-256 fingerprint of the certificate: [0-9A-F]{64}$`, server.stderr.String())
	require.Contains(t, server.stderr.String(), "AWS_CA_BUNDLE="+quoted(ca))

	// The client of the SDK trusts the certificate.
	server.export()
	t.Setenv("AWS_CA_BUNDLE", ca)
	c := newClient(t)
	putObject(t, c, "photos", "a", "hello")
	require.Equal(t, "hello", getObject(t, c, "photos", "a"))

	// A client without the certificate does not trust the server.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+"/healthz", nil)
	require.NoError(t, err)
	distrustful := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	_, err = distrustful.Do(req)
	require.ErrorContains(t, err, "unknown authority")
}

// With --tls, the server writes its certificate into a file, and prints the file's name. Clients
// can trust the certificate. The server removes the file when it stops.
func TestCertificateIsTrustedWithoutFile(t *testing.T) {
	server := startServer(t, environment(), "--create", "photos", "--tls")
	bundle := server.export()["AWS_CA_BUNDLE"]
	putObject(t, newClient(t), "photos", "a", "hello")

	server.stop()

	require.NoFileExists(t, bundle)
}

// The server uses the certificate that the flags name.
func TestCertificateOfUser(t *testing.T) {
	// Write the certificate that net/http/httptest uses for its servers into files.
	source := httptest.NewTLSServer(http.NotFoundHandler())
	source.Close()
	key, err := x509.MarshalPKCS8PrivateKey(source.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	dir := t.TempDir()
	certFile := filepath.Join(dir, "cert.pem")
	keyFile := filepath.Join(dir, "key.pem")
	writePEM(t, certFile, "CERTIFICATE", source.Certificate().Raw)
	writePEM(t, keyFile, "PRIVATE KEY", key)

	server := startServer(t, environment(), "--cert", certFile, "--key", keyFile)

	// A client that trusts only this certificate can connect.
	trusted := x509.NewCertPool()
	trusted.AddCert(source.Certificate())
	c := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: trusted},
	}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+"/healthz", nil)
	require.NoError(t, err)
	resp, err := c.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)

	// The server prints the fingerprint only of a certificate that it made itself.
	require.NotContains(t, server.stderr.String(), "fingerprint")
}

// writePEM writes a block of a type into a PEM file.
func writePEM(t *testing.T, name, blockType string, data []byte) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: data})
	require.NoError(t, os.WriteFile(name, text, 0o600))
}

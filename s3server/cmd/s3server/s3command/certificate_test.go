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

// A client that trusts the written certificate can connect.
func TestCertificateFileIsTrusted(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "it's a ca.pem")
	server := start(t, environment(), "--create", "photos", "--tls", "--ca-file", ca)
	require.True(t, strings.HasPrefix(server.url, "https://127.0.0.1:"), server.url)
	require.Regexp(t, `(?m)^# SHA-256 fingerprint of the certificate: [0-9A-F]{64}$`, server.errs.String())
	require.Contains(t, server.errs.String(), "AWS_CA_BUNDLE="+quoted(ca))

	server.export()
	t.Setenv("AWS_CA_BUNDLE", ca)
	c := client(t)
	put(t, c, "photos", "a", "hello")
	require.Equal(t, "hello", read(t, c, "photos", "a"))

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+"/healthz", nil)
	require.NoError(t, err)
	_, err = (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	require.ErrorContains(t, err, "unknown authority")
}

// With --tls, the printed AWS_CA_BUNDLE lets a client trust the server's own certificate. The server removes that
// file when it stops.
func TestCertificateIsTrustedWithoutFile(t *testing.T) {
	server := start(t, environment(), "--create", "photos", "--tls")
	bundle := server.export()["AWS_CA_BUNDLE"]
	put(t, client(t), "photos", "a", "hello")
	server.stop()
	require.NoFileExists(t, bundle)
}

// The server uses the certificate that the flags name.
func TestCertificateOfUser(t *testing.T) {
	// Take the certificate of a server of net/http/httptest.
	other := httptest.NewTLSServer(http.NotFoundHandler())
	other.Close()
	key, err := x509.MarshalPKCS8PrivateKey(other.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	dir := t.TempDir()
	certFile := filepath.Join(dir, "cert.pem")
	keyFile := filepath.Join(dir, "key.pem")
	writePEM(t, certFile, "CERTIFICATE", other.Certificate().Raw)
	writePEM(t, keyFile, "PRIVATE KEY", key)

	server := start(t, environment(), "--cert", certFile, "--key", keyFile)

	// A client that trusts only this certificate can connect.
	trusted := x509.NewCertPool()
	trusted.AddCert(other.Certificate())
	c := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: trusted},
	}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.url+"/healthz", nil)
	require.NoError(t, err)
	response, err := c.Do(r)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NotContains(t, server.errs.String(), "fingerprint")
}

// writePEM writes a block of a type into a PEM file.
func writePEM(t *testing.T, name, blockType string, data []byte) {
	t.Helper()
	text := pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: data})
	require.NoError(t, os.WriteFile(name, text, 0o600))
}

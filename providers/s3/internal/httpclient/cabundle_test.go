package httpclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The file of AWS_CA_BUNDLE is parsed again only after it has changed.
func TestCABundleParsedOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	certificate := newCertificate(t)
	require.NoError(t, os.WriteFile(file, certificate, 0o600))
	bundle, err := loadCABundle(file)
	require.NoError(t, err)

	unchanged, err := loadCABundle(file)
	require.NoError(t, err)
	require.Same(t, bundle, unchanged)

	require.NoError(t, os.WriteFile(file, append(certificate, newCertificate(t)...), 0o600))
	changed, err := loadCABundle(file)
	require.NoError(t, err)
	require.NotSame(t, bundle, changed)
	require.False(t, bundle.pool.Equal(changed.pool))

	require.NoError(t, os.Remove(file))
	_, err = loadCABundle(file)
	require.Error(t, err, "a missing file must be noticed")
}

// newCertificate returns a certificate in PEM.
func newCertificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "anonymous"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

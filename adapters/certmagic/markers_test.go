package certmagic

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"math/big"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/foldermarker"
)

// Consoles and rclone mark a folder by an empty object, whose key is that of the folder and a slash.
func TestListLeavesOutFolderMarkers(t *testing.T) {
	for _, row := range []struct {
		name      string
		keys      []string
		folder    string
		recursive bool
		want      []string
	}{
		{"its own", []string{"a/", "a/b", "a/c/d"}, "a", false, []string{"a/b", "a/c"}},
		{"its own, with a slash", []string{"a/", "a/b"}, "a/", false, []string{"a/b"}},
		{"its own, recursive", []string{"a/", "a/b"}, "a", true, []string{"a/b"}},
		{"of a folder in it", []string{"a/c/", "a/c/d"}, "a", false, []string{"a/c"}},
		{"of a folder in it, recursive", []string{"a/c/", "a/c/d"}, "a", true, []string{"a/c", "a/c/d"}},
		{"of an empty folder in it, recursive", []string{"a/b", "a/c/"}, "a", true, []string{"a/b", "a/c"}},
		{"of the root", []string{"/", "a"}, "", false, []string{"a"}},
		{"of the root, recursive", []string{"/", "a"}, "", true, []string{"a"}},
		{"in a folder without a name", []string{"a//", "a//x", "a/b"}, "a", false, []string{"a/b"}},
		{"in a folder without a name, recursive", []string{"a//", "a//x", "a/b"}, "a", true, []string{"a/b"}},
		{"an empty folder", []string{"a/"}, "a", false, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			b, plant := foldermarker.New(t)
			plant(row.keys...)
			keys, err := newStorage(t, b).List(t.Context(), row.folder, row.recursive)
			require.NoError(t, err)
			require.Equal(t, row.want, keys)
		})
	}
	b, _ := foldermarker.New(t)
	_, err := newStorage(t, b).List(t.Context(), "a", false)
	require.ErrorIs(t, err, fs.ErrNotExist, "no marker, no folder")
}

// CertMagic's clean-up removes expired certificates and their empty folders, even if other tools have marked the
// folders.
func TestCleanStorageWithFolderMarkers(t *testing.T) {
	b, plant := foldermarker.New(t)
	s := newStorage(t, b)
	const sites = "certificates/issuer/"
	for site, end := range map[string]time.Time{"expired": time.Now().Add(-time.Hour), "valid": time.Now().Add(time.Hour)} {
		key := sites + site + "/" + site
		for name, content := range map[string][]byte{".crt": certificate(t, end), ".key": nil, ".json": nil} {
			require.NoError(t, s.Store(t.Context(), key+name, content))
		}
		plant(foldermarker.Of(key)...)
	}
	require.NoError(t, certmagic.CleanStorage(t.Context(), s, certmagic.CleanStorageOptions{ExpiredCerts: true, OCSPStaples: true}))
	keys, err := s.List(t.Context(), "certificates", true)
	require.NoError(t, err)
	require.Equal(t, []string{
		"certificates/issuer", sites + "valid", sites + "valid/valid.crt", sites + "valid/valid.json", sites + "valid/valid.key",
	}, keys)
}

// certificate returns a certificate that is valid until end.
func certificate(t *testing.T, end time.Time) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.Add(-24 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

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

// Consoles and rclone mark a folder by an empty object whose key ends in a slash. List does not return such markers.
func TestListLeavesOutFolderMarkers(t *testing.T) {
	tests := []struct {
		name      string
		keys      []string
		folder    string
		recursive bool
		want      []string
	}{
		{
			name:   "marker of the folder",
			keys:   []string{"a/", "a/b", "a/c/d"},
			folder: "a",
			want:   []string{"a/b", "a/c"},
		},
		{
			name:   "marker of the folder, listed by a name with a slash",
			keys:   []string{"a/", "a/b"},
			folder: "a/",
			want:   []string{"a/b"},
		},
		{
			name:      "marker of the folder, recursive",
			keys:      []string{"a/", "a/b"},
			folder:    "a",
			recursive: true,
			want:      []string{"a/b"},
		},
		{
			name:   "marker of a subfolder",
			keys:   []string{"a/c/", "a/c/d"},
			folder: "a",
			want:   []string{"a/c"},
		},
		{
			name:      "marker of a subfolder, recursive",
			keys:      []string{"a/c/", "a/c/d"},
			folder:    "a",
			recursive: true,
			want:      []string{"a/c", "a/c/d"},
		},
		{
			name:      "marker of an empty subfolder, recursive",
			keys:      []string{"a/b", "a/c/"},
			folder:    "a",
			recursive: true,
			want:      []string{"a/b", "a/c"},
		},
		{name: "marker of the root", keys: []string{"/", "a"}, want: []string{"a"}},
		{name: "marker of the root, recursive", keys: []string{"/", "a"}, recursive: true, want: []string{"a"}},
		{
			name:   "marker and object in a subfolder without a name",
			keys:   []string{"a//", "a//x", "a/b"},
			folder: "a",
			want:   []string{"a/b"},
		},
		{
			name:      "marker and object in a subfolder without a name, recursive",
			keys:      []string{"a//", "a//x", "a/b"},
			folder:    "a",
			recursive: true,
			want:      []string{"a/b"},
		},
		{name: "only the marker of the folder", keys: []string{"a/"}, folder: "a", want: nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, plant := foldermarker.New(t)
			plant(tt.keys...)
			keys, err := newStorage(t, b).List(t.Context(), tt.folder, tt.recursive)
			require.NoError(t, err)
			require.Equal(t, tt.want, keys)
		})
	}

	// Without a marker or an object in it, there is no folder.
	b, _ := foldermarker.New(t)
	_, err := newStorage(t, b).List(t.Context(), "a", false)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// CertMagic's clean-up removes expired certificates with their folders, even if other tools have marked the folders by
// empty objects.
func TestCleanStorageWithFolderMarkers(t *testing.T) {
	const issuer = "certificates/issuer"
	b, put := foldermarker.New(t)
	s := newStorage(t, b)
	// Each site has a certificate in a folder of its own, with markers of all folders above it.
	for site, validUntil := range map[string]time.Time{
		"expired": time.Now().Add(-time.Hour),
		"valid":   time.Now().Add(time.Hour),
	} {
		key := issuer + "/" + site + "/" + site
		require.NoError(t, s.Store(t.Context(), key+".crt", certificate(t, validUntil)))
		require.NoError(t, s.Store(t.Context(), key+".key", nil))
		require.NoError(t, s.Store(t.Context(), key+".json", nil))
		put(foldermarker.Of(key)...)
	}

	require.NoError(t, certmagic.CleanStorage(t.Context(), s, certmagic.CleanStorageOptions{
		ExpiredCerts: true,
		OCSPStaples:  true,
	}))

	keys, err := s.List(t.Context(), "certificates", true)
	require.NoError(t, err)
	require.Equal(t, []string{
		issuer,
		issuer + "/valid",
		issuer + "/valid/valid.crt",
		issuer + "/valid/valid.json",
		issuer + "/valid/valid.key",
	}, keys)
}

// certificate returns a certificate that is valid until end.
func certificate(t *testing.T, end time.Time) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    end.Add(-24 * time.Hour),
		NotAfter:     end,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

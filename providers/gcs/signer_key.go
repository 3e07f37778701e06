package gcs

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/invalid"
	"github.com/omnibucket/storage/internal/sigv4"
)

// keySignatory signs with a service account's key, which is read once.
type keySigner struct {
	name string
	key  *rsa.PrivateKey
}

// newKeySignatory reads a key file. account is "" or the account whose key it must
// be. No error shows anything of the key.
func newKeySigner(file []byte, account string) (*keySigner, error) {
	f, err := parseCredentialsFile(file)
	if err != nil {
		return nil, err
	}
	if f.PrivateKey == "" || f.ClientEmail == "" {
		return nil, invalid.Argument("signing key", "must be a service account's key file, with client_email and private_key", "")
	}
	if account != "" && account != f.ClientEmail {
		return nil, invalid.Argument("Config.SigningAccount", "must be the account whose key is given, or be left out", "")
	}
	key, err := parsePrivateKey(f.PrivateKey)
	if err != nil {
		return nil, err
	}
	return &keySigner{name: f.ClientEmail, key: key}, nil
}

// parsePrivateKey reads PEM, as PKCS #8 or as PKCS #1.
func parsePrivateKey(text string) (*rsa.PrivateKey, error) {
	bad := invalid.Argument("signing key", "must have a private_key of RSA, in PEM", "")
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, bad
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, bad
	}
	own, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, bad
	}
	return own, nil
}

func (s *keySigner) email() string { return s.name }

func (s *keySigner) maxTerm() time.Duration { return sigv4.MaxTerm }

func (s *keySigner) sign(_ context.Context, text []byte) ([]byte, error) {
	sum := sha256.Sum256(text)
	signature, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, sum[:])
	if err != nil {
		return nil, &storage.Error{Code: storage.Internal, Err: err}
	}
	return signature, nil
}

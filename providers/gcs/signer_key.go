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
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/internal/sigv4"
)

type keySigner struct {
	name string
	key  *rsa.PrivateKey
}

// newKeySigner returns the signer for a key file, whose key must belong to account unless that is
// "". No error contains any part of the key.
func newKeySigner(file []byte, account string) (*keySigner, error) {
	f, err := parseCredentialsFile(file)
	if err != nil {
		return nil, err
	}
	if f.PrivateKey == "" || f.ClientEmail == "" {
		return nil, argument.Invalid("signing key",
			"must be the key file of a service account, with client_email and private_key", "")
	}
	if account != "" && account != f.ClientEmail {
		return nil, argument.Invalid("Config.SigningAccount", "must be empty or the account of the signing key", "")
	}
	key, err := parsePrivateKey(f.PrivateKey)
	if err != nil {
		return nil, err
	}
	return &keySigner{name: f.ClientEmail, key: key}, nil
}

// parsePrivateKey parses a PEM block in PKCS #8 or PKCS #1.
func parsePrivateKey(text string) (*rsa.PrivateKey, error) {
	errNotRSA := argument.Invalid("signing key", "must have an RSA private_key in PEM", "")
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errNotRSA
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errNotRSA
	}
	rsaKey, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errNotRSA
	}
	return rsaKey, nil
}

func (s *keySigner) email() string { return s.name }

func (s *keySigner) maxTerm() time.Duration { return sigv4.MaxTerm }

// sign signs the text with the key, without a request.
func (s *keySigner) sign(_ context.Context, text []byte) ([]byte, error) {
	sum := sha256.Sum256(text)
	signature, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, sum[:])
	if err != nil {
		return nil, &storage.Error{Code: storage.Internal, Err: err}
	}
	return signature, nil
}

package gcs

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"cloud.google.com/go/compute/metadata"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/invalid"
)

// A signatory is a service account that signs: with its own key, here, or
// through Google's IAM, which keeps a key for every service account.
type signer interface {
	email() string
	// longest is how long its signatures hold at most.
	maxTerm() time.Duration
	// sign is the RSA signature (PKCS #1 v1.5) of text's SHA-256.
	sign(ctx context.Context, text []byte) ([]byte, error)
}

// A signer knows who signs for an account, or finds out at the first signature:
// default credentials are looked for no earlier.
type signerFinder struct {
	find  func(ctx context.Context) (signer, error)
	found atomic.Pointer[signer]
}

// newSigner is nil where it is known that nobody can sign. It makes no request.
// InvalidArgument: a key that is none, or another account's.
func newSignerFinder(c Config, a *account) (*signerFinder, error) {
	var signs signer
	var err error
	switch {
	case c.SigningKey != nil:
		signs, err = newKeySigner(c.SigningKey, c.SigningAccount)
	case c.Client != nil, a.anonymous:
		return nil, nil
	case c.CredentialsJSON != nil:
		signs, err = signerFromJSON(c.CredentialsJSON, c.SigningAccount, a)
	case c.SigningAccount != "" && c.TokenSource != nil:
		signs = newIAMSigner(c.SigningAccount, a)
	case c.TokenSource == nil:
		return &signerFinder{find: func(ctx context.Context) (signer, error) {
			return defaultSigner(ctx, c.SigningAccount, a, metadataAccount)
		}}, nil
	}
	if err != nil || signs == nil {
		return nil, err
	}
	s := &signerFinder{}
	s.found.Store(&signs)
	return s, nil
}

// signatory may be found twice where two ask first: nobody waits for the other,
// and one of them is kept.
func (s *signerFinder) get(ctx context.Context) (signer, error) {
	if s == nil {
		return nil, noSignerError()
	}
	if known := s.found.Load(); known != nil {
		return *known, nil
	}
	found, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	s.found.CompareAndSwap(nil, &found)
	return *s.found.Load(), nil
}

const signingHint = "signing takes a service account: give its key (Config.SigningKey, signing_key=), or credentials that may sign as it and its name (Config.SigningAccount)"

func noSignerError() error {
	return &storage.Error{Code: storage.Unsupported, Hint: signingHint}
}

// credentialsFile is what signing needs of Google's JSON of credentials.
type credentialsFile struct {
	ClientEmail      string `json:"client_email"`
	PrivateKey       string `json:"private_key"`
	ImpersonationURL string `json:"service_account_impersonation_url"`
}

func parseCredentialsFile(text []byte) (*credentialsFile, error) {
	f := &credentialsFile{}
	if json.Unmarshal(text, f) != nil { // whose error quotes the text
		return nil, invalid.Argument("credentials", "must be the JSON that Google hands out", "")
	}
	return f, nil
}

// account is the service account that the credentials are of; "" where they
// are a person's. An impersonated one stands in the address of its tokens,
// …/serviceAccounts/NAME:generateAccessToken.
func (f *credentialsFile) account() string {
	if f.ImpersonationURL == "" {
		return f.ClientEmail
	}
	last := f.ImpersonationURL[strings.LastIndexByte(f.ImpersonationURL, '/')+1:]
	name, _, found := strings.Cut(last, ":")
	if !found {
		return ""
	}
	return name
}

// signatoryOf is who signs with credentials that are JSON: as account or, of
// "", as themselves. Nil: they are a person's, who signs nothing.
func signerFromJSON(credentials []byte, account string, a *account) (signer, error) {
	f, err := parseCredentialsFile(credentials)
	if err != nil {
		return nil, err
	}
	own := f.account()
	if account == "" {
		account = own
	}
	switch {
	case account == "":
		return nil, nil
	case f.PrivateKey != "" && account == own:
		return newKeySigner(credentials, account)
	}
	return newIAMSigner(account, a), nil
}

// defaultSignatory is who signs with the application default credentials; on a
// machine of Google's, the service account that it runs as.
func defaultSigner(ctx context.Context, account string, a *account, machine func(context.Context) (string, error)) (signer, error) {
	credentials, err := a.credentials.get()
	if err != nil {
		return nil, err
	}
	if text := credentials.JSON(); len(text) > 0 {
		found, err := signerFromJSON(text, account, a)
		if err == nil && found == nil {
			err = noSignerError()
		}
		return found, err
	}
	if account == "" {
		if account, err = machine(ctx); err != nil {
			return nil, err
		}
	}
	return newIAMSigner(account, a), nil
}

// machineAccount asks the metadata service.
func metadataAccount(ctx context.Context) (string, error) {
	account, err := metadata.NewClient(nil).EmailWithContext(ctx, "default")
	var none metadata.NotDefinedError
	switch {
	case err == nil && account != "":
		return account, nil
	case err == nil, errors.As(err, &none):
		return "", noSignerError()
	case ctx.Err() != nil:
		return "", ctx.Err()
	}
	return "", &storage.Error{Code: storage.Unavailable, Err: err, Hint: "the metadata service does not tell this machine's service account: set Config.SigningAccount"}
}

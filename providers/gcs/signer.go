package gcs

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"time"

	"cloud.google.com/go/compute/metadata"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// A signer signs for a service account. It uses the account's key, or asks Google's IAM, which has
// a key for every service account.
type signer interface {
	email() string
	// maxTerm returns the longest time for which a signature is valid.
	maxTerm() time.Duration
	// sign returns the RSA signature (PKCS #1 v1.5) of the SHA-256 of text.
	sign(ctx context.Context, text []byte) ([]byte, error)
}

// A signerFinder finds the signer of an account, and keeps it. It does not look up default
// credentials until the first signature is needed.
type signerFinder struct {
	find   func(ctx context.Context) (signer, error)
	cached atomic.Pointer[signer]
}

// newSignerFinder returns the signerFinder of an account, or nil if the account cannot sign, without
// a request. It fails with InvalidArgument if the key is invalid or belongs to another account.
func newSignerFinder(c Config, a *account) (*signerFinder, error) {
	hasKnownSigner := c.SigningKey != nil || c.CredentialsJSON != nil || c.TokenSource != nil
	if !hasKnownSigner && !a.anonymous {
		// The default credentials sign. Look them up when the first signature is needed.
		return &signerFinder{find: func(ctx context.Context) (signer, error) {
			return defaultSigner(ctx, c.SigningAccount, a, metadataAccount)
		}}, nil
	}
	signer, err := knownSigner(c, a)
	if err != nil {
		return nil, err
	}
	if signer == nil {
		return nil, nil
	}
	finder := &signerFinder{}
	finder.cached.Store(&signer)
	return finder, nil
}

// knownSigner returns the signer of a Config that does not use the default credentials, or nil if the
// account cannot sign.
func knownSigner(c Config, a *account) (signer, error) {
	if c.SigningKey != nil {
		return newKeySigner(c.SigningKey, c.SigningAccount)
	}
	if a.anonymous {
		return nil, nil
	}
	if c.CredentialsJSON != nil {
		return signerFromJSON(c.CredentialsJSON, c.SigningAccount, a)
	}

	// A TokenSource does not say to which account its tokens belong.
	if c.SigningAccount != "" {
		return newIAMSigner(c.SigningAccount, a), nil
	}
	return nil, nil
}

// get returns the signer, or fails if s is nil because the account cannot sign. Concurrent first
// calls do not wait for each other: each may look for a signer, and the one found first is kept.
func (s *signerFinder) get(ctx context.Context) (signer, error) {
	if s == nil {
		return nil, noSignerError()
	}
	if cached := s.cached.Load(); cached != nil {
		return *cached, nil
	}

	found, err := s.find(ctx)
	if err != nil {
		return nil, err
	}
	s.cached.CompareAndSwap(nil, &found)
	return *s.cached.Load(), nil
}

const signingHint = "to sign, set the key of a service account (Config.SigningKey, signing_key=), or its name (Config.SigningAccount) and credentials that may sign as it"

// noAccountHint is the hint for a workload on GKE that has no linked service account. For such a
// workload, the metadata service returns the workload's pool, PROJECT.svc.id.goog, which has no
// keys. googleapis/nodejs-storage#2447
const noAccountHint = "this workload is not linked to a service account, which could sign: annotate its Kubernetes service account with iam.gke.io/gcp-service-account, or set Config.SigningAccount to one that it may use as roles/iam.serviceAccountTokenCreator"

func noSignerError() error {
	return &storage.Error{Code: storage.Unsupported, Hint: signingHint}
}

// A credentialsFile has the fields of Google's credentials JSON that signing
// needs.
type credentialsFile struct {
	ClientEmail      string `json:"client_email"`
	PrivateKey       string `json:"private_key"`
	ImpersonationURL string `json:"service_account_impersonation_url"`
}

// parseCredentialsFile returns the fields of credentials JSON that tell how to sign.
func parseCredentialsFile(text []byte) (*credentialsFile, error) {
	f := &credentialsFile{}
	if json.Unmarshal(text, f) != nil {
		// The error of Unmarshal quotes the text.
		return nil, argument.Invalid("credentials", "must be credentials JSON from Google", "")
	}
	return f, nil
}

// account returns the service account of the credentials, or "" for a person's credentials. For an
// impersonated account, the name is in the URL of its tokens,
// …/serviceAccounts/NAME:generateAccessToken.
func (f *credentialsFile) account() string {
	if f.ImpersonationURL == "" {
		return f.ClientEmail
	}
	last := f.ImpersonationURL[strings.LastIndexByte(f.ImpersonationURL, '/')+1:]
	name, _, ok := strings.Cut(last, ":")
	if !ok {
		return ""
	}
	return name
}

// signerFromJSON returns the signer for credentials JSON, which signs for the service account in
// account or, if that is "", for the credentials' own account. The result is nil if there is
// neither, as with a person's credentials.
func signerFromJSON(credentials []byte, account string, a *account) (signer, error) {
	f, err := parseCredentialsFile(credentials)
	if err != nil {
		return nil, err
	}
	email := f.account()
	account = cmp.Or(account, email)
	if account == "" {
		return nil, nil
	}
	if f.PrivateKey != "" && account == email {
		return newKeySigner(credentials, account)
	}
	return newIAMSigner(account, a), nil
}

// defaultSigner returns the signer for the application default credentials, which on a machine of
// Google's signs for the machine's service account.
func defaultSigner(
	ctx context.Context, account string, a *account, lookupEmail func(context.Context) (string, error),
) (signer, error) {
	credentials, err := a.credentials.get()
	if err != nil {
		return nil, err
	}

	// Credentials from a file have a JSON document, which says who signs.
	if text := credentials.JSON(); len(text) > 0 {
		found, err := signerFromJSON(text, account, a)
		if err != nil {
			return nil, err
		}
		if found == nil {
			return nil, noSignerError()
		}
		return found, nil
	}

	// The credentials are those of a machine of Google, which knows its service account.
	if account == "" {
		account, err = lookupEmail(ctx)
		if err != nil {
			return nil, err
		}
	}
	return newIAMSigner(account, a), nil
}

// metadataAccount requests the machine's service account from the metadata service.
func metadataAccount(ctx context.Context) (string, error) {
	account, err := metadata.NewClient(nil).EmailWithContext(ctx, "default")
	if err != nil {
		if sdkerror.IsType[metadata.NotDefinedError](err) {
			// The machine has no service account.
			return "", noSignerError()
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", &storage.Error{
			Code: storage.Unavailable,
			Err:  err,
			Hint: "the metadata service did not return this machine's service account: set Config.SigningAccount",
		}
	}

	if account == "" {
		return "", noSignerError()
	}
	if !strings.Contains(account, "@") {
		return "", &storage.Error{Code: storage.Unsupported, Hint: noAccountHint}
	}
	return account, nil
}

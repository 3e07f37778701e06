package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"sync"
	"time"

	gcssdk "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

const plainRSA = "one RSA signature"

// A serviceAccount is one that nobody has.
type serviceAccount struct {
	email string
	key   *rsa.PrivateKey
	pem   []byte
	file  []byte // as Google hands it out
}

var gcsAccount = sync.OnceValues(func() (*serviceAccount, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048) // as Google's are
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	a := &serviceAccount{email: "benchmarks@example.iam.gserviceaccount.com", key: key}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	a.file, err = json.Marshal(map[string]string{"type": "service_account", "client_email": a.email, "private_key": string(a.pem)})
	return a, err
})

func gcsSignCase() benchCase {
	return benchCase{
		name: "gcs-sign-get", title: "sign an address to download from, for an hour, with a service account's key",
		rows: []row{
			{name: ours, setup: signed(signOursGCS)},
			{name: rawGCS, setup: signed(signRawGCS)},
			{name: plainRSA, setup: signed(signPlainRSA)},
		},
		goals: []goal{lessCPU(ours, plainRSA, 1.1)},
	}
}

func signOursGCS(ctx context.Context) (func(key string) error, error) {
	b, err := openSigningGCS(ctx)
	return func(key string) error {
		_, err := b.SignedDownloadURL(ctx, key, storage.WithTTL(time.Hour))
		return err
	}, err
}

func openSigningGCS(ctx context.Context) (storage.Bucket, error) {
	account, err := gcsAccount()
	if err != nil {
		return nil, err
	}
	return gcs.Open(ctx, gcs.Config{Bucket: gcsBucket, Anonymous: true, SigningKey: account.file})
}

func signRawGCS(context.Context) (func(key string) error, error) {
	account, err := gcsAccount()
	if err != nil {
		return nil, err
	}
	return func(key string) error {
		_, err := gcssdk.SignedURL(gcsBucket, key, &gcssdk.SignedURLOptions{
			GoogleAccessID: account.email, PrivateKey: account.pem, Method: http.MethodGet,
			Expires: time.Now().Add(time.Hour), Scheme: gcssdk.SigningSchemeV4,
		})
		return err
	}, nil
}

func signPlainRSA(context.Context) (func(key string) error, error) {
	account, err := gcsAccount()
	if err != nil {
		return nil, err
	}
	return func(key string) error {
		sum := sha256.Sum256([]byte(key))
		signature, err := rsa.SignPKCS1v15(rand.Reader, account.key, crypto.SHA256, sum[:])
		if len(signature) == 0 {
			return errors.Join(err, errors.New("no signature"))
		}
		return err
	}, nil
}

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
	"io"
	"net/http"
	"sync"
	"time"

	gcssdk "cloud.google.com/go/storage"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

// These are the names of the rows for Google Cloud Storage.
const (
	rawGCS       = "cloud.google.com/go/storage"
	rawGCSSmall  = rawGCS + ", chunks of 256 KiB"
	rawGCSLarge  = rawGCS + ", chunks of 8 MiB"
	rawGCSOnce   = rawGCS + ", one request"
	rawGCSFields = rawGCS + ", only the fields of ours"
	goCloudGCS   = "gocloud gcsblob"
	plainRSA     = "one RSA signature"
)

const gcsBucket = "bucket"

// openGCS opens a bucket with this library. The null server accepts any credentials. If server is
// "", the bucket can only sign, with the key of a service account.
func openGCS(ctx context.Context, server string, opts ...storage.OpenOption) (storage.Bucket, error) {
	config := gcs.Config{Bucket: gcsBucket, Endpoint: server, Anonymous: true}
	if server == "" {
		account, err := gcsAccount()
		if err != nil {
			return nil, err
		}
		config.SigningKey = account.file
	}
	return gcs.Open(ctx, config, opts...)
}

// A serviceAccount is a fictional service account of Google.
type serviceAccount struct {
	email string
	key   *rsa.PrivateKey
	pem   []byte
	file  []byte // key file in Google's JSON format
}

var gcsAccount = sync.OnceValues(func() (*serviceAccount, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048) // Google's own keys have this size
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	a := &serviceAccount{email: "benchmarks@example.iam.gserviceaccount.com", key: key}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	a.file, err = json.Marshal(map[string]string{
		"type":         "service_account",
		"client_email": a.email,
		"private_key":  string(a.pem),
	})
	return a, err
})

func gcsClient(ctx context.Context, server string) (*gcssdk.Client, error) {
	return gcssdk.NewClient(ctx, option.WithEndpoint(server+"/storage/v1/"), option.WithoutAuthentication())
}

func gcsDefaults(*gcssdk.Writer) {}

func gcsChunks(bytes int) func(*gcssdk.Writer) {
	return func(w *gcssdk.Writer) {
		w.ChunkSize = bytes
	}
}

// gcsOneRequest configures a writer of the SDK. The writer sends each upload in one request. It
// verifies no checksum of the response, because the null server does not compute checksums.
func gcsOneRequest(w *gcssdk.Writer) {
	w.ChunkSize = 0
	w.DisableAutoChecksum = true
}

// gcsSDK returns the SDK as a contender. The given function configures the writer of each upload. A
// listing requests the given fields of each object, or all fields if none is given.
func gcsSDK(name string, set func(*gcssdk.Writer), fields ...string) contender {
	return contender{
		name: name,
		open: func(e *env, server string) (client, error) {
			c, err := gcsClient(e.ctx, server)
			if err != nil {
				return client{}, err
			}
			bucket := c.Bucket(gcsBucket)
			upload := func(ctx context.Context, key string, body io.Reader, _ int64) error {
				w := bucket.Object(key).NewWriter(ctx)
				w.ContentType = contentType
				set(w)
				_, err := io.Copy(w, body)
				return errors.Join(err, w.Close())
			}
			return client{
				put:    putBy(upload),
				upload: upload,
				open: func(ctx context.Context, key string) (io.ReadCloser, error) {
					return bucket.Object(key).NewReader(ctx)
				},
				list: func(ctx context.Context, prefix string, each func()) error {
					query := &gcssdk.Query{Prefix: prefix}
					if len(fields) > 0 {
						if err := query.SetAttrSelection(fields); err != nil {
							return err
						}
					}
					for objects := bucket.Objects(ctx, query); ; each() {
						if _, err := objects.Next(); errors.Is(err, iterator.Done) {
							return nil
						} else if err != nil {
							return err
						}
					}
				},
			}, nil
		},
	}
}

func openSDKSigner(*env, string) (client, error) {
	account, err := gcsAccount()
	return client{sign: func(_ context.Context, key string) error {
		_, err := gcssdk.SignedURL(gcsBucket, key, &gcssdk.SignedURLOptions{
			GoogleAccessID: account.email,
			PrivateKey:     account.pem,
			Method:         http.MethodGet,
			Expires:        time.Now().Add(time.Hour),
			Scheme:         gcssdk.SigningSchemeV4,
		})
		return err
	}}, err
}

func openRSASigner(*env, string) (client, error) {
	account, err := gcsAccount()
	return client{sign: func(_ context.Context, key string) error {
		sum := sha256.Sum256([]byte(key))
		signature, err := rsa.SignPKCS1v15(rand.Reader, account.key, crypto.SHA256, sum[:])
		if len(signature) == 0 {
			return errors.Join(err, errors.New("no signature"))
		}
		return err
	}}, err
}

func openGCSBlob(ctx context.Context, server string) (goCloud, error) {
	c, err := gcsClient(ctx, server)
	if err != nil {
		return goCloud{}, err
	}
	b, err := gcsblob.OpenBucket(ctx, nil, gcsBucket, &gcsblob.Options{Client: c})
	return goCloud{b, &blob.WriterOptions{ContentType: contentType}}, err
}

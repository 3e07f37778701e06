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
func gcsSDK(name string, configure func(*gcssdk.Writer), fields ...string) contender {
	return contender{
		name: name,
		open: func(e *env, server string) (client, error) {
			c, err := gcsClient(e.ctx, server)
			if err != nil {
				return client{}, err
			}
			s := &gcsSDKBucket{c.Bucket(gcsBucket), configure, fields}
			return client{put: putBy(s.upload), upload: s.upload, open: s.open, list: s.list}, nil
		},
	}
}

// A gcsSDKBucket makes the operations with the SDK.
type gcsSDKBucket struct {
	bucket    *gcssdk.BucketHandle
	configure func(*gcssdk.Writer)
	fields    []string // fields of each object that a listing requests; all if empty
}

func (s *gcsSDKBucket) upload(ctx context.Context, key string, body io.Reader, _ int64) error {
	w := s.bucket.Object(key).NewWriter(ctx)
	w.ContentType = contentType
	s.configure(w)
	_, err := io.Copy(w, body)
	return errors.Join(err, w.Close())
}

func (s *gcsSDKBucket) open(ctx context.Context, key string) (io.ReadCloser, error) {
	return s.bucket.Object(key).NewReader(ctx)
}

func (s *gcsSDKBucket) list(ctx context.Context, prefix string, each func()) error {
	query := &gcssdk.Query{Prefix: prefix}
	if len(s.fields) > 0 {
		if err := query.SetAttrSelection(s.fields); err != nil {
			return err
		}
	}
	objects := s.bucket.Objects(ctx, query)
	for {
		_, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			return nil
		}
		if err != nil {
			return err
		}
		each()
	}
}

func openSDKSigner(*env, string) (client, error) {
	account, err := gcsAccount()
	if err != nil {
		return client{}, err
	}
	return client{sign: account.signURL}, nil
}

// signURL signs a URL with the SDK.
func (a *serviceAccount) signURL(_ context.Context, key string) error {
	_, err := gcssdk.SignedURL(gcsBucket, key, &gcssdk.SignedURLOptions{
		GoogleAccessID: a.email,
		PrivateKey:     a.pem,
		Method:         http.MethodGet,
		Expires:        time.Now().Add(time.Hour),
		Scheme:         gcssdk.SigningSchemeV4,
	})
	return err
}

func openRSASigner(*env, string) (client, error) {
	account, err := gcsAccount()
	if err != nil {
		return client{}, err
	}
	return client{sign: account.signKey}, nil
}

// signKey makes only the RSA signature that a signed URL needs.
func (a *serviceAccount) signKey(_ context.Context, key string) error {
	sum := sha256.Sum256([]byte(key))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.key, crypto.SHA256, sum[:])
	if len(signature) == 0 {
		return errors.Join(err, errors.New("no signature"))
	}
	return err
}

func openGCSBlob(ctx context.Context, server string) (goCloud, error) {
	c, err := gcsClient(ctx, server)
	if err != nil {
		return goCloud{}, err
	}
	b, err := gcsblob.OpenBucket(ctx, nil, gcsBucket, &gcsblob.Options{Client: c})
	return goCloud{b, &blob.WriterOptions{ContentType: contentType}}, err
}

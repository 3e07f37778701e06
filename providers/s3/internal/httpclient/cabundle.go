package httpclient

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"sync/atomic"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
)

// OptionsWithCABundle returns options with an HTTP client that trusts the certificates of
// AWS_CA_BUNDLE, if that is set. Unlike the SDK, it reads no other variable.
func OptionsWithCABundle() (o awss3.Options, err error) {
	b, err := environmentBundle()
	if b != nil {
		o.HTTPClient = b.client()
	}
	return o, err
}

// ChainWithCABundle returns options with which the SDK's default chain trusts the certificates of
// AWS_CA_BUNDLE, or none if the variable is not set.
//
// The first option is an HTTP client that trusts all certificates in the file. The second saves the
// time to parse the whole file for each bucket. It has only one certificate, because the chain
// fails if it finds none.
func ChainWithCABundle() ([]func(*config.LoadOptions) error, error) {
	b, err := environmentBundle()
	if b == nil || err != nil {
		return nil, err
	}
	return []func(*config.LoadOptions) error{
		config.WithHTTPClient(b.client()), config.WithCustomCABundle(bytes.NewReader(b.certificate)),
	}, nil
}

type caBundle struct {
	sum         [sha256.Size]byte // hash of the file
	pool        *x509.CertPool    // never modified
	certificate []byte            // one certificate of the file, in PEM
}

// client returns an HTTP client for the SDK that trusts the certificates of the bundle.
func (b *caBundle) client() awss3.HTTPClient {
	pool := b.pool.Clone() // the SDK may add to it
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.TLSClientConfig.RootCAs = pool
	})
}

// lastCABundle caches the last bundle: a process has one, and parsing takes milliseconds.
var lastCABundle atomic.Pointer[caBundle]

// environmentBundle returns the certificates in the file that AWS_CA_BUNDLE names, or nil if the
// variable is not set.
func environmentBundle() (*caBundle, error) {
	file := os.Getenv("AWS_CA_BUNDLE")
	if file == "" {
		return nil, nil
	}
	b, err := loadCABundle(file)
	if err != nil {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Err:  err,
			Hint: "set AWS_CA_BUNDLE to a file of certificates",
		}
	}
	return b, nil
}

// loadCABundle returns the certificates in a file, which it parses again only if the file has
// changed.
func loadCABundle(file string) (*caBundle, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	if b := lastCABundle.Load(); b != nil && b.sum == sum {
		return b, nil
	}
	b := &caBundle{sum: sum, pool: x509.NewCertPool(), certificate: firstCertificate(text)}
	if !b.pool.AppendCertsFromPEM(text) {
		return nil, errors.New("the file has no certificate")
	}
	lastCABundle.Store(b)
	return b, nil
}

// firstCertificate returns the first certificate in a PEM file that can be parsed, encoded as PEM
// again, or nil if there is none.
func firstCertificate(text []byte) []byte {
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			return nil
		}
		if block.Type != "CERTIFICATE" || len(block.Headers) != 0 {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			return pem.EncodeToMemory(block)
		}
	}
}

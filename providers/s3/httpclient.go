package s3

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"reflect"
	"sync/atomic"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/transport"
)

// setHTTP sets the HTTP client that sends requests. The first of these that exists is used:
// Config.HTTPClient, the HTTP client in the SDK's client or configuration, and a new client. The
// new client trusts the certificates that the SDK's configuration trusts.
func (a *account) setHTTP(c Config, s *awss3.Options) {
	if c.HTTPClient != nil {
		a.http, _ = transport.NewClient(c.HTTPClient)
		return
	}
	config, isDefault := isDefaultExceptTLS(s.HTTPClient)
	if c.Client != nil || !isDefault {
		if s.HTTPClient != nil { // if it is nil, the SDK makes a client
			s.HTTPClient = wrapClient(s.HTTPClient)
		}
		return
	}
	tr := transport.New(transport.Options{TLS: config})
	a.http, _ = transport.NewClient(&http.Client{Transport: tr})
	a.ownsHTTP = true
	if canUseRawClient(c, s) {
		a.rawTransport = tr
	}
}

// wrapClient returns a copy of an HTTP client that uses our transport. The copy follows a redirect
// only if the given client has a rule for redirects. Go's default rule would send the headers to
// any host, and a customer's key is among them.
func wrapClient(client awss3.HTTPClient) awss3.HTTPClient {
	if client, ok := client.(*http.Client); ok && client != nil {
		wrapped, _ := transport.NewClient(client)
		return wrapped
	}
	return wrappedClient{client, transport.Over(clientRoundTripper{client})}
}

type wrappedClient struct {
	client    awss3.HTTPClient
	transport *transport.Transport
}

func (c wrappedClient) Do(r *http.Request) (*http.Response, error) { return c.transport.RoundTrip(r) }

// A clientRoundTripper makes an HTTP client of the SDK usable as an http.RoundTripper.
type clientRoundTripper struct{ client awss3.HTTPClient }

func (t clientRoundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return t.client.Do(r) }

// isDefaultExceptTLS reports whether an HTTP client is the SDK's default, except for its TLS
// configuration, and returns this configuration. The environment variable AWS_CA_BUNDLE makes the
// SDK change only this configuration.
func isDefaultExceptTLS(client awss3.HTTPClient) (config *tls.Config, isDefault bool) {
	switch client := client.(type) {
	case nil:
		return nil, true
	case *http.Client:
		return nil, client == nil // a nil *http.Client counts as no client, so the default is used
	case *awshttp.BuildableClient:
		if client == nil {
			return nil, true
		}
		if _, hasTimeout := client.GetReadTimeout(); hasTimeout || client.GetTimeout() != 0 {
			return nil, false
		}
		return differsOnlyInTLS(client.GetTransport())
	}
	return nil, false
}

// differsOnlyInTLS reports whether a transport is the SDK's default, except for TLS, and
// returns its TLS configuration.
func differsOnlyInTLS(creds *http.Transport) (config *tls.Config, isDefault bool) {
	standard := awshttp.NewBuildableClient().GetTransport()
	config = creds.TLSClientConfig
	if config != nil {
		config = config.Clone()
		config.NextProtos = nil // our transport sets them
	}
	a := reflect.ValueOf(creds).Elem()
	b := reflect.ValueOf(standard).Elem()
	for i := range a.NumField() {
		field := a.Type().Field(i)
		switch {
		case !field.IsExported() || field.Name == "TLSClientConfig" || field.Name == "TLSNextProto":
			// TLSNextProto has the functions for HTTP/2. They differ, because each transport makes
			// its own.
		case field.Type.Kind() == reflect.Func:
			if a.Field(i).Pointer() != b.Field(i).Pointer() {
				return nil, false
			}
		case !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()):
			return nil, false
		}
	}
	return config, true
}

// optionsWithCABundle returns options with an HTTP client that trusts the certificates of
// AWS_CA_BUNDLE, if that variable is set. It reads no other variable, unlike the SDK.
func optionsWithCABundle() (s awss3.Options, err error) {
	b, err := environmentBundle()
	if b != nil {
		s.HTTPClient = b.client()
	}
	return s, err
}

// chainWithCABundle returns options for the SDK's default chain, which loads the configuration of
// each bucket. With these options, the chain trusts the certificates in the file of AWS_CA_BUNDLE.
// If the variable is not set, there are no options.
//
// The first option is an HTTP client that trusts all certificates in the file. The second option
// saves time: the chain parses a bundle with one certificate instead of the whole file. The bundle
// cannot be empty, because the chain fails if it finds no certificate.
func chainWithCABundle() ([]func(*config.LoadOptions) error, error) {
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

func (b *caBundle) client() awss3.HTTPClient {
	pool := b.pool.Clone() // the SDK may add to it
	return awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.TLSClientConfig.RootCAs = pool
	})
}

// lastCABundle caches the last bundle: a process has one, and parsing takes milliseconds.
var lastCABundle atomic.Pointer[caBundle]

// environmentBundle returns the certificates of AWS_CA_BUNDLE, or nil if it is not set.
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

// loadCABundle returns the certificates in a file. It parses the file again only if the file
// has changed.
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

// firstCertificate returns the first certificate in a PEM file, encoded as PEM again. It skips
// certificates that cannot be parsed. If no certificate is left, it returns nil.
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

// canUseRawClient reports whether a raw client can do what the SDK would. It requires that the
// caller's settings do not change the requests between the SDK and the network.
func canUseRawClient(c Config, s *awss3.Options) bool {
	//lint:ignore SA1019 a configuration may still have the deprecated EndpointResolver
	resolver := s.EndpointResolver
	if c.Client != nil || c.AWS != nil && len(c.AWS.ServiceOptions) > 0 { // the options may have changed anything
		return false
	}
	if len(s.APIOptions) > 0 || resolver != nil || s.ClientLogMode != 0 { // a raw client ignores all of these
		return false
	}
	for _, interceptors := range reflect.ValueOf(s.Interceptors).Fields() {
		if interceptors.Len() > 0 {
			return false
		}
	}
	return len(s.AuthSchemePreference) == 0 && s.AppID == "" && !s.DisableClockSkewCorrection
}

package s3

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"reflect"
	"sync/atomic"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/transport"
)

// setHTTP sets the HTTP client that sends requests. It is the user's, or the one that
// the SDK's client or configuration was given. Otherwise it is ours, with the
// certificates that the SDK's configuration trusts.
func (a *account) setHTTP(c Config, s *awss3.Options) {
	if c.HTTPClient != nil {
		a.http, _ = transport.NewClient(c.HTTPClient)
		return
	}
	config, isDefault := isDefaultExceptTLS(s.HTTPClient)
	if c.Client != nil || !isDefault {
		if s.HTTPClient != nil { // else the SDK makes one
			s.HTTPClient = wrapClient(s.HTTPClient)
		}
		return
	}
	own := transport.New(transport.Options{TLS: config})
	a.http, _ = transport.NewClient(&http.Client{Transport: own})
	a.ownsHTTP = true
	if canUseRawClient(c, s) {
		a.rawTransport = own
		_, a.inLambda = os.LookupEnv("AWS_LAMBDA_FUNCTION_NAME")
	}
}

// wrapClient returns an HTTP client with our transport around the given one, which does
// not change. It follows a redirect only if the given one has a rule for them: Go's default
// sends the headers to any host, and a customer's key is among them.
func wrapClient(client awss3.HTTPClient) awss3.HTTPClient {
	if client, ok := client.(*http.Client); ok && client != nil {
		wrapped, _ := transport.NewClient(client)
		return wrapped
	}
	return wrappedClient{client, transport.Over(clientRoundTripper{client})}
}

// A wrappedClient sends the requests of an HTTP client through our transport.
type wrappedClient struct {
	given awss3.HTTPClient
	over  *transport.Transport
}

func (c wrappedClient) Do(r *http.Request) (*http.Response, error) { return c.over.RoundTrip(r) }

// A clientRoundTripper is an HTTP client of the SDK as an http.RoundTripper.
type clientRoundTripper struct{ client awss3.HTTPClient }

func (t clientRoundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return t.client.Do(r) }

// isDefaultExceptTLS reports whether an HTTP client is the SDK's default, except for TLS,
// and returns its TLS configuration. AWS_CA_BUNDLE changes only that.
func isDefaultExceptTLS(client awss3.HTTPClient) (config *tls.Config, isDefault bool) {
	switch client := client.(type) {
	case nil:
		return nil, true
	case *http.Client:
		return nil, client == nil // the SDK would call it
	case *awshttp.BuildableClient:
		if client == nil {
			return nil, true
		}
		if _, bounded := client.GetReadTimeout(); bounded || client.GetTimeout() != 0 {
			return nil, false
		}
		return differsOnlyInTLS(client.GetTransport())
	}
	return nil, false
}

// differsOnlyInTLS reports whether a transport is the SDK's default, except for TLS, and
// returns its TLS configuration.
func differsOnlyInTLS(given *http.Transport) (config *tls.Config, isDefault bool) {
	standard := awshttp.NewBuildableClient().GetTransport()
	config = given.TLSClientConfig
	if config != nil {
		config = config.Clone()
		config.NextProtos = nil // our transport sets them
	}
	a, b := reflect.ValueOf(given).Elem(), reflect.ValueOf(standard).Elem()
	for i := range a.NumField() {
		field := a.Type().Field(i)
		switch {
		case !field.IsExported(), field.Name == "TLSClientConfig", field.Name == "TLSNextProto":
			// TLSNextProto has the functions for HTTP/2, which each transport makes
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
// AWS_CA_BUNDLE, if that is set. The SDK would read the whole environment.
func optionsWithCABundle() (s awss3.Options, err error) {
	file := os.Getenv("AWS_CA_BUNDLE")
	if file == "" {
		return s, nil
	}
	pool, err := loadCABundle(file)
	if err != nil {
		return s, &storage.Error{Code: storage.InvalidArgument, Err: err, Hint: "set AWS_CA_BUNDLE to a file of certificates"}
	}
	s.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.TLSClientConfig.RootCAs = pool })
	return s, nil
}

// A caBundle is a parsed file of certificates.
type caBundle struct {
	file     string
	modified time.Time
	size     int64
	pool     *x509.CertPool // never modified
}

// lastCABundle caches the last bundle: a process has one, and parsing takes milliseconds.
var lastCABundle atomic.Pointer[caBundle]

// loadCABundle returns the certificates in a file. It reads the file again if that has
// changed.
func loadCABundle(file string) (*x509.CertPool, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if b := lastCABundle.Load(); b != nil && b.file == file && b.modified.Equal(info.ModTime()) && b.size == info.Size() {
		return b.pool, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	b := &caBundle{file: file, modified: info.ModTime(), size: info.Size(), pool: x509.NewCertPool()}
	if !b.pool.AppendCertsFromPEM(text) {
		return nil, errors.New("the file has no certificate")
	}
	lastCABundle.Store(b)
	return b.pool, nil
}

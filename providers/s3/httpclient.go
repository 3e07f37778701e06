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

// setHTTP settles by what requests are made: the user's HTTP client, the one of
// the SDK's client or configuration where somebody has chosen it, and else one
// of ours, which has the certificates that the SDK's configuration trusts.
func (a *account) setHTTP(c Config, s *awss3.Options) {
	if c.HTTPClient != nil {
		a.http, _ = transport.NewClient(c.HTTPClient)
		return
	}
	trust, standard := isDefaultExceptTLS(s.HTTPClient)
	if c.Client != nil || !standard {
		if s.HTTPClient != nil { // else the SDK makes its own
			s.HTTPClient = wrapClient(s.HTTPClient)
		}
		return
	}
	own := transport.New(transport.Options{TLS: trust})
	a.http, _ = transport.NewClient(&http.Client{Transport: own})
	a.ownsHTTP = true
	if canUseRawClient(c, s) {
		a.rawTransport = own
		_, a.inLambda = os.LookupEnv("AWS_LAMBDA_FUNCTION_NAME")
	}
}

// watched is an HTTP client of the SDK's with our transport around its own. What
// its owner has is left as it is.
func wrapClient(client awss3.HTTPClient) awss3.HTTPClient {
	if client, ok := client.(*http.Client); ok && client != nil {
		return transport.Around(client)
	}
	return wrappedClient{client, transport.Over(clientRoundTripper{client})}
}

// A wrappedClient is an HTTP client of the SDK's under a Transport.
type wrappedClient struct {
	given awss3.HTTPClient
	over  *transport.Transport
}

func (c wrappedClient) Do(r *http.Request) (*http.Response, error) { return c.over.RoundTrip(r) }

// A clientRoundTripper makes requests by an HTTP client of the SDK's.
type clientRoundTripper struct{ client awss3.HTTPClient }

func (t clientRoundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return t.client.Do(r) }

// standardButTLS reports whether an HTTP client is the SDK's own, which nobody
// has chosen, and how it does TLS: AWS_CA_BUNDLE makes a difference there, and
// nowhere else.
func isDefaultExceptTLS(client awss3.HTTPClient) (trust *tls.Config, standard bool) {
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

// tlsAlone reports whether a transport is the SDK's standard one in all but TLS.
func differsOnlyInTLS(given *http.Transport) (trust *tls.Config, standard bool) {
	usual := awshttp.NewBuildableClient().GetTransport()
	trust = given.TLSClientConfig
	if trust != nil {
		trust = trust.Clone()
		trust.NextProtos = nil // our transport's own
	}
	a, b := reflect.ValueOf(given).Elem(), reflect.ValueOf(usual).Elem()
	for i := range a.NumField() {
		field := a.Type().Field(i)
		switch {
		case !field.IsExported(), field.Name == "TLSClientConfig", field.Name == "TLSNextProto":
			// the last is what HTTP/2 is spoken by, and made anew for each
		case field.Type.Kind() == reflect.Func:
			if a.Field(i).Pointer() != b.Field(i).Pointer() {
				return nil, false
			}
		case !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()):
			return nil, false
		}
	}
	return trust, true
}

// trustedByEnvironment are settings with an HTTP client that trusts what
// AWS_CA_BUNDLE names, or none. The SDK reads it with all else of the
// environment, which is not wanted here.
func optionsWithCABundle() (s awss3.Options, err error) {
	file := os.Getenv("AWS_CA_BUNDLE")
	if file == "" {
		return s, nil
	}
	pool, err := loadCABundle(file)
	if err != nil {
		return s, &storage.Error{Code: storage.InvalidArgument, Err: err, Hint: "AWS_CA_BUNDLE must name a file of certificates"}
	}
	s.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.TLSClientConfig.RootCAs = pool })
	return s, nil
}

// A bundle is a file of certificates that was read.
type bundle struct {
	file     string
	modified time.Time
	size     int64
	pool     *x509.CertPool // never changed
}

// lastCABundle is the one that was read last: a process has one, and to parse it
// takes milliseconds.
var lastCABundle atomic.Pointer[bundle]

// trustedPool returns the certificates in a file, which is read again when it has
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
	b := &bundle{file: file, modified: info.ModTime(), size: info.Size(), pool: x509.NewCertPool()}
	if !b.pool.AppendCertsFromPEM(text) {
		return nil, errors.New("the file has no certificate")
	}
	lastCABundle.Store(b)
	return b.pool, nil
}

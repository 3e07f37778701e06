// Package httpclient decides what of the HTTP client in a configuration of the AWS SDK is kept, and which
// certificates a client trusts. Start at [Wrap].
package httpclient

import (
	"crypto/tls"
	"net/http"
	"reflect"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage/internal/transport"
)

// Wrap returns a copy of an HTTP client that uses our transport. The copy follows a redirect only
// if the client has a rule for redirects. Go's default rule would send the headers, and with them a
// customer's key, to any host.
func Wrap(client awss3.HTTPClient) awss3.HTTPClient {
	if client, ok := client.(*http.Client); ok && client != nil {
		wrapped, _ := transport.NewClient(client)
		return wrapped
	}
	return Wrapped{client, transport.Over(clientRoundTripper{client})}
}

// A Wrapped is a client of the SDK whose requests go through our transport.
type Wrapped struct {
	Client    awss3.HTTPClient
	transport *transport.Transport
}

// Do sends a request.
func (c Wrapped) Do(r *http.Request) (*http.Response, error) { return c.transport.RoundTrip(r) }

// A clientRoundTripper makes an HTTP client of the SDK usable as an http.RoundTripper.
type clientRoundTripper struct{ client awss3.HTTPClient }

func (t clientRoundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return t.client.Do(r) }

// IsDefaultExceptTLS reports whether an HTTP client is the SDK's default apart from its TLS
// configuration, which it returns. AWS_CA_BUNDLE makes the SDK change only this configuration.
func IsDefaultExceptTLS(client awss3.HTTPClient) (config *tls.Config, isDefault bool) {
	switch client := client.(type) {
	case nil:
		return nil, true
	case *http.Client:
		// With a nil *http.Client, the SDK uses its default.
		return nil, client == nil
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

// differsOnlyInTLS reports whether a transport is the SDK's default apart from its TLS
// configuration, which it returns.
func differsOnlyInTLS(t *http.Transport) (config *tls.Config, isDefault bool) {
	config = t.TLSClientConfig
	if config != nil {
		config = config.Clone()
		config.NextProtos = nil // our transport sets them
	}

	// Compare all other fields.
	got := reflect.ValueOf(t).Elem()
	want := reflect.ValueOf(awshttp.NewBuildableClient().GetTransport()).Elem()
	for i := range got.NumField() {
		field := got.Type().Field(i)
		// TLSNextProto has the functions for HTTP/2. They differ, because each transport makes its own.
		mayDiffer := field.Name == "TLSClientConfig" || field.Name == "TLSNextProto"
		if !field.IsExported() || mayDiffer {
			continue
		}
		if !areEqual(got.Field(i), want.Field(i)) {
			return nil, false
		}
	}
	return config, true
}

// areEqual compares two values. It compares the addresses of functions, because DeepEqual cannot
// compare functions.
func areEqual(a, b reflect.Value) bool {
	if a.Kind() == reflect.Func {
		return a.Pointer() == b.Pointer()
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

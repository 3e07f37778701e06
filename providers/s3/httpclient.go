package s3

import (
	"net/http"
	"reflect"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/s3/internal/httpclient"
)

// setHTTP sets a.http, the HTTP client that sends requests. It is Config.HTTPClient if that is set. If
// the SDK's client or configuration has an HTTP client of the caller, a.http stays nil, because the SDK
// then uses that one. Otherwise it is a new one.
func (a *account) setHTTP(c Config, s *awss3.Options) {
	if c.HTTPClient != nil {
		a.http, _ = transport.NewClient(c.HTTPClient)
		return
	}

	// Keep an HTTP client that the caller has set in the SDK's client or configuration.
	tlsConfig, isDefault := httpclient.IsDefaultExceptTLS(s.HTTPClient)
	isSetByCaller := c.Client != nil || !isDefault
	if isSetByCaller {
		if s.HTTPClient != nil {
			s.HTTPClient = httpclient.Wrap(s.HTTPClient)
		}
		return
	}

	// Replace the SDK's default client. The new one trusts the same certificates.
	tr := transport.New(transport.Options{TLS: tlsConfig})
	a.http, _ = transport.NewClient(&http.Client{Transport: tr})
	a.ownsHTTP = true
	if canUseRawClient(c, s) {
		a.rawTransport = tr
	}
}

// mayChangeRequests reports whether the caller's own client or its ServiceOptions may have changed any
// option of the SDK, such as the signer of requests.
func mayChangeRequests(c Config) bool {
	hasServiceOptions := c.AWS != nil && len(c.AWS.ServiceOptions) > 0
	return c.Client != nil || hasServiceOptions
}

// canUseRawClient reports whether a raw client can replace the SDK's, because no setting of the
// caller changes the requests between the SDK and the network.
func canUseRawClient(c Config, s *awss3.Options) bool {
	if mayChangeRequests(c) {
		return false
	}

	// A raw client ignores all of these.
	//lint:ignore SA1019 a configuration may still have the deprecated EndpointResolver
	hasResolver := s.EndpointResolver != nil
	if hasResolver || len(s.APIOptions) > 0 || s.ClientLogMode != 0 || hasInterceptors(s) {
		return false
	}
	return len(s.AuthSchemePreference) == 0 && s.AppID == "" && !s.DisableClockSkewCorrection
}

// hasInterceptors reports whether any field of s.Interceptors, each of which is a slice, has an
// interceptor.
func hasInterceptors(s *awss3.Options) bool {
	for _, interceptors := range reflect.ValueOf(s.Interceptors).Fields() {
		if interceptors.Len() > 0 {
			return true
		}
	}
	return false
}

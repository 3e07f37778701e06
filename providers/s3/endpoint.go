package s3

import (
	"errors"
	"net"
	"net/url"
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/address"
	"github.com/omnibucket/storage/internal/argument"
)

// An endpoint is where a Config, or the SDK's settings, say that the server is.
type endpoint struct {
	url       *url.URL // the server's root; nil: Amazon S3, by region
	region    string   // that a resolver has requests signed for, or ""
	pathStyle bool     // a resolver leaves no room for the bucket in the host
	resolved  bool     // see account
}

// endpointOf is the endpoint, by whoever is the first to name one: Config, a
// resolver of the SDK's old kind, and the SDK's BaseEndpoint, in the SDK's own
// order.
func endpointOf(c Config, s *awss3.Options) (e endpoint, err error) {
	name := c.Endpoint
	if name == "" {
		if name, e, err = askOldResolver(c, s); err != nil {
			return e, err
		}
	}
	e.resolved = hasOwnResolver(s)
	if name == "" {
		name = aws.ToString(s.BaseEndpoint)
	}
	if name != "" {
		e.url, err = parseEndpoint(name)
	}
	return e, err
}

// hasOwnResolver reports whether requests go where code of the user's says,
// whatever the endpoint is.
func hasOwnResolver(s *awss3.Options) bool {
	own := s.EndpointResolverV2
	return own != nil && reflect.TypeOf(own) != reflect.TypeOf(awss3.NewDefaultEndpointResolverV2())
}

// askOldResolver is what a resolver of the kind that BaseEndpoint has replaced
// says. It is asked once: what the server is must be known, and signed
// addresses have to lead there as requests do. No name: there is none, or it
// leaves S3 to the SDK.
func askOldResolver(c Config, s *awss3.Options) (name string, e endpoint, err error) {
	const hint = "give Config.Endpoint"
	//lint:ignore SA1019 for years it was the way to reach servers that are not Amazon's
	resolver := s.EndpointResolver
	if resolver == nil {
		return "", e, nil
	}
	region := c.Region
	if region == "" {
		region = s.Region
	}
	at, err := resolver.ResolveEndpoint(region, s.EndpointOptions)
	var none *aws.EndpointNotFoundError
	switch {
	case errors.As(err, &none):
		return "", e, nil
	case err != nil:
		return "", e, &storage.Error{Code: storage.InvalidArgument, Err: err, Hint: hint}
	case at.URL == "" || at.SigningName != "" && at.SigningName != signingService:
		return "", e, argument.Invalid("the endpoint resolver", "must name a server that speaks S3", hint)
	}
	return at.URL, endpoint{region: at.SigningRegion, pathStyle: at.HostnameImmutable}, nil
}

func parseEndpoint(endpoint string) (*url.URL, error) {
	u, ok := address.Endpoint(endpoint)
	if !ok {
		return nil, argument.Invalid("endpoint", "must be the server's root, as https://host or http://host:port", "")
	}
	return u, nil
}

// place settles where the server is, what it is, and how it is addressed.
func (a *account) place(c Config, s *awss3.Options) error {
	e, err := endpointOf(c, s)
	if err != nil {
		return err
	}
	if e.url == nil && !e.resolved && c.Profile != nil {
		if e.url, err = ownEndpoint(c, s); err != nil {
			return err
		}
	}
	host := ""
	if e.url != nil {
		host = e.url.Hostname()
	}
	a.endpoint, a.resolved = e.url, e.resolved
	a.profile, a.region = profileAt(c.Profile, host)
	a.pathStyle = e.pathStyle || s.UsePathStyle
	if c.Client == nil { // else as it is without us
		a.pathStyle = a.pathStyle || !a.profile.VirtualHost || isNumberOrLocal(host)
	}
	if c.PathStyle != nil {
		a.pathStyle = *c.PathStyle
	}
	if a.resolved && c.Profile == nil {
		a.profile, _ = NamedProfile("unknown") // whatever the host says, requests may go elsewhere
	}
	switch {
	case c.Region != "":
		a.region = c.Region
	case e.region != "":
		a.region = e.region
	case s.Region != "" && (c.Endpoint == "" || c.AWS != nil || c.Client != nil):
		a.region = s.Region // else the environment's, which is Amazon's
	}
	if a.region == "" && host != "" {
		a.region = "us-east-1"
	}
	if a.region == "" {
		return argument.Invalid("region", "is not known", "set Config.Region, region= in the address, or AWS_REGION")
	}
	return nil
}

// ownEndpoint returns the endpoint of the profile that Config names, if that is
// one of another service than Amazon's: nil stands for Amazon's own.
func ownEndpoint(c Config, s *awss3.Options) (*url.URL, error) {
	named, known := NamedProfile(strings.TrimSuffix(c.Profile.Name, probedSuffix))
	if !known || named.Name == "aws" || named.Name == "unknown" || named.Name == accessPointProfile {
		return nil, nil // a profile of the user's own, or one that is for Amazon's too
	}
	const hint = "name the endpoint: Config.Endpoint, endpoint= in the address, or AWS_ENDPOINT_URL_S3"
	host := ""
	if len(named.Hosts) > 0 {
		host = named.Hosts[0]
	}
	region := c.Region
	if region == "" {
		region = s.Region
	}
	switch {
	case c.Client != nil: // it would ask Amazon
		return nil, argument.Invalid("Config.Client", "must have a BaseEndpoint with profile "+named.Name, "")
	case strings.Contains(host, regionLabel):
		if !isLabel(region) {
			return nil, argument.Invalid("region", "must be one of the provider's with profile "+named.Name+" and without an endpoint", hint)
		}
	case host == "" || strings.Contains(host, "*") || named.Region == "":
		return nil, argument.Invalid("endpoint", "must be given with profile "+named.Name, hint)
	}
	return parseEndpoint("https://" + strings.ReplaceAll(host, regionLabel, region))
}

// isLabel reports whether a name is one label of a host.
func isLabel(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != ""
}

// isNumberOrLocal reports whether a bucket's name cannot stand before host.
func isNumberOrLocal(host string) bool {
	return host == "localhost" || net.ParseIP(host) != nil
}

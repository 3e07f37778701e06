package s3

import (
	"cmp"
	"net"
	"net/url"
	"reflect"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/sdkerror"
	"github.com/omnibucket/storage/providers/internal/address"
	"github.com/omnibucket/storage/providers/s3/internal/hostname"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

type endpoint struct {
	url         *url.URL // root URL of the server; nil for Amazon S3, whose host depends on the region
	region      string   // the resolver's region for signatures, or ""
	pathStyle   bool     // the resolver does not allow the bucket in the host
	hasResolver bool     // true if the caller's endpoint resolver may send requests to another host
}

// endpointOf returns the endpoint of the server. As in the SDK, it is Config.Endpoint or, if that
// is not set, the endpoint of a legacy resolver, or else the SDK's BaseEndpoint.
func endpointOf(c Config, s *awss3.Options) (endpoint, error) {
	var e endpoint
	rawURL := c.Endpoint
	if rawURL == "" {
		legacy, err := legacyEndpoint(c, s)
		if err != nil {
			return endpoint{}, err
		}
		rawURL = legacy.url
		e.region = legacy.region
		e.pathStyle = legacy.pathStyle
	}
	if rawURL == "" {
		rawURL = aws.ToString(s.BaseEndpoint)
	}

	// A resolver other than the SDK's may send requests anywhere.
	resolver := s.EndpointResolverV2
	isDefault := reflect.TypeOf(resolver) == reflect.TypeOf(awss3.NewDefaultEndpointResolverV2())
	e.hasResolver = resolver != nil && !isDefault

	// Without a URL, the server is Amazon S3.
	if rawURL == "" {
		return e, nil
	}
	u, err := parseEndpoint(rawURL)
	if err != nil {
		return endpoint{}, err
	}
	e.url = u
	return e, nil
}

// A resolvedEndpoint is the endpoint of a legacy resolver. The url is "" if there is no resolver, or if the
// resolver has no endpoint for S3.
type resolvedEndpoint struct {
	url       string
	region    string
	pathStyle bool
}

// legacyEndpoint returns the endpoint of a legacy resolver, which BaseEndpoint replaces in newer versions of
// the SDK. The resolver is called only once, because all requests and signed URLs must have the same host.
func legacyEndpoint(c Config, s *awss3.Options) (resolvedEndpoint, error) {
	const hint = "set Config.Endpoint"
	//lint:ignore SA1019 configurations for other servers than Amazon's may still have it
	resolver := s.EndpointResolver
	if resolver == nil {
		return resolvedEndpoint{}, nil
	}
	resolved, err := resolver.ResolveEndpoint(cmp.Or(c.Region, s.Region), s.EndpointOptions)
	if sdkerror.IsType[*aws.EndpointNotFoundError](err) {
		return resolvedEndpoint{}, nil
	}
	if err != nil {
		return resolvedEndpoint{}, &storage.Error{Code: storage.InvalidArgument, Err: err, Hint: hint}
	}

	isOtherService := resolved.SigningName != "" && resolved.SigningName != signature.Service
	if resolved.URL == "" || isOtherService {
		return resolvedEndpoint{}, argument.Invalid("the endpoint resolver", "must name an S3 server", hint)
	}
	return resolvedEndpoint{
		url:       resolved.URL,
		region:    resolved.SigningRegion,
		pathStyle: resolved.HostnameImmutable,
	}, nil
}

// parseEndpoint parses the URL of a server, or fails with InvalidArgument if the URL is not valid
// or has a path.
func parseEndpoint(endpoint string) (*url.URL, error) {
	u, ok := address.Endpoint(endpoint)
	if !ok {
		return nil, argument.Invalid("endpoint", "must be the server's root, like https://host or http://host:port", "")
	}
	return u, nil
}

// resolveEndpoint sets the endpoint of the server, and the profile, the region and the path style
// that follow from it.
func (a *account) resolveEndpoint(c Config, s *awss3.Options) error {
	// Find the endpoint, which a profile may imply.
	e, err := endpointOf(c, s)
	if err != nil {
		return err
	}
	if e.url == nil && !e.hasResolver && c.Profile != nil {
		e.url, err = profileEndpoint(c, s)
		if err != nil {
			return err
		}
	}

	a.endpoint = e.url
	a.hasCustomResolver = e.hasResolver

	// Find the profile, and whether the bucket is in the path of URLs.
	host := e.host()
	profile := profileAt(host)
	if c.Profile != nil {
		profile = *c.Profile
	}
	a.profile = profile
	a.isOrderedHost = isOrderedHost(host)
	a.pathStyle = e.usesPathStyle(c, s, &profile)
	if a.hasCustomResolver && c.Profile == nil {
		// The resolver may choose a host that the profile does not fit.
		a.profile, _ = NamedProfile("unknown")
	}

	a.region = cmp.Or(e.chosenRegion(c, s), profile.regionAt(host))
	if a.region == "" && host != "" {
		a.region = "us-east-1" // a signature needs a region
	}
	if a.region == "" {
		return argument.Invalid("region", "is not known", "set Config.Region, region= in the address, or AWS_REGION")
	}
	return nil
}

// host returns the host of the endpoint without its port, or "" for Amazon S3.
func (e endpoint) host() string {
	if e.url == nil {
		return ""
	}
	return e.url.Hostname()
}

// usesPathStyle reports whether the bucket is in the path of URLs, and not in the host. Config.PathStyle
// decides that, or else the SDK's options, the resolver and the profile.
func (e endpoint) usesPathStyle(c Config, s *awss3.Options, p *Profile) bool {
	if c.PathStyle != nil {
		return *c.PathStyle
	}
	if e.pathStyle || s.UsePathStyle {
		return true
	}
	if c.Client != nil {
		// A client has its own setting for the path style.
		return false
	}

	// A bucket cannot be a subdomain of an IP address.
	return !p.VirtualHost || e.host() == "localhost" || net.ParseIP(e.host()) != nil
}

// chosenRegion returns the region of the Config, or else that of the resolver or of the SDK's
// options, or "" if none of them has one for this endpoint.
func (e endpoint) chosenRegion(c Config, s *awss3.Options) string {
	// If Config.AWS and Config.Client are nil, s.Region comes from the environment. It may then
	// be one of Amazon's regions, which do not fit Config.Endpoint.
	fitsEndpoint := c.Endpoint == "" || c.AWS != nil || c.Client != nil
	if fitsEndpoint {
		return cmp.Or(c.Region, e.region, s.Region)
	}
	return cmp.Or(c.Region, e.region)
}

// profileEndpoint returns the endpoint that follows from the profile in a Config, or nil if the
// profile is Amazon's or has no endpoint of its own.
func profileEndpoint(c Config, s *awss3.Options) (*url.URL, error) {
	const hint = "name the endpoint: Config.Endpoint, endpoint= in the address, or AWS_ENDPOINT_URL_S3"
	// The profile of a probe has the name of the profile that it began with, and ProbedSuffix.
	name := strings.TrimSuffix(c.Profile.Name, ProbedSuffix)
	profile, ok := NamedProfile(name)
	if !ok || profile.hostless {
		// No endpoint follows from the profile's name. Either the caller made the profile, or the
		// profile fits several endpoints.
		return nil, nil
	}
	if c.Client != nil {
		// Without a BaseEndpoint, the client sends requests to Amazon.
		return nil, argument.Invalid("Config.Client", "must have a BaseEndpoint with profile "+profile.Name, "")
	}

	pattern := ""
	if len(profile.Hosts) > 0 {
		pattern = profile.Hosts[0]
	}

	// A pattern with a label for the region becomes a host when the region is known.
	if strings.Contains(pattern, hostname.RegionLabel) {
		region := cmp.Or(c.Region, s.Region)
		if !hostname.IsLabel(region) {
			return nil, argument.Invalid(
				"region", "must be one of the provider's regions with profile "+profile.Name+" and without an endpoint",
				hint,
			)
		}
		return parseEndpoint("https://" + strings.ReplaceAll(pattern, hostname.RegionLabel, region))
	}

	// Any other pattern must be a host. Its requests are signed for the only region of the profile.
	isHost := pattern != "" && !strings.Contains(pattern, "*")
	if !isHost || profile.Region == "" {
		return nil, argument.Invalid("endpoint", "must be given with profile "+profile.Name, hint)
	}
	return parseEndpoint("https://" + pattern)
}

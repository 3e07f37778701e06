package s3

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
)

// The raw client is used unless the configuration has something that only the SDK does, such as
// middleware.
func TestRawClientUsed(t *testing.T) {
	awsConfig := aws.Config{
		Region:      "eu-west-1",
		Credentials: credentials.NewStaticCredentialsProvider("own", "secret", ""),
	}
	newConfig := func(change func(*aws.Config)) Config {
		c := awsConfig
		change(&c)
		return Config{AWS: &c}
	}
	tests := map[string]struct {
		config Config
		want   bool
	}{
		"with keys":       {config: Config{}, want: true},
		"anonymous":       {config: Config{Anonymous: true}, want: true},
		"at a server":     {config: Config{Endpoint: "https://nyc3.digitaloceanspaces.com"}, want: true},
		"in China":        {config: Config{Region: "cn-north-1"}, want: true},
		"a configuration": {config: newConfig(func(*aws.Config) {}), want: true},
		"a custom HTTP client in the configuration": {
			config: newConfig(func(c *aws.Config) {
				c.HTTPClient = &http.Client{}
			}),
		},
		"custom middleware": {
			config: newConfig(func(c *aws.Config) {
				c.APIOptions = append(c.APIOptions, func(*middleware.Stack) error { return nil })
			}),
		},
		"a custom endpoint resolver": {config: Config{AWS: legacyResolver(amazonsOwn, nil)}},
		"service options": {
			config: newConfig(func(c *aws.Config) {
				c.ServiceOptions = append(c.ServiceOptions, func(string, any) {})
			}),
		},
		"another signature scheme": {
			config: newConfig(func(c *aws.Config) {
				c.AuthSchemePreference = []string{"sigv4a"}
			}),
		},
		"an application's name": {
			config: newConfig(func(c *aws.Config) {
				c.AppID = "app"
			}),
		},
		"no clock correction": {
			config: newConfig(func(c *aws.Config) {
				c.DisableClockSkewCorrection = true
			}),
		},
		"logging": {
			config: newConfig(func(c *aws.Config) {
				c.ClientLogMode = aws.LogRequest
			}),
		},
		"a client of the SDK's": {config: Config{Client: awss3.NewFromConfig(awsConfig)}},
		"a custom HTTP client":  {config: Config{HTTPClient: &http.Client{}}},
		"a directory bucket":    {config: Config{Bucket: "photos--use1-az4--x-s3", Region: "us-east-1"}},
		"an access point": {
			config: Config{Bucket: "arn:aws:s3:eu-west-1:123456789012:accesspoint/photos"},
		},
		"interceptors": {
			config: newConfig(func(c *aws.Config) {
				c.Interceptors.AddBeforeSigning(interceptor{})
			}),
		},
		"a path with escapes": {
			config: Config{Endpoint: "https://example.com/a b", PathStyle: aws.Bool(true)},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.config.Client != nil {
				tt.config.Bucket = "photos"
				d, err := NewDriver(t.Context(), tt.config)
				require.NoError(t, err)
				require.False(t, usesRawClient(t, d.(*objectDriver)))
				return
			}
			require.Equal(t, tt.want, usesRawClient(t, mustOpen(t, tt.config)))
		})
	}
	t.Run("dual stack and FIPS", func(t *testing.T) {
		setEnv(t, map[string]string{
			"AWS_ACCESS_KEY_ID":          "env",
			"AWS_SECRET_ACCESS_KEY":      "secret",
			"AWS_USE_DUALSTACK_ENDPOINT": "true",
			"AWS_USE_FIPS_ENDPOINT":      "true",
		})
		b, err := NewDriver(t.Context(), Config{Bucket: "photos", Region: "us-gov-west-1"})
		require.NoError(t, err)
		d := b.(*objectDriver)
		require.True(t, usesRawClient(t, d))
		require.Equal(t, "photos.s3-fips.dualstack.us-gov-west-1.amazonaws.com",
			d.bucket.objectAPI(t.Context()).(*rawclient.Client).Host)
	})
}

// A recorder is a transport that keeps the last request and returns an error.
type recorder struct{ last *http.Request }

func (a *recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	a.last = r
	return nil, errors.New("no response")
}

// The raw client sends its requests to the URLs that the SDK chooses.
func TestRawClientUsesTheSDKsURLs(t *testing.T) {
	tests := map[string]struct {
		config Config
		env    map[string]string
	}{
		"the first region":        {config: Config{Region: "us-east-1"}},
		"another region":          {config: Config{Region: "eu-west-1"}},
		"China":                   {config: Config{Region: "cn-north-1"}},
		"an unknown region":       {config: Config{Region: "mars-north-1"}},
		"a bucket with dots":      {config: Config{Bucket: "my.photos"}},
		"capital letters":         {config: Config{Bucket: "MyPhotos"}},
		"path style":              {config: Config{PathStyle: aws.Bool(true)}},
		"Spaces":                  {config: Config{Endpoint: "https://nyc3.digitaloceanspaces.com"}},
		"a port":                  {config: Config{Endpoint: "http://127.0.0.1:9000"}},
		"the scheme's port":       {config: Config{Endpoint: "https://example.com:443"}},
		"the other scheme's port": {config: Config{Endpoint: "http://example.com:443"}},
		"a path in the endpoint": {
			config: Config{Endpoint: "https://example.com/s3/", PathStyle: aws.Bool(true)},
		},
		"dual stack": {env: map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}},
		"FIPS": {
			config: Config{Region: "us-gov-west-1"},
			env:    map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"},
		},
		"the environment's": {env: map[string]string{"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := tt.config
			// Only the default chain reads the environment, and takes its keys from there, too.
			if tt.env != nil {
				maps.Copy(tt.env, map[string]string{
					"AWS_ACCESS_KEY_ID":     "AKID",
					"AWS_SECRET_ACCESS_KEY": "secret",
				})
			} else {
				c.AccessKeyID = "AKID"
				c.SecretKey = "secret"
			}
			setEnv(t, tt.env)
			open := func(c Config) *objectDriver {
				if c.Bucket == "" {
					c.Bucket = "photos"
				}
				if c.Region == "" {
					c.Region = "eu-west-1"
				}
				d, err := NewDriver(t.Context(), c)
				require.NoError(t, err)
				return d.(*objectDriver)
			}

			d := open(c)
			require.True(t, usesRawClient(t, d))

			// Record a request of the SDK.
			sdk := &recorder{}
			c.HTTPClient = &http.Client{Transport: sdk}
			_, err := open(c).Head(t.Context(), &driver.GetRequest{Key: "a b", Length: -1})
			require.Error(t, err)
			host := sdk.last.Host
			if host == "" {
				host = sdk.last.URL.Host
			}

			// The raw client would send the request to the same place.
			endpoint, err := d.bucket.endpoint(t.Context(), "")
			require.NoError(t, err)
			require.Equal(t, sdk.last.URL.String(), endpoint.origin+endpoint.path+"/a%20b")
			require.Equal(t, host, endpoint.host)
			require.Contains(t, sdk.last.Header.Get("Authorization"),
				"/"+d.account.region+"/s3/aws4_request")
		})
	}
}

// An interceptor is an interceptor of the SDK that does nothing.
type interceptor struct{}

func (interceptor) BeforeSigning(context.Context, *smithyhttp.InterceptorContext) error { return nil }

// The SDK logs requests if the ClientLogMode in Config.AWS asks for that.
func TestClientLogModeLogsRequests(t *testing.T) {
	tests := []struct {
		name     string
		mode     aws.ClientLogMode
		isLogged bool
	}{
		{name: "LogRequest", mode: aws.LogRequest, isLogged: true},
		{name: "no mode"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			setEnv(t, nil)
			server := newStandIn(t, stored)
			var lines []string
			d, err := NewDriver(t.Context(), Config{Bucket: "photos", Endpoint: server.URL, AWS: &aws.Config{
				Region:        "eu-west-1",
				Credentials:   credentials.NewStaticCredentialsProvider("own", "secret", ""),
				ClientLogMode: tt.mode,
				Logger: logging.LoggerFunc(func(_ logging.Classification, format string, args ...any) {
					lines = append(lines, fmt.Sprintf(format, args...))
				}),
			}})
			require.NoError(t, err)

			_, err = d.Put(t.Context(), wiretest.Put("k", "hello"))
			require.NoError(t, err)
			if tt.isLogged {
				require.Contains(t, strings.Join(lines, ""), "PUT /photos/k")
			} else {
				require.Empty(t, lines)
			}
		})
	}
}

package s3

import (
	"cmp"
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

// The raw client is used unless the configuration has something that only the SDK supports, such as
// middleware.
func TestRawClientUsed(t *testing.T) {
	withRawClient := map[string]Config{
		"with keys":       {},
		"anonymous":       {Anonymous: true},
		"at a server":     {Endpoint: "https://nyc3.digitaloceanspaces.com"},
		"in China":        {Region: "cn-north-1"},
		"a configuration": {AWS: newSDKConfig()},
	}
	for name, config := range withRawClient {
		t.Run(name, func(t *testing.T) {
			require.True(t, usesRawClient(t, mustOpen(t, config)))
		})
	}

	withoutRawClient := map[string]Config{
		"a custom endpoint resolver": {AWS: legacyResolver(amazonsOwn, nil)},
		"a custom HTTP client":       {HTTPClient: &http.Client{}},
		"a directory bucket":         {Bucket: "photos--use1-az4--x-s3", Region: "us-east-1"},
		"an access point":            {Bucket: "arn:aws:s3:eu-west-1:123456789012:accesspoint/photos"},
		"a path with escapes":        {Endpoint: "https://example.com/a b", PathStyle: aws.Bool(true)},
	}
	for name, config := range withoutRawClient {
		t.Run(name, func(t *testing.T) {
			require.False(t, usesRawClient(t, mustOpen(t, config)))
		})
	}

	t.Run("a client of the SDK's", func(t *testing.T) {
		client := awss3.NewFromConfig(*newSDKConfig())
		d, err := NewDriver(t.Context(), Config{Bucket: "photos", Client: client})
		require.NoError(t, err)
		require.False(t, usesRawClient(t, d.(*objectDriver)))
	})

	t.Run("dual stack and FIPS", func(t *testing.T) {
		setEnv(t, map[string]string{
			"AWS_ACCESS_KEY_ID":          "env",
			"AWS_SECRET_ACCESS_KEY":      "secret",
			"AWS_USE_DUALSTACK_ENDPOINT": "true",
			"AWS_USE_FIPS_ENDPOINT":      "true",
		})
		opened, err := NewDriver(t.Context(), Config{Bucket: "photos", Region: "us-gov-west-1"})
		require.NoError(t, err)

		d := opened.(*objectDriver)
		require.True(t, usesRawClient(t, d))
		client := d.bucket.objectAPI(t.Context()).(*rawclient.Client)
		require.Equal(t, "photos.s3-fips.dualstack.us-gov-west-1.amazonaws.com", client.Host)
	})
}

// newSDKConfig returns a configuration of the SDK with only a region and credentials.
func newSDKConfig() *aws.Config {
	return &aws.Config{
		Region:      "eu-west-1",
		Credentials: credentials.NewStaticCredentialsProvider("own", "secret", ""),
	}
}

// The raw client is not used if a configuration of the SDK has a setting that only the SDK's client obeys.
func TestRawClientNotUsedForSDKSettings(t *testing.T) {
	tests := []struct {
		name string
		set  func(*aws.Config)
	}{
		{
			name: "a custom HTTP client",
			set: func(c *aws.Config) {
				c.HTTPClient = &http.Client{}
			},
		},
		{
			name: "custom middleware",
			set: func(c *aws.Config) {
				c.APIOptions = append(c.APIOptions, func(*middleware.Stack) error { return nil })
			},
		},
		{
			name: "service options",
			set: func(c *aws.Config) {
				c.ServiceOptions = append(c.ServiceOptions, func(string, any) {})
			},
		},
		{
			name: "another signature scheme",
			set: func(c *aws.Config) {
				c.AuthSchemePreference = []string{"sigv4a"}
			},
		},
		{
			name: "an application's name",
			set: func(c *aws.Config) {
				c.AppID = "app"
			},
		},
		{
			name: "no clock correction",
			set: func(c *aws.Config) {
				c.DisableClockSkewCorrection = true
			},
		},
		{
			name: "logging",
			set: func(c *aws.Config) {
				c.ClientLogMode = aws.LogRequest
			},
		},
		{
			name: "interceptors",
			set: func(c *aws.Config) {
				c.Interceptors.AddBeforeSigning(interceptor{})
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := newSDKConfig()
			tt.set(config)
			require.False(t, usesRawClient(t, mustOpen(t, Config{AWS: config})))
		})
	}
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
			c.Bucket = cmp.Or(c.Bucket, "photos")
			c.Region = cmp.Or(c.Region, "eu-west-1")
			// If a case sets environment variables, the default chain of credentials must read
			// them. So the keys of this case are in the environment, too.
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

			opened, err := NewDriver(t.Context(), c)
			require.NoError(t, err)
			d := opened.(*objectDriver)
			require.True(t, usesRawClient(t, d))

			// Record a request of the SDK. The SDK sends all requests if the Config has an HTTP
			// client.
			sdk := &recorder{}
			c.HTTPClient = &http.Client{Transport: sdk}
			sdkDriver, err := NewDriver(t.Context(), c)
			require.NoError(t, err)
			_, err = sdkDriver.Head(t.Context(), &driver.GetRequest{Key: "a b", Length: -1})
			require.Error(t, err, "the recorder returns no response")
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
		name       string
		mode       aws.ClientLogMode
		wantLogged bool
	}{
		{name: "LogRequest", mode: aws.LogRequest, wantLogged: true},
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
			if tt.wantLogged {
				require.Contains(t, strings.Join(lines, ""), "PUT /photos/k")
			} else {
				require.Empty(t, lines)
			}
		})
	}
}

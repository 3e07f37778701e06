package s3server_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// The server takes the bucket's name from the host.
func TestHostNamesBucket(t *testing.T) {
	several := s3server.Config{Domains: []string{"s3.example.com", "example.org", "storage.internal"}}
	tests := map[string]struct {
		config      s3server.Config
		host, path  string
		bucket, key string
	}{
		"the first domain": {
			config: several,
			host:   "photos.s3.example.com",
			path:   "/k",
			bucket: "photos",
			key:    "k",
		},
		"the second domain": {
			config: several,
			host:   "photos.example.org:9000",
			path:   "/a/b",
			bucket: "photos",
			key:    "a/b",
		},
		"the third domain": {
			config: several,
			host:   "my.photos.storage.internal",
			path:   "/k",
			bucket: "my.photos",
			key:    "k",
		},
		"a domain in a domain": {
			config: s3server.Config{Domains: []string{"localhost", "s3.localhost"}},
			host:   "photos.s3.localhost",
			path:   "/k",
			bucket: "photos",
			key:    "k",
		},
		"a domain in a domain, itself": {
			config: s3server.Config{Domains: []string{"localhost", "s3.localhost"}},
			host:   "s3.localhost:9000",
			path:   "/photos/k",
			bucket: "photos",
			key:    "k",
		},
		"capitals": {
			config: several,
			host:   "photos.Example.ORG",
			path:   "/k",
			bucket: "photos",
			key:    "k",
		},
		"the domain itself": {
			config: several,
			host:   "example.org",
			path:   "/photos/k",
			bucket: "photos",
			key:    "k",
		},
		"the first domain itself": {
			config: several,
			host:   "s3.example.com:443",
			path:   "/photos/k",
			bucket: "photos",
			key:    "k",
		},
		"another domain": {
			config: several,
			host:   "photos.example.net",
			path:   "/photos/k",
			bucket: "photos",
			key:    "k",
		},
		"an address": {
			config: several,
			host:   "127.0.0.1:9000",
			path:   "/photos/k",
			bucket: "photos",
			key:    "k",
		},
		"an address of version 6": {
			config: several,
			host:   "[::1]:9000",
			path:   "/photos/k",
			bucket: "photos",
			key:    "k",
		},
		"no AWS among own domains": {
			config: several,
			host:   "photos.s3.amazonaws.com",
			path:   "/photos/k",
			bucket: "photos",
			key:    "k",
		},
		"localhost": {
			host:   "photos.localhost:9000",
			path:   "/k",
			bucket: "photos",
			key:    "k",
		},
		"AWS": {
			host:   "photos.s3.amazonaws.com",
			path:   "/k",
			bucket: "photos",
			key:    "k",
		},
		"AWS, the region": {
			host:   "photos.s3.us-east-1.amazonaws.com",
			path:   "/k",
			bucket: "photos",
			key:    "k",
		},
		"AWS, dual-stack": {
			host:   "photos.s3.dualstack.us-east-1.amazonaws.com",
			path:   "/k",
			bucket: "photos",
			key:    "k",
		},
		"AWS, by path": {
			host:   "s3.us-east-1.amazonaws.com",
			path:   "/photos/k",
			bucket: "photos",
			key:    "k",
		},
		"AWS, a name with dots": {
			host:   "my.photos.s3.us-east-1.amazonaws.com",
			path:   "/k",
			bucket: "my.photos",
			key:    "k",
		},
		"AWS, any region": {
			host:   "photos.s3.eu-west-1.amazonaws.com",
			path:   "/k",
			bucket: "photos",
			key:    "k",
		},
		"AWS, any region, dual-stack": {
			host:   "photos.s3.dualstack.eu-west-1.amazonaws.com",
			path:   "/k",
			bucket: "photos",
			key:    "k",
		},
		"AWS, any region, by path": {
			host:   "s3.eu-west-1.amazonaws.com",
			path:   "/photos/k",
			bucket: "photos",
			key:    "k",
		},
		"another region than the only": {
			config: s3server.Config{Region: "us-east-1"},
			host:   "photos.s3.eu-west-1.amazonaws.com",
			path:   "/photos/k",
			bucket: "photos",
			key:    "k",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := startLenient(t, tt.config)
			response, _ := s.send(t, "GET", s.server.URL+tt.path, nil, http.Header{"Host": {tt.host}})
			require.Contains(t, []int{403, 404}, response.StatusCode)
			require.Equal(t, tt.bucket, s.server.Requests()[0].Bucket)
			require.Equal(t, tt.key, s.server.Requests()[0].Key)
		})
	}
}

// Location in a response has the scheme and the address style of the request.
func TestLocationHasSchemeAndStyleOfRequest(t *testing.T) {
	tests := map[string]struct {
		start    func(*testing.T, s3server.Config, ...func(*s3.Options)) *store
		inHost   bool
		location string
	}{
		"by path":             {start: start, inHost: false, location: "http://localhost/photos/a%2Fb"},
		"by path, with TLS":   {start: startTLS, inHost: false, location: "https://localhost/photos/a%2Fb"},
		"by host":             {start: start, inHost: true, location: "http://photos.localhost/a%2Fb"},
		"by host, and by TLS": {start: startTLS, inHost: true, location: "https://photos.localhost/a%2Fb"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := tt.start(t, s3server.Config{Domains: []string{"localhost"}})
			_, address, _ := strings.Cut(s.server.URL, "://")
			s.http.Transport.(*http.Transport).DialContext = func(
				ctx context.Context, network, _ string,
			) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, address)
			}
			expected := strings.Replace(tt.location, "localhost",
				strings.Replace(address, "127.0.0.1", "localhost", 1), 1)
			client := s.client(func(o *s3.Options) {
				o.UsePathStyle = !tt.inHost
				o.BaseEndpoint = aws.String(strings.Replace(s.server.URL, "127.0.0.1", "localhost", 1))
			})
			upload := s.begin(t, "a/b")

			completed, err := client.CompleteMultipartUpload(t.Context(),
				completeInput("a/b", upload, s.part(t, "a/b", upload, 1, "content")))
			require.NoError(t, err)
			require.Equal(t, expected, *completed.Location)

			form, err := s3.NewPresignClient(client).PresignPostObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("a/b"),
			})
			require.NoError(t, err)
			response, body := s.post(t, form.URL, form.Values, "content")
			require.Equal(t, http.StatusNoContent, response.StatusCode, body)
			require.Equal(t, expected, response.Header.Get("Location"))
		})
	}
}

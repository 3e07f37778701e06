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

// If the host of a request is below a domain of the server, the name of the bucket is in the host. Otherwise it is in
// the path.
func TestHostNamesBucket(t *testing.T) {
	several := s3server.Config{Domains: []string{"s3.example.com", "example.org", "storage.internal"}}
	tests := []struct {
		name       string
		config     s3server.Config
		host       string // of the request
		path       string // of the request
		wantBucket string // that the server finds
		wantKey    string // that the server finds
	}{
		{
			name:       "first domain",
			config:     several,
			host:       "photos.s3.example.com",
			path:       "/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "second domain",
			config:     several,
			host:       "photos.example.org:9000",
			path:       "/a/b",
			wantBucket: "photos",
			wantKey:    "a/b",
		},
		{
			name:       "third domain, bucket with a dot",
			config:     several,
			host:       "my.photos.storage.internal",
			path:       "/k",
			wantBucket: "my.photos",
			wantKey:    "k",
		},
		{
			name:       "domain within a domain",
			config:     s3server.Config{Domains: []string{"localhost", "s3.localhost"}},
			host:       "photos.s3.localhost",
			path:       "/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "domain within a domain, no bucket in the host",
			config:     s3server.Config{Domains: []string{"localhost", "s3.localhost"}},
			host:       "s3.localhost:9000",
			path:       "/photos/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "domain in another case",
			config:     several,
			host:       "photos.Example.ORG",
			path:       "/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "domain, no bucket in the host",
			config:     several,
			host:       "example.org",
			path:       "/photos/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "first domain, no bucket in the host",
			config:     several,
			host:       "s3.example.com:443",
			path:       "/photos/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "other domain",
			config:     several,
			host:       "photos.example.net",
			path:       "/photos/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "IPv4 address",
			config:     several,
			host:       "127.0.0.1:9000",
			path:       "/photos/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "IPv6 address",
			config:     several,
			host:       "[::1]:9000",
			path:       "/photos/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "domain of AWS, own domains",
			config:     several,
			host:       "photos.s3.amazonaws.com",
			path:       "/photos/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{name: "localhost", host: "photos.localhost:9000", path: "/k", wantBucket: "photos", wantKey: "k"},
		{name: "domain of AWS", host: "photos.s3.amazonaws.com", path: "/k", wantBucket: "photos", wantKey: "k"},
		{
			name:       "domain of AWS with the region",
			host:       "photos.s3.us-east-1.amazonaws.com",
			path:       "/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "domain of AWS, dual-stack",
			host:       "photos.s3.dualstack.us-east-1.amazonaws.com",
			path:       "/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "domain of AWS, no bucket in the host",
			host:       "s3.us-east-1.amazonaws.com",
			path:       "/photos/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "domain of AWS, bucket with a dot",
			host:       "my.photos.s3.us-east-1.amazonaws.com",
			path:       "/k",
			wantBucket: "my.photos",
			wantKey:    "k",
		},
		{
			name:       "domain of AWS with another region",
			host:       "photos.s3.eu-west-1.amazonaws.com",
			path:       "/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "domain of AWS with another region, dual-stack",
			host:       "photos.s3.dualstack.eu-west-1.amazonaws.com",
			path:       "/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "domain of AWS with another region, no bucket in the host",
			host:       "s3.eu-west-1.amazonaws.com",
			path:       "/photos/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
		{
			name:       "domain of AWS with another region than the only one",
			config:     s3server.Config{Region: "us-east-1"},
			host:       "photos.s3.eu-west-1.amazonaws.com",
			path:       "/photos/k",
			wantBucket: "photos",
			wantKey:    "k",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startLenient(t, tt.config)
			response, _ := s.send(t, "GET", s.server.URL+tt.path, nil, http.Header{"Host": {tt.host}})
			require.Contains(t, []int{403, 404}, response.StatusCode, "the request is not signed")
			require.Equal(t, tt.wantBucket, s.server.Requests()[0].Bucket)
			require.Equal(t, tt.wantKey, s.server.Requests()[0].Key)
		})
	}
}

// The Location of a new object has the scheme and the address style of the request.
func TestLocationHasSchemeAndStyleOfRequest(t *testing.T) {
	tests := []struct {
		name         string
		start        func(*testing.T, s3server.Config, ...func(*s3.Options)) *store
		inHost       bool   // true if the bucket is in the host of the request
		wantLocation string // without the port
	}{
		{name: "by path", start: startServer, wantLocation: "http://localhost/photos/a%2Fb"},
		{name: "by path, with TLS", start: startTLS, wantLocation: "https://localhost/photos/a%2Fb"},
		{name: "by host", start: startServer, inHost: true, wantLocation: "http://photos.localhost/a%2Fb"},
		{
			name:         "by host, and by TLS",
			start:        startTLS,
			inHost:       true,
			wantLocation: "https://photos.localhost/a%2Fb",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.start(t, s3server.Config{Domains: []string{"localhost"}})
			_, address, _ := strings.Cut(s.server.URL, "://")

			// Connect to the server for every host in a URL, because a host such as
			// photos.localhost may have no address.
			s.http.Transport.(*http.Transport).DialContext = func(
				ctx context.Context, network, _ string,
			) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, address)
			}

			// The Location must contain the server's port.
			hostAndPort := strings.Replace(address, "127.0.0.1", "localhost", 1)
			want := strings.Replace(tt.wantLocation, "localhost", hostAndPort, 1)

			// Send the requests to localhost, with the bucket's name in the host or in the path.
			client := s.client(func(o *s3.Options) {
				o.UsePathStyle = !tt.inHost
				o.BaseEndpoint = aws.String(strings.Replace(s.server.URL, "127.0.0.1", "localhost", 1))
			})
			upload := s.beginUpload(t, "a/b")

			// CompleteMultipartUpload returns the location in its document.
			completed, err := client.CompleteMultipartUpload(t.Context(),
				completeInput("a/b", upload, s.uploadPart(t, "a/b", upload, 1, "content")))
			require.NoError(t, err)
			require.Equal(t, want, *completed.Location)

			// The response to a form has the address of the object in a header.
			form, err := s3.NewPresignClient(client).PresignPostObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String(bucket),
				Key:    aws.String("a/b"),
			})
			require.NoError(t, err)
			response, body := s.post(t, form.URL, form.Values, "content")
			require.Equal(t, http.StatusNoContent, response.StatusCode, body)
			require.Equal(t, want, response.Header.Get("Location"))
		})
	}
}

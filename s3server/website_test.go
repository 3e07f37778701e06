package s3server_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

const websiteHost = "photos.s3-website.localhost"

// startWebsite starts a server whose bucket is a website, with objects that everyone can read.
func startWebsite(t *testing.T, configuration string, objects ...string) *store {
	t.Helper()
	s := startLenient(t, s3server.Config{})
	s.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	response, body := s.putDocument(t, "/photos?website",
		"<WebsiteConfiguration>"+configuration+"</WebsiteConfiguration>")
	require.Equal(t, 200, response.StatusCode, body)
	_, err := s.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{
		Bucket:                         aws.String(bucket),
		PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{},
	})
	require.NoError(t, err)
	_, err = s.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{
		Bucket: aws.String(bucket),
		Policy: aws.String(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"},
		{"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::photos"}]}`),
	})
	require.NoError(t, err)
	for _, key := range objects {
		s.put(t, key, "this is "+key)
	}
	return s
}

// visitWebsite sends a request to the website of the bucket.
func (s *store) visitWebsite(t *testing.T, method, path string) (*http.Response, string) {
	t.Helper()
	return s.send(t, method, s.server.URL+path, nil, http.Header{"Host": {websiteHost}})
}

// A website serves its index and error documents.
func TestWebsite(t *testing.T) {
	const (
		index       = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>"
		whenMissing = "<ErrorDocument><Key>error.html</Key></ErrorDocument>"

		// These are conditions of routing rules.
		prefix  = "<KeyPrefixEquals>docs/</KeyPrefixEquals>"
		missing = "<HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>"
	)
	rules := func(all string) string { return index + "<RoutingRules>" + all + "</RoutingRules>" }
	ruled := func(condition, redirect string) string {
		return "<RoutingRule><Condition>" + condition + "</Condition><Redirect>" + redirect + "</Redirect></RoutingRule>"
	}

	tests := []struct {
		name          string
		configuration string
		method        string
		path          string
		wantStatus    int
		wantContent   string // of the body, or of Location if the status is 3xx
	}{
		{
			name:          "index",
			configuration: index,
			method:        "GET",
			path:          "/",
			wantStatus:    200,
			wantContent:   "this is index.html",
		},
		{
			name:          "index of a folder",
			configuration: index,
			method:        "GET",
			path:          "/a/",
			wantStatus:    200,
			wantContent:   "this is a/index.html",
		},
		{
			name:          "folder without a slash",
			configuration: index,
			method:        "GET",
			path:          "/a",
			wantStatus:    302,
			wantContent:   "/a/",
		},
		{
			name:          "object",
			configuration: index,
			method:        "GET",
			path:          "/b%20c.txt",
			wantStatus:    200,
			wantContent:   "this is b c.txt",
		},
		{name: "HEAD", configuration: index, method: "HEAD", path: "/", wantStatus: 200},
		{
			name:          "query, which has no effect",
			configuration: index,
			method:        "GET",
			path:          "/?acl",
			wantStatus:    200,
			wantContent:   "this is index.html",
		},
		{
			name:          "method other than GET and HEAD",
			configuration: index,
			method:        "DELETE",
			path:          "/b%20c.txt",
			wantStatus:    405,
			wantContent:   "<li>Code: MethodNotAllowed</li>",
		},
		{
			name:          "object missing",
			configuration: index,
			method:        "GET",
			path:          "/%3Cx%3E",
			wantStatus:    404,
			wantContent:   "<li>Key: &lt;x&gt;</li>",
		},
		{
			name:          "object missing, with an error document",
			configuration: index + whenMissing,
			method:        "GET",
			path:          "/x",
			wantStatus:    404,
			wantContent:   "this is error.html",
		},
		{
			name:          "object and error document missing",
			configuration: index + "<ErrorDocument><Key>y</Key></ErrorDocument>",
			method:        "GET",
			path:          "/x",
			wantStatus:    404,
			wantContent:   "An Error Occurred While Attempting to Retrieve a Custom Error Document",
		},
		{
			name:          "redirect of all requests",
			configuration: "<RedirectAllRequestsTo><HostName>example.com</HostName><Protocol>https</Protocol></RedirectAllRequestsTo>",
			method:        "GET",
			path:          "/a/b",
			wantStatus:    301,
			wantContent:   "https://example.com/a/b",
		},
		{
			name:          "prefix replaced",
			configuration: rules(ruled(prefix, "<ReplaceKeyPrefixWith>a/</ReplaceKeyPrefixWith>")),
			method:        "GET",
			path:          "/docs/x",
			wantStatus:    301,
			wantContent:   "http://" + websiteHost + "/a/x",
		},
		{
			name:          "prefix removed",
			configuration: rules(ruled(prefix, "<ReplaceKeyPrefixWith></ReplaceKeyPrefixWith>")),
			method:        "GET",
			path:          "/docs/x",
			wantStatus:    301,
			wantContent:   "http://" + websiteHost + "/x",
		},
		{
			name: "key, status and host replaced",
			configuration: rules(ruled(prefix,
				"<HostName>h</HostName><HttpRedirectCode>307</HttpRedirectCode><ReplaceKeyWith>k</ReplaceKeyWith>")),
			method:      "GET",
			path:        "/docs/x",
			wantStatus:  307,
			wantContent: "http://h/k",
		},
		{
			name:          "rule about a missing object",
			configuration: rules(ruled(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>")),
			method:        "GET",
			path:          "/x",
			wantStatus:    301,
			wantContent:   "http://" + websiteHost + "/k",
		},
		{
			name:          "rule about missing objects, object exists",
			configuration: rules(ruled(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>")),
			method:        "GET",
			path:          "/b%20c.txt",
			wantStatus:    200,
			wantContent:   "this is b c.txt",
		},
		{
			name:          "rule about missing objects of another prefix",
			configuration: rules(ruled(prefix+missing, "<ReplaceKeyWith>k</ReplaceKeyWith>")),
			method:        "GET",
			path:          "/x",
			wantStatus:    404,
			wantContent:   "NoSuchKey",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The website has these four objects.
			s := startWebsite(t, tt.configuration, "index.html", "a/index.html", "b c.txt", "error.html")
			response, body := s.visitWebsite(t, tt.method, tt.path)
			require.Equal(t, tt.wantStatus, response.StatusCode, body)
			if tt.wantStatus/100 == 3 {
				body = response.Header.Get("Location")
			}
			require.Contains(t, body, tt.wantContent)
		})
	}
}

// An object with a redirect location redirects visitors of the website. The location must be a path or an HTTP URL.
func TestWebsiteObjectRedirects(t *testing.T) {
	s := startWebsite(t, "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>")
	moved := putInput("old", "")
	moved.WebsiteRedirectLocation = aws.String("/new")
	_, err := s.PutObject(t.Context(), moved)
	require.NoError(t, err)

	response, _ := s.visitWebsite(t, "GET", "/old")
	require.Equal(t, 301, response.StatusCode)
	require.Equal(t, "/new", response.Header.Get("Location"))

	// Other locations are refused when the object is stored.
	tests := []struct{ name, location string }{
		{name: "a script", location: "javascript:alert(1)"},
		{name: "a relative path", location: "new"},
		{name: "another scheme", location: "ftp://example.com/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			moved.WebsiteRedirectLocation = &tt.location
			_, err := s.PutObject(t.Context(), moved)
			requireFailure(t, err, 400, "InvalidRedirectLocation")
		})
	}
}

// CopyObject copies the metadata, but not the redirect location.
func TestWebsiteRedirectIsNotCopied(t *testing.T) {
	s := startServer(t, s3server.Config{})
	moved := putInput("old", "")
	moved.WebsiteRedirectLocation = aws.String("/new")
	moved.Metadata = map[string]string{"a": "b"}
	_, err := s.PutObject(t.Context(), moved)
	require.NoError(t, err)

	tests := []struct {
		name     string
		location *string
	}{
		{name: "no new location"},
		{name: "a new location", location: aws.String("https://example.com/")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The copy has the redirect location that the copy's request names, or none.
			input := copyInput("old", "copy")
			input.WebsiteRedirectLocation = tt.location
			_, err := s.CopyObject(t.Context(), input)
			require.NoError(t, err)

			output, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{
				Bucket: input.Bucket,
				Key:    input.Key,
			})
			require.NoError(t, err)
			require.Equal(t, tt.location, output.WebsiteRedirectLocation)
			require.Equal(t, moved.Metadata, output.Metadata)
		})
	}

	output, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: moved.Bucket, Key: moved.Key})
	require.NoError(t, err)
	require.Equal(t, "/new", *output.WebsiteRedirectLocation, "the source is unchanged")
}

// A website serves only objects that everyone may read, and explains errors as a page.
func TestWebsiteIsForEveryone(t *testing.T) {
	s := startWebsite(t, "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>", "index.html")

	// Without the policy that lets everyone read, the website refuses to serve the page.
	_, err := s.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	response, body := s.visitWebsite(t, "GET", "/")
	require.Equal(t, 403, response.StatusCode)
	require.Contains(t, body, "<li>Code: AccessDenied</li>")

	// Without the website configuration, the bucket is no website.
	_, err = s.DeleteBucketWebsite(t.Context(), &s3.DeleteBucketWebsiteInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	response, body = s.visitWebsite(t, "GET", "/")
	require.Equal(t, 404, response.StatusCode)
	require.Contains(t, body, "NoSuchWebsiteConfiguration")
	_, err = s.GetBucketWebsite(t.Context(), &s3.GetBucketWebsiteInput{Bucket: aws.String(bucket)})
	requireFailure(t, err, 404, "NoSuchWebsiteConfiguration")

	// The host names a bucket that does not exist.
	response, body = s.send(t, "GET", s.server.URL+"/", nil, http.Header{
		"Host": {"missing.s3-website.localhost"},
	})
	require.Equal(t, 404, response.StatusCode)
	require.Contains(t, body, "<li>Code: NoSuchBucket</li>")
}

// The server stores and returns a website configuration, and refuses one without an index document.
func TestWebsiteConfiguration(t *testing.T) {
	s := startServer(t, s3server.Config{})
	response, body := s.putDocument(t, "/photos?website",
		"<WebsiteConfiguration><ErrorDocument><Key>e</Key></ErrorDocument></WebsiteConfiguration>")
	require.Equal(t, 400, response.StatusCode, body)
	require.Equal(t, "InvalidArgument", parseError(t, body).Code, body)

	// A valid configuration comes back unchanged.
	configuration := &types.WebsiteConfiguration{
		IndexDocument: &types.IndexDocument{Suffix: aws.String("i")},
		ErrorDocument: &types.ErrorDocument{Key: aws.String("e")},
		RoutingRules: []types.RoutingRule{{
			Condition: &types.Condition{
				KeyPrefixEquals:             aws.String("a"),
				HttpErrorCodeReturnedEquals: aws.String("404"),
			},
			Redirect: &types.Redirect{
				HostName:             aws.String("h"),
				HttpRedirectCode:     aws.String("302"),
				Protocol:             types.ProtocolHttps,
				ReplaceKeyPrefixWith: aws.String(""),
			},
		}},
	}
	_, err := s.PutBucketWebsite(t.Context(), &s3.PutBucketWebsiteInput{
		Bucket:               aws.String(bucket),
		WebsiteConfiguration: configuration,
	})
	require.NoError(t, err)

	got, err := s.GetBucketWebsite(t.Context(), &s3.GetBucketWebsiteInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Equal(t, configuration.IndexDocument, got.IndexDocument)
	require.Equal(t, configuration.ErrorDocument, got.ErrorDocument)
	require.Equal(t, configuration.RoutingRules, got.RoutingRules)
}

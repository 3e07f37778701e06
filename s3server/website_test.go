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

// site starts a server whose bucket is a website, with objects that everyone can read.
func site(t *testing.T, configuration string, objects ...string) *store {
	t.Helper()
	s := startLenient(t, s3server.Config{})
	s.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, body := s.vouched(t, "/photos?website", "<WebsiteConfiguration>"+configuration+"</WebsiteConfiguration>")
	require.Equal(t, 200, response.StatusCode, body)
	_, err := s.PutPublicAccessBlock(t.Context(), &s3.PutPublicAccessBlockInput{Bucket: aws.String(bucket), PublicAccessBlockConfiguration: &types.PublicAccessBlockConfiguration{}})
	require.NoError(t, err)
	_, err = s.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String(bucket), Policy: aws.String(`{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"},
		{"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::photos"}]}`)})
	require.NoError(t, err)
	for _, key := range objects {
		s.put(t, key, "this is "+key)
	}
	return s
}

func (s *store) visit(t *testing.T, method, path string) (*http.Response, string) {
	t.Helper()
	return s.send(t, method, s.server.URL+path, nil, http.Header{"Host": {websiteHost}})
}

// A website serves its index and error documents.
func TestWebsite(t *testing.T) {
	const index, whenMissing = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>", "<ErrorDocument><Key>error.html</Key></ErrorDocument>"
	rules := func(all string) string { return index + "<RoutingRules>" + all + "</RoutingRules>" }
	ruled := func(condition, redirect string) string {
		return "<RoutingRule><Condition>" + condition + "</Condition><Redirect>" + redirect + "</Redirect></RoutingRule>"
	}
	const prefix, missing = "<KeyPrefixEquals>docs/</KeyPrefixEquals>", "<HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>"
	for name, test := range map[string]struct {
		configuration, method, path string
		status                      int
		content                     string // of the body; or of Location if the status is 3xx
	}{
		"the index":                  {index, "GET", "/", 200, "this is index.html"},
		"the index of a folder":      {index, "GET", "/a/", 200, "this is a/index.html"},
		"a folder without a slash":   {index, "GET", "/a", 302, "/a/"},
		"an object":                  {index, "GET", "/b%20c.txt", 200, "this is b c.txt"},
		"only headers":               {index, "HEAD", "/", 200, ""},
		"a query":                    {index, "GET", "/?acl", 200, "this is index.html"},
		"another method":             {index, "DELETE", "/b%20c.txt", 405, "<li>Code: MethodNotAllowed</li>"},
		"nothing":                    {index, "GET", "/%3Cx%3E", 404, "<li>Key: &lt;x&gt;</li>"},
		"nothing, with a page":       {index + whenMissing, "GET", "/x", 404, "this is error.html"},
		"no page for errors":         {index + "<ErrorDocument><Key>y</Key></ErrorDocument>", "GET", "/x", 404, "An Error Occurred While Attempting to Retrieve a Custom Error Document"},
		"everything elsewhere":       {"<RedirectAllRequestsTo><HostName>example.com</HostName><Protocol>https</Protocol></RedirectAllRequestsTo>", "GET", "/a/b", 301, "https://example.com/a/b"},
		"another prefix":             {rules(ruled(prefix, "<ReplaceKeyPrefixWith>a/</ReplaceKeyPrefixWith>")), "GET", "/docs/x", 301, "http://" + websiteHost + "/a/x"},
		"no prefix":                  {rules(ruled(prefix, "<ReplaceKeyPrefixWith></ReplaceKeyPrefixWith>")), "GET", "/docs/x", 301, "http://" + websiteHost + "/x"},
		"another key, code and host": {rules(ruled(prefix, "<HostName>h</HostName><HttpRedirectCode>307</HttpRedirectCode><ReplaceKeyWith>k</ReplaceKeyWith>")), "GET", "/docs/x", 307, "http://h/k"},
		"a rule for errors":          {rules(ruled(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>")), "GET", "/x", 301, "http://" + websiteHost + "/k"},
		"no error":                   {rules(ruled(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>")), "GET", "/b%20c.txt", 200, "this is b c.txt"},
		"an error elsewhere":         {rules(ruled(prefix+missing, "<ReplaceKeyWith>k</ReplaceKeyWith>")), "GET", "/x", 404, "NoSuchKey"},
	} {
		t.Run(name, func(t *testing.T) {
			s := site(t, test.configuration, "index.html", "a/index.html", "b c.txt", "error.html")
			response, body := s.visit(t, test.method, test.path)
			require.Equal(t, test.status, response.StatusCode, body)
			if test.status/100 == 3 {
				body = response.Header.Get("Location")
			}
			require.Contains(t, body, test.content)
		})
	}
}

// An object with a redirect location redirects visitors of the website.
func TestWebsiteObjectRedirects(t *testing.T) {
	s := site(t, "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>")
	moved := putInput("old", "")
	moved.WebsiteRedirectLocation = aws.String("/new")
	_, err := s.PutObject(t.Context(), moved)
	require.NoError(t, err)
	response, _ := s.visit(t, "GET", "/old")
	require.Equal(t, 301, response.StatusCode)
	require.Equal(t, "/new", response.Header.Get("Location"))

	for name, location := range map[string]string{"a script": "javascript:alert(1)", "a page beside": "new", "another scheme": "ftp://example.com/"} {
		t.Run(name, func(t *testing.T) {
			moved.WebsiteRedirectLocation = &location
			_, err := s.PutObject(t.Context(), moved)
			failsWith(t, err, 400, "InvalidRedirectLocation")
		})
	}
}

// CopyObject does not copy the redirect location.
func TestWebsiteRedirectIsNotCopied(t *testing.T) {
	s := start(t, s3server.Config{})
	moved := putInput("old", "")
	moved.WebsiteRedirectLocation = aws.String("/new")
	moved.Metadata = map[string]string{"a": "b"}
	_, err := s.PutObject(t.Context(), moved)
	require.NoError(t, err)
	for name, location := range map[string]*string{"without": nil, "with another": aws.String("https://example.com/")} {
		t.Run(name, func(t *testing.T) {
			input := copyInput("old", "copy")
			input.WebsiteRedirectLocation = location
			_, err := s.CopyObject(t.Context(), input)
			require.NoError(t, err)
			output, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: input.Bucket, Key: input.Key})
			require.NoError(t, err)
			require.Equal(t, location, output.WebsiteRedirectLocation)
			require.Equal(t, moved.Metadata, output.Metadata)
		})
	}
	output, err := s.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: moved.Bucket, Key: moved.Key})
	require.NoError(t, err)
	require.Equal(t, "/new", *output.WebsiteRedirectLocation, "that of the source stays")
}

// A website serves only what everyone may read.
func TestWebsiteIsForEveryone(t *testing.T) {
	s := site(t, "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>", "index.html")
	_, err := s.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	response, body := s.visit(t, "GET", "/")
	require.Equal(t, 403, response.StatusCode)
	require.Contains(t, body, "<li>Code: AccessDenied</li>")
	_, err = s.DeleteBucketWebsite(t.Context(), &s3.DeleteBucketWebsiteInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	response, body = s.visit(t, "GET", "/")
	require.Equal(t, 404, response.StatusCode)
	require.Contains(t, body, "NoSuchWebsiteConfiguration")
	_, err = s.GetBucketWebsite(t.Context(), &s3.GetBucketWebsiteInput{Bucket: aws.String(bucket)})
	failsWith(t, err, 404, "NoSuchWebsiteConfiguration")
	response, body = s.send(t, "GET", s.server.URL+"/", nil, http.Header{"Host": {"missing.s3-website.localhost"}})
	require.Equal(t, 404, response.StatusCode)
	require.Contains(t, body, "<li>Code: NoSuchBucket</li>")
}

// The server stores valid website configurations, and refuses invalid ones.
func TestWebsiteConfiguration(t *testing.T) {
	s := start(t, s3server.Config{})
	response, body := s.vouched(t, "/photos?website", "<WebsiteConfiguration><ErrorDocument><Key>e</Key></ErrorDocument></WebsiteConfiguration>")
	require.Equal(t, 400, response.StatusCode, body)
	require.Equal(t, "InvalidArgument", errorIn(t, body).Code, body)
	asked := &types.WebsiteConfiguration{
		IndexDocument: &types.IndexDocument{Suffix: aws.String("i")},
		ErrorDocument: &types.ErrorDocument{Key: aws.String("e")},
		RoutingRules: []types.RoutingRule{{
			Condition: &types.Condition{KeyPrefixEquals: aws.String("a"), HttpErrorCodeReturnedEquals: aws.String("404")},
			Redirect:  &types.Redirect{HostName: aws.String("h"), HttpRedirectCode: aws.String("302"), Protocol: types.ProtocolHttps, ReplaceKeyPrefixWith: aws.String("")},
		}},
	}
	_, err := s.PutBucketWebsite(t.Context(), &s3.PutBucketWebsiteInput{Bucket: aws.String(bucket), WebsiteConfiguration: asked})
	require.NoError(t, err)
	kept, err := s.GetBucketWebsite(t.Context(), &s3.GetBucketWebsiteInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Equal(t, asked.IndexDocument, kept.IndexDocument)
	require.Equal(t, asked.ErrorDocument, kept.ErrorDocument)
	require.Equal(t, asked.RoutingRules, kept.RoutingRules)
}
